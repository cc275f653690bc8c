"""Trajectories in other formats, opened by other programs."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import ase.io
import ase.units
import MDAnalysis
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from helio.errors import HelioError
from helio.files.structures import write_structure
from helio.files.trajectory import Frame, Particles, TrajectoryWriter
from helio.simulate.export import export_trajectory
from helio.units import FS

CELL = np.array([[0.0, 7.0, 0.0], [-8.0, 1.0, 0.0], [0.5, 0.0, 9.0]])


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Two waters that fly apart, one of them across a boundary from the start; five frames."""
    folder = tmp_path / "run"
    writer = TrajectoryWriter(folder, particles(), creator="0")
    for number in range(5):
        writer.append(frame(number))
    writer.commit()
    write_structure(folder / "topology.pdb", waters(), overwrite=True)
    return folder


def waters() -> Atoms:
    one, other = molecule("H2O"), molecule("H2O")
    other.positions += (-4.0, 4.0, 4.5)
    both = Atoms(one.numbers.tolist() * 2, np.concatenate([one.positions, other.positions]), cell=CELL, pbc=True)
    both.positions[4] += CELL[2]  # a bond across the boundary
    return both


def particles() -> Particles:
    pairs = np.array([[0, 1], [0, 2], [3, 4], [3, 5]])
    return Particles(np.arange(6), waters().numbers, waters().get_masses(), pairs, (True, True, True))


def cell(number: int) -> np.ndarray:
    return CELL * (1 + 0.025 * number)


def frame(number: int) -> Frame:
    positions = waters().positions
    positions[4] += cell(number)[2] - CELL[2]
    positions[:3] -= (0.0, 0.0, 3.0 * number)
    rng = np.random.default_rng(number)
    arrays = {"position": positions, "velocity": rng.normal(size=(6, 3)), "force": rng.normal(size=(6, 3))}
    arrays |= {"charge": rng.normal(size=6), "edges": cell(number), "energy_network": np.asarray(-1.5)}
    return Frame(10 * number, 0.2 * number, arrays)


def distances(positions: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return Atoms("OH2OH2", positions, cell=edges, pbc=True).get_all_distances(mic=True)


@pytest.mark.parametrize("kind", ["xtc", "dcd", "pdb"])
def test_mdanalysis_opens_it(run: Path, kind: Any) -> None:
    out = run / f"trajectory.{kind}"
    assert export_trajectory(run, out, kind=kind, stride=2) == 3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        universe = MDAnalysis.Universe(run / "topology.pdb", out)
        assert len(universe.trajectory) == 3
        lengths = np.linalg.norm(CELL, axis=1)
        np.testing.assert_allclose(universe.dimensions[:3], lengths, atol=0.01)
        moment = universe.trajectory[2]
        if kind != "pdb":  # which has no times
            assert moment.time == pytest.approx(0.8, abs=1e-5)
        found = distances(moment.positions.astype(float), moment.triclinic_dimensions.astype(float))
    np.testing.assert_allclose(found, distances(frame(4).arrays["position"], cell(4)), atol=0.02)
    with pytest.raises(HelioError, match="exists"):
        export_trajectory(run, out, kind=kind)
    assert export_trajectory(run, out, kind=kind, overwrite=True) == 5


def test_extended_xyz_holds_everything(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "all.extxyz"
    assert export_trajectory(run, out, kind="extxyz", selection="index 3:5") == 5
    images = ase.io.read(out, ":")
    assert isinstance(images, list)
    atoms, expected = images[3], frame(3).arrays
    assert len(atoms) == 3 and atoms.info["step"] == 30 and atoms.info["energy_network_eV"] == -1.5
    np.testing.assert_allclose(atoms.positions, expected["position"][3:], atol=1e-8)
    np.testing.assert_allclose(atoms.cell.array, cell(3), atol=1e-8)
    np.testing.assert_allclose(atoms.get_velocities() * 1000 * FS, expected["velocity"][3:], atol=1e-4)
    forces = expected["force"][3:] * ase.units.kJ / ase.units.mol
    np.testing.assert_allclose(atoms.get_forces(), forces, atol=1e-7)


def test_wrapped_molecules_are_whole_and_inside(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "wrapped.extxyz"
    export_trajectory(run, out, kind="extxyz", wrap=True)
    images = ase.io.read(out, ":")
    assert isinstance(images, list) and len(images) == 5
    for number, atoms in enumerate(images):
        expected = distances(frame(number).arrays["position"], cell(number))
        np.testing.assert_allclose(atoms.get_all_distances(mic=True), expected, atol=1e-7)
        for first in (0, 3):
            whole = atoms.positions[first : first + 3]
            assert np.linalg.norm(whole[1:] - whole[0], axis=1).max() < 1.0
            inside = whole.mean(axis=0) @ np.linalg.inv(cell(number))
            assert (inside >= 0).all() and (inside < 1).all()


def test_mistakes(run: Path, tmp_path: Path) -> None:
    with pytest.raises(HelioError, match="no trajectory"):
        export_trajectory(tmp_path, tmp_path / "x.xtc", kind="xtc")
    with pytest.raises(HelioError, match="not understood"):
        export_trajectory(run, tmp_path / "x.xtc", kind="xtc", selection="atoms of mine")
    with pytest.raises(HelioError, match="no atom"):
        export_trajectory(run, tmp_path / "x.xtc", kind="xtc", selection="element C")
    assert not (tmp_path / "x.xtc").exists()
