"""Several systems in one batch, and exchanges between their temperatures."""

from __future__ import annotations

import csv
import dataclasses
import os
import signal
from pathlib import Path
from typing import Any

import h5py
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from helio.errors import HelioError
from helio.force_field import ForceField, load_model
from helio.force_field.model_file import ModelInfo, save_model
from helio.precision import numerics
from helio.settings.checking import checked
from helio.simulate import Freedom, Schedule, make_lists
from helio.simulate.batch import make_batch
from helio.simulate.engine import advance, batch_of_lists, first_forces, unevaluated_state
from helio.simulate.ensembles import with_bath_in_the_middle
from helio.simulate.replicas import exchanged, stacked
from helio.simulate.run import Progress, resume_md, run_md
from helio.simulate.settings import MDSettings
from helio.simulate.thermostats import Langevin
from helio.system import System
from helio.units import BOLTZMANN, FS


@pytest.fixture(scope="module")
def model_file(small_force_field: ForceField, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    save_model(small_force_field, path, ModelInfo(name="small"))
    return path


def nothing(progress: Progress) -> None:
    """A report that nobody reads."""


def chosen(model_file: Path, **changes: Any) -> Any:
    every = {"save_every": 10, "log_every": 10, "checkpoint_every": 20, "steps": 40, "precision": "float64"}
    return checked(MDSettings, {"model": str(model_file), **every, **changes})


def positions(folder: Path) -> np.ndarray:
    with h5py.File(folder / "trajectory.h5md") as file:
        return np.asarray(file["particles/all/position/value"])


def test_replicas_share_one_model(model_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []

    def load(*arguments: Any, **options: Any) -> ForceField:
        loaded.append(arguments)
        return load_model(*arguments, **options)

    monkeypatch.setattr("helio.simulate.setup.load_model", load)
    with numerics("float64"):
        batch = make_batch([molecule(name) for name in ("H2O", "NH3", "CH4")], chosen(model_file))
    assert len(loaded) == 1 and batch.count == 3


def test_each_of_a_batch_moves_as_alone(tmp_path: Path, model_file: Path) -> None:
    """Different molecules, padded, of different charge, with seeds in a row."""
    ammonium = molecule("NH3") + Atoms("H", [[0.0, 0.0, -1.0]])
    ammonium.info["charge"] = 1
    molecules = [molecule("CH3CH2OH"), ammonium, molecule("H2O")]
    run_md(molecules, chosen(model_file, seed=5), tmp_path / "all", report=nothing)
    run_md(ammonium, chosen(model_file, seed=6), tmp_path / "alone", report=nothing)
    together = positions(tmp_path / "all" / "replica-001")
    assert together.shape == (5, 5, 3)
    np.testing.assert_allclose(together, positions(tmp_path / "alone"), rtol=0, atol=1e-9)
    assert positions(tmp_path / "all" / "replica-002").shape == (5, 3, 3)


def test_exchanges_are_resumed_bit_for_bit(tmp_path: Path, model_file: Path) -> None:
    settings = chosen(
        model_file, replicas=3, replica_temperatures=[300.0, 320.0, 340.0], exchange_every=5, precision="float32"
    )
    run_md(molecule("H2O"), settings, tmp_path / "whole", report=nothing)

    def interrupt(progress: Progress) -> None:
        if progress.step > 20:
            os.kill(os.getpid(), signal.SIGINT)

    assert run_md(molecule("H2O"), settings, tmp_path / "cut", report=interrupt).interrupted
    assert resume_md(tmp_path / "cut", report=nothing).step == 40
    for number in range(3):
        whole, cut = (positions(tmp_path / kind / f"replica-00{number}") for kind in ("whole", "cut"))
        np.testing.assert_array_equal(whole, cut)
    tables = [list(csv.reader((tmp_path / kind / "exchanges.csv").read_text().split())) for kind in ("whole", "cut")]
    assert tables[0] == tables[1]
    assert tables[0][0] == ["step", "lower_place", "exchanged"] and len(tables[0]) == 1 + 8


def test_exchanges_keep_the_canonical_distributions(wells: Any) -> None:
    """In a harmonic well the mean potential energy is N_f k_B T / 2 at each temperature, with or without exchanges."""
    kts = BOLTZMANN * np.array([200.0, 260.0, 338.0, 440.0])
    copies, rounds = 30, 8
    with numerics("float64"):
        potential = wells(jnp.asarray([2.0, 1.0, 0.5]))
        system = System.from_ase(Atoms("CO", [[0.1, 0, 0], [0, 0.1, 0]])).astype("float64")
        timestep, friction, freedom = jnp.asarray(2.0 * FS), jnp.asarray(0.1 / FS), Freedom(fixed_center=False)
        integrators = [
            with_bath_in_the_middle(timestep, freedom, Langevin(Schedule.constant(kt), friction))
            for kt in np.tile(kts, copies)
        ]
        integrator = stacked(integrators)
        alone = make_lists(potential, system, skin=3.0)
        lists = batch_of_lists(potential, [system] * len(integrators), alone.plans)
        blank = unevaluated_state(
            potential, integrators[0], system, alone, key=jax.random.PRNGKey(0), thermal_energy=kts[0]
        )
        keys = jax.random.split(jax.random.PRNGKey(1), len(integrators))
        state = stacked([blank] * len(integrators))
        state = dataclasses.replace(state, key=keys)
        state, lists = first_forces(potential, integrator, state, lists)
        energies, accepted = [], 0
        for attempt in range(rounds):
            state, lists = advance(potential, integrator, state, lists, until=100 * (attempt + 1))
            # The ladders stand one after the other; the steps from one to the next are exchanges, too.
            state, lists, attempts = exchanged(
                state, lists, np.tile(kts, copies), key=jax.random.PRNGKey(attempt), odd=attempt % 2 == 1
            )
            accepted += sum(done for *_, done in attempts)
            if attempt >= 2:
                energies.append(np.asarray(state.prediction.energy).reshape(copies, 4))
    found = np.array(energies)
    error = found.mean(axis=0).std(axis=0) / np.sqrt(copies)
    assert (np.abs(found.mean(axis=(0, 1)) - 3 * kts) < 4.5 * error).all(), (found.mean(axis=(0, 1)) / (3 * kts), error)
    assert 0.2 < accepted / (rounds * copies * 2) < 0.95


def test_what_cannot_be_a_batch(tmp_path: Path, model_file: Path) -> None:
    water, ethanol = molecule("H2O"), molecule("CH3CH2OH")
    crystal = molecule("H2O", cell=[5.0, 5, 5], pbc=True)
    for structures, changes, message in (
        ([water, crystal], {"long_range_cutoff": 4.0}, "same periodic directions"),
        ([water, ethanol], {"replicas": 3}, "there are 2 structures"),
        ([water, water], {"replica_temperatures": [1.0, 2.0, 3.0]}, "2 replicas, but 3 temperatures"),
        ([water, ethanol], {"constraints": "h-bonds"}, "same periodic directions, fixed distances"),
    ):
        with pytest.raises(HelioError, match=message):
            run_md(structures, chosen(model_file, **changes), tmp_path / "none", report=nothing)
    for changes, message in (
        ({"exchange_every": 5}, "at least two"),
        ({"exchange_every": 5, "replica_temperatures": [1, 2], "ensemble": "nve"}, "--ensemble nvt"),
        ({"replica_temperatures": [0, 2]}, "above 0 K"),
    ):
        with pytest.raises(HelioError, match=message):
            chosen(model_file, **changes)
    assert not (tmp_path / "none").exists()
