"""Slabs, left-handed and turned cells: what analyses and exports say of one molecule does not depend on its cell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ase.io
import h5py
import MDAnalysis
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from typer.testing import CliRunner

from helio.analyse import open_frames
from helio.analyse.catalogue import analyse, fitting
from helio.analyse.frames import Frames
from helio.cli import app
from helio.files.orientation import cell_for_images, in_standard_orientation, stated_cell
from helio.files.structure_reading import read
from helio.force_field import ForceField
from helio.force_field.model_file import ModelInfo, save_model

CASES = Path(__file__).parents[1] / "files" / "cases"
NAMES = ("aa_slab", "aa_vac", "aa_rh", "aa_lh")


@pytest.fixture(scope="module")
def runs(small_force_field: ForceField, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of the cases, of one tiny step each."""
    folder = tmp_path_factory.mktemp("runs")
    save_model(small_force_field, folder / "small.safetensors", ModelInfo(name="small"))
    for name in NAMES:
        arguments = ["md", str(CASES / f"{name}.extxyz"), "--model", str(folder / "small.safetensors"), "--steps", "1"]
        arguments += ["--save-every", "1", "--timestep", "0.0001", "--out", str(folder / name)]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output
    return folder


def values(frames: Frames, name: str) -> dict[str, float]:
    return {value.name: value.value for value in analyse(name, frames).values}


@pytest.mark.parametrize("name", NAMES)
def test_alpha_helix_is_one(runs: Path, name: str) -> None:
    result = CliRunner().invoke(app, ["analyse", "ramachandran", str(runs / name)])
    assert result.exit_code == 0, result.output
    lines = {line[:30].strip(): line[30:].split()[0] for line in result.output.splitlines() if "population" in line}
    assert (lines["alpha, all residues"], lines["phi > 0, all residues"]) == ("1", "0")


@pytest.mark.parametrize("pair", [("aa_slab", "aa_vac"), ("aa_rh", "aa_lh")])
def test_every_analysis_agrees(runs: Path, pair: tuple[str, str]) -> None:
    first, second = (open_frames(runs / name) for name in pair)
    names = [analysis.name for analysis in fitting(first)]
    assert {"rmsd", "hydrogen_bonds", "ramachandran"} <= set(names)
    for name in {analysis.name for analysis in fitting(second)} & set(names):
        found = [values(frames, name) for frames in (first, second)]
        assert found[0].keys() == found[1].keys() and found[0], name
        np.testing.assert_allclose(list(found[0].values()), list(found[1].values()), rtol=1e-3, atol=1e-3)


def test_radius_of_gyration_of_the_slab(runs: Path) -> None:
    found = values(open_frames(runs / "aa_slab"), "rmsd")
    gyration = [value for name, value in found.items() if "gyration" in name]
    assert gyration and gyration[0] == pytest.approx(2.59, abs=0.005)


@pytest.mark.parametrize("kind", ["extxyz", "pdb", "dcd"])
def test_exports_hold_no_invented_vector(runs: Path, tmp_path: Path, kind: str) -> None:
    given = read(CASES / "aa_slab.extxyz").atoms.cell.array
    out = tmp_path / f"slab.{kind}"
    result = CliRunner().invoke(app, ["export", str(runs / "aa_slab"), "--format", kind, "--out", str(out)])
    assert result.exit_code == 0, result.output
    if kind == "extxyz":
        again = ase.io.read(out)
        assert isinstance(again, Atoms)
        np.testing.assert_allclose(again.cell.array, given, atol=1e-5)
        assert again.pbc.tolist() == [True, True, False]
    else:
        universe: Any = MDAnalysis.Universe(str(runs / "aa_slab" / "topology.pdb"), str(out))
        box = universe.trajectory[0].dimensions
        lengths = np.linalg.norm(given, axis=1)
        assert box is None or not lengths.all() or np.allclose(box[:3], lengths, atol=1e-2)
    with h5py.File(runs / "aa_slab" / "trajectory.h5md") as file:
        edges = np.asarray(file["particles/all/box/edges/value"])  # pyright: ignore
    np.testing.assert_allclose(edges[0], given, atol=1e-5)


def test_one_transformation() -> None:
    """Positions are turned, never mirrored; old unit vectors of open directions are taken for none."""
    cell = np.array([[0, 5.0, 0.3], [4.0, 0, 0], [0.2, 0.4, 6.0]])  # left-handed
    atoms = molecule("CH3CH2OH", cell=cell, pbc=True)
    positions, parameters, turn = in_standard_orientation(atoms)
    assert np.linalg.det(turn) == pytest.approx(1) and parameters is not None
    np.testing.assert_allclose(positions, atoms.positions @ turn.T)
    slab = np.diag([4.0, 5.0, 1.0])
    assert stated_cell(slab, (True, True, False))[2].tolist() == [0, 0, 0]
    assert stated_cell(np.diag([4.0, 5.0, 30.0]), (True, True, False))[2, 2] == 30
    images = cell_for_images(slab, (True, True, False), np.array([[0, 0, 0], [0, 0, 80.0]]))
    np.testing.assert_allclose(images[:2], slab[:2])
    assert images[2, 2] > 160 and images[2, :2].tolist() == [0, 0]
