"""Runs of atoms that lie far from the origin, or many cells away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from helio.files.run_folder import RunFolder
from helio.files.structures import read_structure
from helio.files.trajectory import read_frames
from helio.force_field import ForceField
from helio.force_field.model_file import ModelInfo, save_model
from helio.settings.checking import checked
from helio.simulate.placement import Placement
from helio.simulate.run import resume_md, run_md
from helio.simulate.settings import MDSettings
from helio.system import System

FAR = np.array([10_000.0, -10_000.0, 5_000.0])
BIAS = "def energy(system):\n    return 0.5e-9 * ((system.positions[0] - REFERENCE) ** 2).sum()\n"


@pytest.fixture
def model(small_force_field: ForceField, tmp_path: Path) -> Path:
    save_model(small_force_field, tmp_path / "small.safetensors", ModelInfo("small"))
    return tmp_path / "small.safetensors"


def frames(path: Path) -> list[dict[str, np.ndarray]]:
    return [frame.arrays for frame in read_frames(path / "trajectory.h5md")]


def settings(model: Path, **choice: Any) -> MDSettings:
    every = {"save_every": 5, "log_every": 5, "checkpoint_every": 5, "timestep": 0.1, "save": "forces"}
    return checked(MDSettings, {"model": str(model), "ensemble": "nve", "steps": 10, "skin": 0.1} | every | choice)


def run(atoms: Atoms, chosen: MDSettings, out: Path) -> list[dict[str, np.ndarray]]:
    run_md(atoms, chosen, out, report=lambda _: None)
    return frames(out)


def test_molecule_at_ten_thousand_angstrom(model: Path, tmp_path: Path) -> None:
    atoms = molecule("H2O")
    near = run(atoms, settings(model), tmp_path / "near")
    atoms.positions += FAR
    far = run(atoms, settings(model, steps=5), tmp_path / "far")
    resume_md(tmp_path / "far", report=lambda _: None, steps=10)
    far = frames(tmp_path / "far")
    assert len(near) == len(far) == 3
    for here, there in zip(near, far, strict=True):
        np.testing.assert_allclose(there["position"], here["position"] + FAR, atol=5e-5)
        np.testing.assert_allclose(there["force"], here["force"], atol=0.02)  # kJ/mol/A: 2e-4 eV/A
    start = read_structure(RunFolder(tmp_path / "far").start)
    np.testing.assert_allclose(start.positions, atoms.positions, atol=1e-5)


def test_box_with_molecules_many_cells_away(model: Path, tmp_path: Path) -> None:
    """Molecules stay as they were given, however a boundary cuts them, and a bias sees the user's coordinates."""
    atoms = molecule("H2O") + molecule("H2O")
    atoms.positions[3:] += [0.2, 3.0, 0.3]
    atoms.set_cell([[6.2, 0, 0], [0.7, 6.1, 0], [-0.3, 0.4, 6.3]])
    atoms.pbc = True
    (tmp_path / "bias.py").write_text(BIAS.replace("REFERENCE", "5.0"))
    npt = {"ensemble": "npt", "temperature": 300.0, "long_range_cutoff": 6.0, "seed": 3, "save": "energy_terms"}
    near = run(atoms, settings(model, bias=str(tmp_path / "bias.py"), **npt), tmp_path / "near")
    moved = atoms.copy()
    moved.positions[:3] += 900 * atoms.cell.array[0]
    moved.positions[3:] -= 700 * atoms.cell.array[2]
    far = run(moved, settings(model, bias=str(tmp_path / "bias.py"), **npt), tmp_path / "far")
    first, there = near[0], far[0]
    np.testing.assert_allclose(there["position"], moved.positions, atol=1e-4)
    place = atoms.positions[0] + 900 * atoms.cell.array[0]
    assert there["energy_bias"] == pytest.approx(0.5e-9 * ((place - 5.0) ** 2).sum(), rel=1e-5)
    assert there["energy_network"] == pytest.approx(float(first["energy_network"]), abs=1e-4)
    # The whole cells follow the cell as it moves.
    oxygens = far[-1]["position"][3] - far[-1]["position"][0]
    cell = far[-1]["edges"].astype(float)
    cells = np.round(np.linalg.solve(cell.T, oxygens))
    assert cells.tolist() == [-900, 0, -700]
    bond = far[-1]["position"][1] - far[-1]["position"][0]
    assert 0.8 < np.linalg.norm(bond) < 1.2


def test_what_lies_near_is_not_moved() -> None:
    atoms = molecule("CH3OH", cell=[8.0, 8.0, 8.0], pbc=True)
    atoms.positions[2] += 4 * atoms.cell.array[1]
    system = System.from_ase(atoms)
    assert Placement.of(atoms, system).is_nowhere
    placement = Placement.nowhere(len(atoms))
    assert placement.near(system).positions.tolist() == system.positions.tolist()
    far = System.from_ase(Atoms("H2", [[0, 0, 130.0], [0, 0, 130.7]]))
    placement = Placement.of(Atoms("H2", far.positions), far)
    assert placement.origin.tolist() == [0, 0, 128.0]
    again = Placement.from_json(placement.to_json(), 2)
    np.testing.assert_array_equal(again.coordinates(placement.near(far)).positions, far.positions)
