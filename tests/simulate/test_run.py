"""Runs on disk: interrupted, killed, resumed, refused."""

from __future__ import annotations

import csv
import errno
import fcntl
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import h5py
import jax
import MDAnalysis
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from helio.errors import HelioError
from helio.files.checkpoint import previous_path
from helio.files.structures import read_structure, write_structure
from helio.force_field import ForceField
from helio.force_field.model_file import ModelInfo, save_model
from helio.precision import numerics
from helio.settings.checking import checked
from helio.simulate.batch import make_batch
from helio.simulate.run import Progress, resume_md, run_md
from helio.simulate.settings import MDSettings
from helio.units import FS
from tests.kills import finished, killed, launched, written


@pytest.fixture(scope="session")
def model_file(small_force_field: ForceField, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    save_model(small_force_field, path, ModelInfo(name="small"))
    return path


def nothing(progress: Progress) -> None:
    """A report that nobody reads."""


def ethanol() -> Atoms:
    return molecule("CH3CH2OH")


def settings(model_file: Path, **changes: Any) -> MDSettings:
    every = {"save_every": 5, "log_every": 5, "checkpoint_every": 20}
    return checked(MDSettings, {"model": str(model_file), "steps": 60, "skin": 0.2, **every, **changes})


def contents(folder: Path) -> dict[str, Any]:
    """All numbers of a run but its speed."""
    found: dict[str, Any] = {}
    with h5py.File(folder / "trajectory.h5md") as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    with (folder / "log.csv").open() as file:
        found["log"] = np.array([row[:-1] for row in csv.reader(file)])
    return found


def assert_same(one: Path, other: Path) -> None:
    left, right = contents(one), contents(other)
    assert left.keys() == right.keys()
    for name in left:
        np.testing.assert_array_equal(left[name], right[name], err_msg=name)


NPT = {"ensemble": "npt", "pressure": 1000.0, "pressure_relaxation_time": 200.0}


@pytest.mark.parametrize(
    ("choice", "periodic"),
    [
        ({"ensemble": "nve"}, False),
        pytest.param(
            {"thermostat": "nose-hoover", "temperature": [[0.0, 100.0], [0.02, 300.0]]}, False, marks=pytest.mark.slow
        ),
        pytest.param(NPT, True, marks=pytest.mark.slow),
        (NPT | {"barostat": "martyna-tobias-klein", "coupling": "triclinic", "electrostatics": "pme"}, True),
        pytest.param({"thermostat": "langevin"}, False, marks=pytest.mark.slow),
        pytest.param({"thermostat": "rescaling", "remove_rotation": True}, False, marks=pytest.mark.slow),
        pytest.param(NPT | {"constraints": "h-bonds", "electrostatics": "ewald"}, True, marks=pytest.mark.slow),
        pytest.param(NPT | {"thermostat": "rescaling", "coupling": "anisotropic"}, True, marks=pytest.mark.slow),
    ],
    ids=["nve", "nose-hoover", "npt", "npt-mtk-pme", "langevin", "rescaling", "npt-constraints", "npt-rescaling"],
)
def test_interrupted_and_resumed_is_the_same(
    tmp_path: Path, model_file: Path, choice: dict[str, Any], periodic: bool
) -> None:
    atoms = ethanol()
    if periodic:
        atoms.set_cell([[6.0, 0, 0], [1.0, 6.0, 0], [0, 0.5, 7.0]])
        atoms.pbc = True
        choice = choice | {"long_range_cutoff": 6.0, "timestep": 0.1, "skin": 0.1}
    chosen = settings(model_file, save="velocities,forces,charges,hirshfeld_ratios,energy_terms", **choice)
    assert not run_md(atoms, chosen, tmp_path / "whole", report=nothing).interrupted

    def interrupt(progress: Progress) -> None:
        if progress.step > 20:
            os.kill(os.getpid(), signal.SIGINT)

    outcome = run_md(atoms, chosen, tmp_path / "cut", report=interrupt)
    assert outcome.interrupted and 20 < outcome.step < 60
    assert resume_md(tmp_path / "cut", report=nothing).step == 60
    assert_same(tmp_path / "whole", tmp_path / "cut")

    universe = MDAnalysis.Universe(tmp_path / "cut" / "topology.pdb", tmp_path / "cut" / "trajectory.h5md")
    assert len(universe.trajectory) == 13
    last = universe.trajectory[-1]
    assert last.time == pytest.approx(60 * chosen.timestep / 1000) and last.data["step"] == 60
    assert np.isfinite(last.positions).all() and np.isfinite(last.velocities).all()
    assert (last.dimensions is not None) == periodic


def test_extended_run_equals_a_longer_one(tmp_path: Path, model_file: Path) -> None:
    run_md(ethanol(), settings(model_file, steps=60), tmp_path / "long", report=nothing)
    run_md(ethanol(), settings(model_file, steps=30), tmp_path / "short", report=nothing)
    # What lies beyond the checkpoint, as after a crash, is dropped.
    with (tmp_path / "short" / "log.csv").open("a") as log:
        log.write("35,1,2,3\n40,0.0")
    resume_md(tmp_path / "short", report=nothing, steps=60)
    assert_same(tmp_path / "long", tmp_path / "short")
    with pytest.raises(HelioError, match="already at step 60"):
        resume_md(tmp_path / "short", report=nothing, steps=50)


def test_damaged_checkpoint_and_the_one_before(tmp_path: Path, model_file: Path) -> None:
    run_md(ethanol(), settings(model_file), tmp_path / "whole", report=nothing)
    run_md(ethanol(), settings(model_file), tmp_path / "hurt", report=nothing)
    checkpoint = tmp_path / "hurt" / "checkpoint.npz"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-2000])
    with pytest.raises(HelioError, match="damaged"):
        resume_md(tmp_path / "hurt", report=nothing)
    previous_path(checkpoint).replace(checkpoint)
    resume_md(tmp_path / "hurt", report=nothing)
    assert_same(tmp_path / "whole", tmp_path / "hurt")


