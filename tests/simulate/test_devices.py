"""One system over several devices and processes: the numbers of one device, to round-off."""

from __future__ import annotations

import csv
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.build import molecule

from helio.errors import HelioError
from helio.files.structures import write_structure
from helio.force_field import ForceField
from helio.force_field.model_file import ModelInfo, save_model
from helio.force_field.sharded import everywhere, sharded
from helio.precision import numerics
from helio.prediction import Prediction
from helio.settings.checking import checked
from helio.simulate.engine import advance, make_lists, start
from helio.simulate.ensembles import constant_energy
from helio.simulate.freedom import Freedom
from helio.simulate.lists import blank_lists
from helio.simulate.run import Progress, resume_md, run_md
from helio.simulate.settings import MDSettings
from helio.system import System
from helio.units import FS
from tests.conftest import reference_case


def waters(count: int) -> Atoms:
    """Water at its density, of which `count` atoms are left: no multiple of the number of devices."""
    atoms = reference_case("water_64_lr12").atoms
    del atoms[count:]
    return atoms


def molecules() -> dict[str, System]:
    slab = waters(150)
    slab.pbc = (True, True, False)
    ions = Atoms("OHHNHHHH", np.random.default_rng(3).uniform(0, 6, (8, 3)))
    return {
        "periodic": System.from_ase(waters(189), check_parity=False),
        "slab": System.from_ase(slab, check_parity=False),
        # Fewer atoms than devices, and some of these have padding alone.
        "molecule": System.from_ase(molecule("CH3CH2OH")[:5], check_parity=False),  # pyright: ignore
        "fragments": System.from_ase(ions, charge=1, fragments=[0] * 3 + [1] * 5, fragment_charges=[0, 1]),
    }


