"""Runs that watch how uncertain their forces are: columns, flag, stop, and the file of structures."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import ase.io
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from helio import System
from helio.errors import HelioError
from helio.files.log import read_log
from helio.files.structures import read_structures
from helio.force_field import ForceField
from helio.force_field.model_file import ModelInfo, save_model
from helio.force_field.uncertainty import Uncertainty
from helio.settings.checking import checked
from helio.simulate.run import Progress, resume_md, run_md
from helio.simulate.settings import MDSettings
from helio.simulate.watch import Seen, UncertainStructures
from helio.uncertainty import estimate_uncertainty
from tests.conftest import TINY

COLUMNS = ("energy_uncertainty_eV", "force_uncertainty_eV_per_A", "extrapolates")


def nothing(progress: Progress) -> None:
    """A report that nobody reads."""


@pytest.fixture(scope="module")
def uncertain() -> ForceField:
    """A small model, with a last layer of known spread."""
    rng = np.random.default_rng(0)
    factor, members = (jnp.asarray(10 * rng.normal(size=shape), jnp.float32) for shape in ((8, 8), (4, 8)))
    return replace(ForceField.initialise(TINY, 7), uncertainty=Uncertainty(factor, members, limit=1e9, about="drawn"))


@pytest.fixture(scope="module")
def models(uncertain: ForceField, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    save_model(uncertain, folder / "uncertain.safetensors", ModelInfo(name="uncertain"))
    save_model(replace(uncertain, uncertainty=None), folder / "bare.safetensors", ModelInfo(name="bare"))
    return {"uncertain": folder / "uncertain.safetensors", "bare": folder / "bare.safetensors"}


def settings(model: Path, **changes: Any) -> MDSettings:
    every = {"save_every": 5, "log_every": 5, "checkpoint_every": 20, "precision": "float32"}
    return checked(MDSettings, {"model": str(model), "steps": 40, "skin": 0.2, **every, **changes})


def test_the_run_is_the_same_and_its_uncertainties_are_those_of_its_frames(
    tmp_path: Path, models: dict[str, Path], uncertain: ForceField
) -> None:
    atoms = molecule("CH4")
    seen: list[Progress] = []
    run_md(atoms, settings(models["bare"]), tmp_path / "bare", report=nothing)
    run_md(atoms, settings(models["uncertain"], uncertainty_every=10), tmp_path / "watched", report=seen.append)
    bare, watched = read_log(tmp_path / "bare" / "log.csv"), read_log(tmp_path / "watched" / "log.csv")
    assert not set(COLUMNS) & set(bare) and set(watched) == set(bare) | set(COLUMNS)
    for name in set(bare) - {"ns_per_day"}:
        assert watched[name] == bare[name], name
    largest = np.array(watched["force_uncertainty_eV_per_A"])
    assert np.isnan(largest[1::2]).all() and np.isfinite(largest[::2]).all()
    assert seen[-1].uncertainty == pytest.approx(largest[-1], rel=1e-4) and not seen[-1].extrapolates

    start = System.from_ase(atoms)
    model = uncertain.with_options(long_range_cutoff=1000.0)
    lists = jax.tree.map(jnp.asarray, model.neighbors(start))
    expected = jax.jit(estimate_uncertainty)(model, start.astype("float32"), lists)
    assert largest[0] == pytest.approx(float(expected.of_atoms.max()), rel=1e-4)
    assert watched["energy_uncertainty_eV"][0] == pytest.approx(float(expected.energy), rel=1e-4)
    assert not (tmp_path / "watched" / "uncertain.extxyz").exists()


def test_interrupted_and_resumed_keeps_every_structure_once(tmp_path: Path, models: dict[str, Path]) -> None:
    atoms = molecule("CH4")
    chosen = settings(models["uncertain"], uncertainty_every=2, uncertainty_limit=1e-6, uncertain_interval=3.0)
    run_md(atoms, chosen, tmp_path / "whole", report=nothing)

    def interrupt(progress: Progress) -> None:
        if progress.step > 20:
            os.kill(os.getpid(), signal.SIGINT)

    assert run_md(atoms, chosen, tmp_path / "cut", report=interrupt).interrupted
    # Beyond the checkpoint, as after a crash: a structure of a later step, and the beginning of another.
    path = tmp_path / "cut" / "uncertain.extxyz"
    text = path.read_text()
    first = "".join(text.splitlines(keepends=True)[:7])
    path.write_text(text + first.replace("step=0", "step=39") + "6\nProperties=")
    resume_md(tmp_path / "cut", report=nothing)
    assert path.read_bytes() == (tmp_path / "whole" / "uncertain.extxyz").read_bytes()
    flags = read_log(tmp_path / "cut" / "log.csv")["extrapolates"]
    assert flags[::2] == [1.0] * 5 and np.isnan(flags[1::2]).all()  # rows of odd steps were not looked at
    kept = read_structures(path)
    assert [one.info["step"] for one in kept] == [0, 6, 12, 18, 24, 30, 36]  # of 0.5 fs each
    assert kept[0].get_chemical_formula() == "CH4" and kept[0].info["charge"] == 0
    largest = kept[1].arrays["force_uncertainty"].max()
    assert largest == pytest.approx(kept[1].info["largest_force_uncertainty"], abs=1e-6)


def test_stop_and_go_on(tmp_path: Path, models: dict[str, Path]) -> None:
    chosen = settings(models["uncertain"], uncertainty_limit=1e-6, stop_when_uncertain=True)
    stopped = r"stopped at step 5: the force on atom \d \(\w\) is uncertain by .* limit of 1e-06"
    with pytest.raises(HelioError, match=stopped):
        run_md(molecule("CH4"), chosen, tmp_path / "run", report=nothing)
    steps = [one.info["step"] for one in read_structures(tmp_path / "run" / "uncertain.extxyz")]
    assert steps == [0, 5]
    with pytest.raises(HelioError, match="stopped at step 10"):
        resume_md(tmp_path / "run", report=nothing)
    assert len(read_structures(tmp_path / "run" / "uncertain.extxyz")) == 3


@pytest.mark.slow
def test_replicas_are_watched_apart(tmp_path: Path, models: dict[str, Path]) -> None:
    chosen = settings(models["uncertain"], steps=10)
    run_md([molecule("H2O"), molecule("CH4")], chosen, tmp_path / "run", report=nothing)
    logs = [read_log(tmp_path / "run" / f"replica-00{n}" / "log.csv") for n in (0, 1)]
    assert logs[0]["force_uncertainty_eV_per_A"] != logs[1]["force_uncertainty_eV_per_A"]
    run_md(molecule("H2O"), chosen, tmp_path / "alone", report=nothing)
    alone = read_log(tmp_path / "alone" / "log.csv")["force_uncertainty_eV_per_A"][0]
    assert logs[0]["force_uncertainty_eV_per_A"][0] == pytest.approx(alone, rel=1e-4)


@pytest.mark.slow
def test_several_devices_see_the_same(tmp_path: Path, models: dict[str, Path]) -> None:
    for devices in (1, 2):
        chosen = settings(models["uncertain"], steps=0, devices=devices)
        run_md(molecule("CH4"), chosen, tmp_path / str(devices), report=nothing)
    one, two = (read_log(tmp_path / str(devices) / "log.csv") for devices in (1, 2))
    for name in COLUMNS:
        assert two[name] == pytest.approx(one[name], rel=1e-4), name


@pytest.mark.parametrize("asked", [{"uncertainty_every": 5}, {"uncertainty_limit": 0.1}, {"stop_when_uncertain": True}])
def test_a_model_without_uncertainty_is_refused(tmp_path: Path, models: dict[str, Path], asked: dict[str, Any]) -> None:
    with pytest.raises(HelioError, match="does not say how uncertain it is: make one that does with helio calibrate"):
        run_md(molecule("H2O"), settings(models["bare"], **asked), tmp_path / "run", report=nothing)
    assert not (tmp_path / "run").exists()


def test_limit_without_looking_is_refused() -> None:
    with pytest.raises(HelioError, match="need an uncertainty_every above 0"):
        settings(Path("any"), uncertainty_every=0, stop_when_uncertain=True)


def water(step: int, largest: float) -> tuple[System, Seen]:
    atoms = molecule("H2O")
    atoms.positions += step
    return System.from_ase(atoms), Seen(0.1, np.array([largest, 0.0, 0.0]), limit=0.5)


def offered(kept: UncertainStructures, steps: list[int], largest: float = 1.0) -> None:
    for step in steps:
        system, seen = water(step, largest)
        kept.offer(system, seen, step=step, time_ps=0.001 * step)


def test_cap_interval_and_what_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "uncertain.extxyz"
    kept = UncertainStructures(path, most=3, steps_apart=10)
    offered(kept, [0, 4, 8], largest=0.4)
    assert not path.exists()
    offered(kept, [12, 13, 22, 31, 32, 50, 60])
    assert [atoms.info["step"] for atoms in steps_of(path)] == [12, 22, 32]
    assert UncertainStructures(path, most=3, steps_apart=10, last_step=31).__len__() == 2
    assert [atoms.info["step"] for atoms in steps_of(path)] == [12, 22]
    path.write_text(path.read_text() + "3\nLattice step=40")
    again = UncertainStructures(path, most=3, steps_apart=10, last_step=45)
    offered(again, [31, 33, 99])
    assert [atoms.info["step"] for atoms in steps_of(path)] == [12, 22, 33]
    assert len(UncertainStructures(path, most=3, steps_apart=10, last_step=5)) == 0 and not path.exists()
    offered(UncertainStructures(path, most=3, steps_apart=10), [1], largest=float("nan"))
    assert len(steps_of(path)) == 1  # where the model gives no number it is least certain of all
    path.write_text("what is this\n")
    with pytest.raises(HelioError, match="line 1 begins no structure"):
        UncertainStructures(path, most=3, steps_apart=10, last_step=5)


def steps_of(path: Path) -> list[Atoms]:
    found = ase.io.read(path, index=":")
    assert isinstance(found, list)
    return found