def test_full_disk(tmp_path: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_md(ethanol(), settings(model_file), tmp_path / "whole", report=nothing)
    write, full = Path.write_bytes, False

    def write_bytes(path: Path, content: Any) -> int:
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, content)

    def fill(progress: Progress) -> None:
        nonlocal full
        full = progress.step >= 25

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    with pytest.raises(HelioError, match="the disk is full"):
        run_md(ethanol(), settings(model_file), tmp_path / "cut", report=fill)
    full = False
    resume_md(tmp_path / "cut", report=nothing)
    assert_same(tmp_path / "whole", tmp_path / "cut")


def test_unstable_run_keeps_the_last_good_state(tmp_path: Path, model_file: Path) -> None:
    wild = settings(model_file, temperature=500.0, timestep=2.0, hottest=550.0, skin=0.5)
    with pytest.raises(HelioError, match=r"unstable at step \d+: .*last-good"):
        run_md(ethanol(), wild, tmp_path / "run", report=nothing)
    assert np.isfinite(read_structure(tmp_path / "run" / "last-good.extxyz").positions).all()
    assert np.isfinite(contents(tmp_path / "run")["particles/all/position/value"]).all()


def test_folders_that_must_not_be_written(tmp_path: Path, model_file: Path) -> None:
    chosen = settings(model_file, steps=0)
    run_md(ethanol(), chosen, tmp_path / "run", report=nothing)
    with pytest.raises(HelioError, match="exists"):
        run_md(ethanol(), chosen, tmp_path / "run", report=nothing)
    run_md(ethanol(), chosen, tmp_path / "run", report=nothing, overwrite=True)

    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "thesis.txt").write_text("precious")
    with pytest.raises(HelioError, match="no run folder"):
        run_md(ethanol(), chosen, tmp_path / "own", report=nothing, overwrite=True)
    with pytest.raises(HelioError, match="is a file"):
        run_md(ethanol(), chosen, tmp_path / "own" / "thesis.txt", report=nothing)
    with pytest.raises(HelioError, match="no run folder"):
        resume_md(tmp_path / "own", report=nothing)
    with pytest.raises(HelioError, match="cannot write"):
        run_md(ethanol(), chosen, "/proc/run", report=nothing)

    with (tmp_path / "run" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(HelioError, match="another process"):
            resume_md(tmp_path / "run", report=nothing)


def test_start_velocities_from_the_file(tmp_path: Path, model_file: Path) -> None:
    atoms, chosen = ethanol(), settings(model_file, steps=0, velocities="file")
    with pytest.raises(HelioError, match="no velocities"):
        run_md(atoms, chosen, tmp_path / "run", report=nothing)
    momenta = np.random.default_rng(0).normal(size=(9, 3))
    atoms.set_momenta(momenta)
    velocities = atoms.get_velocities()
    velocities -= atoms.get_masses() @ velocities / atoms.get_masses().sum()
    run_md(atoms, chosen, tmp_path / "run", report=nothing)
    stored = contents(tmp_path / "run")["particles/all/velocity/value"][0]
    np.testing.assert_allclose(stored, velocities * 1000 * FS, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ensemble": "nvpt"}, "ensemble"),
        ({"ensemble": "npt", "temperature": 0}, "above 0 K"),
        ({"coupling": "isotropic", "surface_tension": 20.0}, "semi-isotropic"),
        ({"temperature": "0:100,0:200"}, "ascend"),
        ({"timestep": 0}, "timestep"),
        ({"stpes": 5}, "stpes"),
        ({"save": ["dipoles"]}, "save"),
    ],
)
def test_wrong_settings(model_file: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(HelioError, match=message):
        settings(model_file, **change)


@pytest.mark.slow
@pytest.mark.parametrize("kills", [1, 20])
def test_killed_at_any_moment(tmp_path: Path, model_file: Path, kills: int) -> None:
    """SIGKILL again and again and Ctrl-C, then to the end: as if nothing had happened. Ctrl-C says what to do."""
    write_structure(tmp_path / "start.xyz", ethanol())
    options = f"--model {model_file} --steps {200 * (kills + 1)} --save-every 10".split()
    options += "--log-every 10 --checkpoint-every 50".split()
    cut, checkpoint = tmp_path / "cut", tmp_path / "cut" / "checkpoint.npz"

    def command(*arguments: object) -> subprocess.Popen[str]:
        return launched(*arguments, HELIO_CACHE=str(tmp_path / "cache"))

    def launch() -> subprocess.Popen[str]:
        if checkpoint.exists():
            with h5py.File(cut / "trajectory.h5md") as file:
                assert np.isfinite(np.asarray(file["particles/all/position/value"])).all()
            return command("resume", cut)
        return command("md", tmp_path / "start.xyz", *options, "--out", cut)

    finished(command("md", tmp_path / "start.xyz", *options, "--out", tmp_path / "whole"))
    assert killed(launch, lambda: written(checkpoint), kills=kills, seed=kills)
    before, process = written(checkpoint), launch()
    while process.poll() is None and written(checkpoint) == before:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate()
    assert process.returncode == 0 or (process.returncode == 130 and f"helio resume {cut}" in output), output
    output = finished(command("resume", cut))
    assert "cpu_aot_loader" not in output  # what XLA says of programs that it finds compiled
    assert_same(tmp_path / "whole", cut)


def test_a_growing_cell_gets_a_finer_mesh(model_file: Path) -> None:
    """The mesh must keep the accuracy asked for wherever the barostat takes the cell."""
    atoms = molecule("CH3CH2OH", cell=[6.0, 6.5, 7.0], pbc=True)
    with numerics("float32"):
        chosen = settings(model_file, electrostatics="pme", long_range_cutoff=6.0, **NPT)
        batch = make_batch([atoms], chosen)
        system = batch.setups[0].system
        host = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64) if leaf.dtype.kind == "f" else leaf, system)
        state, lists = batch.blank(batch.potential.plan(host, short_skin=0.2, long_skin=0.2))
        assert batch.with_mesh(state, lists) is lists
        grown = state.with_positions(system.positions, 3 * system.cell)
        finer = batch.with_mesh(grown, lists).plans.mesh
    assert lists.plans.mesh is not None and finer is not None
    assert all(new > old for new, old in zip(finer, lists.plans.mesh, strict=True))