@pytest.mark.parametrize(
    ("name", "electrostatics", "devices"),
    [
        pytest.param("periodic", "shifted", 8, marks=pytest.mark.slow),
        pytest.param("periodic", "ewald", 4, marks=pytest.mark.slow),
        ("periodic", "pme", 4),
        pytest.param("periodic", "wolf", 4, marks=pytest.mark.slow),
        pytest.param("slab", "shifted", 4, marks=pytest.mark.slow),
        pytest.param("molecule", "shifted", 8, marks=pytest.mark.slow),
        pytest.param("fragments", "shifted", 4, marks=pytest.mark.slow),
    ],
)
def test_prediction_is_that_of_one_device(
    small_force_field: ForceField, name: str, electrostatics: Any, devices: int
) -> None:
    with numerics("float64"):
        tail = "mesh" if electrostatics in ("wolf", "pme") else "none"
        force_field = small_force_field.with_options(
            long_range_cutoff=7.0, electrostatics=electrostatics, dispersion_tail=tail
        )
        force_field = force_field.astype("float64")
        host = molecules()[name]
        neighbors = jax.tree.map(jnp.asarray, force_field.neighbors(host))
        alone = eqx.filter_jit(force_field)(host.astype("float64"), neighbors)
        many = sharded(force_field, devices)
        plans = many.plan(host, short_skin=0.3, long_skin=0.3)
        assert plans.rows % devices == 0

        @eqx.filter_jit
        def evaluate(many: Any, system: System, plans: Any) -> tuple[Prediction, jax.Array, jax.Array]:
            order = plans.order(system.positions, system.cell, system.pbc, system.atom_mask)
            ordered = system.taken(order)
            short, long = many.make_list(ordered, plans.short), many.make_list(ordered, plans.long)
            return many(system, plans.joined(short, long, order)), short.overflow | long.overflow, short.index

        found, overflow, index = evaluate(*everywhere(many.mesh, (many, host.astype("float64"), plans)))
    assert not overflow
    assert {shard.data.shape[0] for shard in index.addressable_shards} == {plans.rows // devices}
    for (path, a), (_, b) in zip(*map(jax.tree_util.tree_leaves_with_path, (alone, found)), strict=True):
        assert a.shape == b.shape, path
        np.testing.assert_allclose(b, a, rtol=1e-11, atol=1e-11, err_msg=str(path))


@pytest.mark.slow
def test_too_small_lists_are_made_larger(small_force_field: ForceField) -> None:
    """A list that overflows on a device is noticed by all, and the block redone."""
    with numerics("float64"):
        many = sharded(small_force_field.with_options(long_range_cutoff=6.0).astype("float64"), 4)
        system = System.from_ase(waters(60), check_parity=False).astype("float64")
        integrator = constant_energy(jnp.asarray(0.1 * FS), Freedom())
        many, system, integrator = everywhere(many.mesh, (many, system, integrator))
        roomy = make_lists(many, system, skin=0.2)
        plans = replace(
            roomy.plans,
            short=roomy.plans.short._replace(half_pairs=64),
            long=roomy.plans.long._replace(columns=16),
        )
        ends = []
        for lists in (roomy, blank_lists(many, system, plans)):
            key = jax.random.PRNGKey(1)
            state, lists = start(many, integrator, system, lists, key=key, thermal_energy=0.02)
            state, lists = advance(many, integrator, state, lists, until=5)
            assert lists.plans == roomy.plans
            ends.append(np.asarray(state.system.positions))
    np.testing.assert_array_equal(ends[1], ends[0])


@pytest.fixture(scope="module")
def model_file(small_force_field: ForceField, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    save_model(small_force_field, path, ModelInfo(name="small"))
    return path


def settings(model_file: Path, **changes: Any) -> MDSettings:
    every = {"save_every": 5, "log_every": 5, "checkpoint_every": 10, "long_range_cutoff": 6.0, "timestep": 0.1}
    options = {"model": str(model_file), "precision": "float64", "steps": 30, "ensemble": "npt", "temperature": 100}
    return checked(MDSettings, {**options, **every, **changes})


def log(folder: Path) -> np.ndarray:
    """The numbers of a log, without the speed."""
    with (folder / "log.csv").open() as file:
        return np.array([row[:-1] for row in csv.reader(file)][1:], float)


def nothing(progress: Progress) -> None:
    """A report that nobody reads."""


@pytest.mark.parametrize("devices", [None, pytest.param(1, marks=pytest.mark.slow)])
def test_runs_are_equal_and_go_on_bit_for_bit(tmp_path: Path, model_file: Path, devices: int | None) -> None:
    """On as many devices as before the numbers are the same, on others to round-off."""
    atoms = waters(60)
    run_md(atoms, settings(model_file), tmp_path / "one", report=nothing)
    run_md(atoms, settings(model_file, devices=4), tmp_path / "four", report=nothing)
    np.testing.assert_allclose(log(tmp_path / "four"), log(tmp_path / "one"), rtol=1e-6, atol=1e-6)

    cut = tmp_path / "cut"
    run_md(atoms, settings(model_file, devices=4, steps=13), cut, report=nothing)
    resume_md(cut, report=nothing, steps=30, devices=devices)
    if devices is None:
        np.testing.assert_array_equal(log(cut), log(tmp_path / "four"))
    else:
        np.testing.assert_allclose(log(cut), log(tmp_path / "four"), rtol=1e-6, atol=1e-6)


def test_what_cannot_be_divided(tmp_path: Path, model_file: Path) -> None:
    with pytest.raises(HelioError, match="100 devices were asked for, but JAX sees 8"):
        run_md(waters(60), settings(model_file, devices=100), tmp_path / "run", report=nothing)
    with pytest.raises(HelioError, match="share one system"):
        settings(model_file, devices=2, replicas=2)
    with pytest.raises(HelioError, match="share one system"):
        run_md([waters(60)] * 2, settings(model_file, devices=2), tmp_path / "run", report=nothing)
    assert not (tmp_path / "run").exists()


def together(folder: Path, *arguments: str) -> list[tuple[int, str]]:
    """Exit codes and outputs of two processes that run a command of four devices."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "helio", *arguments, "--devices", "4", "--distributed"]
    processes = [
        subprocess.Popen(
            [*command, f"localhost:{port},2,{number}"],
            env=os.environ | {"HELIO_CACHE": str(folder / "cache"), "PYTHONPATH": os.getcwd()},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=folder,
        )
        for number in range(2)
    ]
    outputs = [process.communicate()[0] for process in processes]
    return [(process.returncode, output) for process, output in zip(processes, outputs, strict=True)]


@pytest.fixture
def input_file(tmp_path: Path, model_file: Path) -> Path:
    write_structure(tmp_path / "start.extxyz", waters(60))
    chosen = settings(model_file, steps=13).model_dump(mode="json", exclude_defaults=True)
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(chosen | {"structure": "start.extxyz"}))
    return tmp_path / "run.yaml"


@pytest.mark.slow
def test_two_processes(input_file: Path, model_file: Path) -> None:
    """Two processes of two devices each: the first writes, the numbers are those of one process."""
    folder = input_file.parent
    (code, said), (other_code, other_said) = together(folder, "md", input_file.name, "--out", "two")
    assert (code, other_code) == (0, 0), said + other_said
    assert "Done: 13 steps" in said and "Done" not in other_said
    run_md(waters(60), settings(model_file, steps=13, devices=4), folder / "four", report=nothing)
    np.testing.assert_allclose(log(folder / "two"), log(folder / "four"), rtol=1e-7, atol=1e-7)


@pytest.mark.slow
def test_two_processes_go_on_or_refuse(input_file: Path, model_file: Path) -> None:
    folder = input_file.parent
    assert [code for code, _ in together(folder, "md", input_file.name, "--out", "cut")] == [0, 0]
    assert [code for code, _ in together(folder, "resume", "cut", "--steps", "30")] == [0, 0]
    assert [code for code, _ in together(folder, "md", input_file.name, "--out", "whole", "--steps", "30")] == [0, 0]
    np.testing.assert_array_equal(log(folder / "cut"), log(folder / "whole"))

    (code, said), (other_code, other_said) = together(folder, "md", input_file.name, "--out", "cut")
    assert (code, other_code) == (1, 1)
    assert "the folder cut exists" in said and "the first process could not begin" in other_said
