"""Runs at constant pressure: boxes that shrink, grow, and are triclinic, under every analysis that fits them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.io import write

from helio.analyse import open_frames
from helio.analyse.catalogue import CATALOGUE, analyse, fitting
from helio.errors import HelioError

BOXES = {
    "shrinks": (np.diag([12.0, 12.0, 12.0]), 0.85),
    "grows": (np.diag([11.0, 12.0, 11.5]), 1.2),
    "triclinic": (np.array([[12.0, 0, 0], [3.0, 11.5, 0], [-2.0, 2.5, 11.0]]), 0.9),
}
FRAMES = 60


@pytest.fixture(scope="module", params=BOXES)
def trajectory(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Water at random places in a box that changes from frame to frame."""
    cell, factor = BOXES[request.param]
    rng = np.random.default_rng(1)
    scaled = rng.uniform(size=(20, 3))
    frames = []
    for number in range(FRAMES):
        scale = 1 + (factor - 1) * number / (FRAMES - 1)
        scaled = scaled + rng.normal(scale=0.01, size=scaled.shape)
        atoms = Atoms(cell=cell * scale, pbc=True)
        for place in scaled @ (cell * scale):
            water = molecule("H2O")
            water.translate(place)
            atoms += water
        atoms.info["time_ps"] = 0.1 * number
        atoms.set_momenta(rng.normal(size=(len(atoms), 3)))
        frames.append(atoms)
    path = tmp_path_factory.mktemp("npt") / f"{request.param}.extxyz"
    write(path, frames)
    return path


def test_every_analysis_that_fits_runs(trajectory: Path) -> None:
    frames = open_frames(trajectory)
    names = {analysis.name for analysis in fitting(frames)}
    assert {"rdf", "diffusion", "density", "structure_factor"} <= names <= set(CATALOGUE)
    for name in names:
        found = analyse(name, frames)
        for curve in found.curves:
            assert np.isfinite(np.asarray(curve.y)[1:]).any(), f"{name}: {curve.name}"


def test_rdf_of_random_molecules_is_one(trajectory: Path) -> None:
    """By each frame's own density: ideal gas of molecules, whose oxygens know nothing of each other."""
    frames = open_frames(trajectory)
    found: Any = analyse("rdf", frames, pairs="O-O")
    g = next(curve for curve in found.curves if curve.name == "O-O")
    shells = np.diff(np.append(g.x - (g.x[1] - g.x[0]) / 2, g.x[-1] + (g.x[1] - g.x[0]) / 2) ** 3)
    assert np.sum(g.y * shells) / np.sum(shells) == pytest.approx(1, abs=0.15)
    assert g.x[-1] < frames.smallest_height_A / 2
    with pytest.raises(HelioError, match="half of the box where it is smallest"):
        analyse("rdf", frames, range_A=6.5)
