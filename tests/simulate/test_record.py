"""Columns of the log and arrays of the frames, from states made by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from helio.files.log import read_log
from helio.files.run_folder import RunFolder
from helio.files.structures import read_structure, write_structure
from helio.files.trajectory import read_frames, read_particles
from helio.prediction import Prediction
from helio.settings.checking import checked
from helio.simulate.ensembles import constant_energy
from helio.simulate.freedom import Freedom
from helio.simulate.record import Recorder, temperature
from helio.simulate.settings import MDSettings
from helio.simulate.state import State
from helio.system import System
from helio.units import BOLTZMANN

INTEGRATOR = constant_energy(jnp.asarray(0.1), Freedom(fixed_center=False))
SAVE = "velocities,forces,charges,hirshfeld_ratios,energy_terms"


def state(atoms: Atoms) -> State:
    system = System.from_ase(atoms).astype("float32")
    numbers = jnp.arange(len(atoms), dtype=jnp.float32)
    stress = jnp.zeros((3, 3)).at[2, 2].set(0.01) if all(system.pbc) else None
    return State(
        system=system,
        momenta=jax.random.normal(jax.random.PRNGKey(1), system.positions.shape),
        prediction=Prediction(
            energy=numbers.sum(),
            energy_terms={"network": jnp.asarray(2.5), "zbl": jnp.asarray(0.25)},
            atomic_energies=numbers,
            forces=numbers[:, None] * jnp.ones(3)[None, :],
            stress=stress,
            charges=numbers / 10,
            hirshfeld_ratios=numbers / 20,
            dipole=jnp.zeros(3),
        ),
        baths={},
        key=jax.random.PRNGKey(0),
        step=jnp.asarray(0),
        degrees_of_freedom=jnp.asarray(3.0 * len(atoms)),
    )


def recorded(folder: Path, atoms: Atoms, **settings: Any) -> RunFolder:
    folder.mkdir()
    run = RunFolder(folder)
    write_structure(run.start, atoms)
    write_structure(run.topology, atoms)
    chosen = checked(MDSettings, {"save": SAVE, **settings})
    recorder = Recorder(run, state(atoms), chosen, INTEGRATOR)
    recorder.record(state(atoms))
    recorder.commit()
    recorder.close()
    return run


@pytest.fixture
def ethanol() -> Atoms:
    return molecule("CH3CH2OH")


def test_log_of_a_periodic_system(tmp_path: Path, ethanol: Atoms) -> None:
    ethanol.set_cell([[6.0, 0, 0], [1.0, 6.0, 0], [0, 0.5, 7.0]])
    ethanol.pbc = True
    log = read_log(recorded(tmp_path / "run", ethanol).log)
    assert log["volume_A3"] == [pytest.approx(252.0)]
    assert log["density_g_per_cm3"] == [pytest.approx(46.069 * 1.66054 / 252.0, abs=1e-5)]
    np.testing.assert_allclose([log[f"cell_{name}"][0] for name in ("a_A", "b_A", "c_A")], ethanol.cell.lengths(), 1e-5)
    # Ideal gas and a tension along z of 0.01 eV/A^3, which is 16021.77 bar.
    ideal = 9 * BOLTZMANN * log["temperature_K"][0] / 252.0 * 1602176.6
    diagonal = [log[f"pressure_{axis}_bar"][0] for axis in ("xx", "yy", "zz")]
    assert log["pressure_bar"][0] == pytest.approx(ideal - 16021.766 / 3, rel=1e-5)
    assert sum(diagonal) / 3 == pytest.approx(log["pressure_bar"][0], abs=0.01)


def test_log_of_a_molecule_has_no_cell(tmp_path: Path, ethanol: Atoms) -> None:
    log = read_log(recorded(tmp_path / "run", ethanol).log)
    assert list(log) == [
        "step",
        "time_ps",
        "potential_eV",
        "network_eV",
        "zbl_eV",
        "kinetic_eV",
        "temperature_K",
        "total_eV",
        "conserved_eV",
        "ns_per_day",
    ]
    assert log["temperature_K"] == [pytest.approx(temperature(state(ethanol)))]
    assert log["potential_eV"] == [36.0] and log["network_eV"] == [2.5]


def test_chosen_atoms_and_quantities(tmp_path: Path, ethanol: Atoms) -> None:
    run = recorded(tmp_path / "run", ethanol, save_atoms="element C O")
    particles, (frame,) = read_particles(run.trajectory), read_frames(run.trajectory)
    np.testing.assert_array_equal(particles.ids, [0, 1, 2])
    np.testing.assert_array_equal(particles.species, ethanol.numbers[:3])
    np.testing.assert_array_equal(particles.bonds, [[0, 1], [1, 2]])
    np.testing.assert_allclose(frame.arrays["position"], ethanol.positions[:3], atol=1e-6)
    np.testing.assert_allclose(frame.arrays["charge"], [0, 0.1, 0.2], rtol=1e-6)
    np.testing.assert_allclose(frame.arrays["hirshfeld_ratio"], [0, 0.05, 0.1], rtol=1e-6)
    np.testing.assert_allclose(frame.arrays["force"][2], 2 * 96.48533, rtol=1e-6)
    energies = {name: float(value) for name, value in frame.arrays.items() if name.startswith("energy_")}
    assert energies == {"energy_network": 2.5, "energy_zbl": 0.25, "energy_potential": 36.0}
    saved = read_structure(run.saved_topology)
    assert saved.get_chemical_symbols() == ["C", "C", "O"]
    assert not recorded(tmp_path / "all", ethanol).saved_topology.exists()


def test_going_on_keeps_the_choice(tmp_path: Path, ethanol: Atoms) -> None:
    run = recorded(tmp_path / "run", ethanol, save_atoms="element O", save_every=5)
    later = replace(state(ethanol), step=jnp.asarray(5))
    moved = eqx.tree_at(lambda s: s.system.positions, later, later.system.positions + 1)
    settings = checked(MDSettings, {"save": SAVE, "save_atoms": "element O", "save_every": 5})
    recorder = Recorder(run, moved, settings, INTEGRATOR, last_step=0)
    recorder.record(moved)
    recorder.commit()
    recorder.close()
    first, second = read_frames(run.trajectory)
    np.testing.assert_allclose(second.arrays["position"], first.arrays["position"] + 1, atol=1e-6)
    np.testing.assert_array_equal(read_particles(run.trajectory).ids, [2])
