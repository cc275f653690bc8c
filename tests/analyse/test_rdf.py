"""Radial distribution functions of structures where they are known, and those of MDAnalysis."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from MDAnalysis.analysis.rdf import InterRDF

from helio.analyse import Frames
from helio.analyse.rdf import rdf
from helio.errors import HelioError

NONE = np.zeros((0, 2), int)
TRICLINIC = np.array([[0.0, 14.0, 0.0], [-15.0, 2.0, 0.0], [1.0, 1.0, 16.0]])  # in no standard orientation


@pytest.mark.parametrize("cell", [np.eye(3) * 15, TRICLINIC], ids=["cubic", "triclinic"])
def test_ideal_gas_is_one(make_frames: Callable[..., Frames], cell: np.ndarray) -> None:
    random = np.random.default_rng(0)
    atoms = Atoms("Ne60Ar40", random.uniform(size=(100, 3)) @ cell, cell=cell, pbc=True)
    frames = make_frames(atoms, random.uniform(size=(80, 100, 3)) @ cell, pairs=NONE)
    found = rdf(frames, width_A=0.25)
    for name in ("Ne-Ne", "Ne-Ar", "Ar-Ar"):
        curve = found.curve(name)
        assert curve.error is not None
        far = curve.x > 2
        np.testing.assert_allclose(curve.y[far], 1, atol=0.25)
        deviations = (curve.y - 1)[far] / curve.error[far]
        assert np.sqrt(np.mean(deviations**2)) == pytest.approx(1, abs=0.4)
        assert abs(curve.y[far].mean() - 1) < 0.02
    number = found.curve("Ne-Ar number")
    sphere = 4 / 3 * np.pi * number.x**3 * 40 / abs(np.linalg.det(cell))
    assert number.y[-1] == pytest.approx(sphere[-1], rel=0.02)


def test_water_as_mdanalysis_has_it(make_frames: Callable[..., Frames]) -> None:
    random = np.random.default_rng(1)
    water, edge = molecule("H2O"), 12.0
    spots = np.stack(np.meshgrid(*[np.arange(3) * edge / 3] * 3), axis=-1).reshape(-1, 3)
    atoms = Atoms("OH2" * 27, np.concatenate([water.positions + spot for spot in spots]), cell=[edge] * 3, pbc=True)
    moves = np.repeat(random.normal(scale=0.6, size=(20, 27, 3)), 3, axis=1)
    frames = make_frames(atoms, atoms.positions + moves)
    found = rdf(frames, pairs="O-O,O-H", width_A=0.1)
    oxygens, hydrogens = (frames.universe.select_atoms(f"element {name}") for name in "OH")
    bins, reach = len(found.curve("O-O").x), 6.0
    for name, pair, block in (("O-O", (oxygens, oxygens), (1, 1)), ("O-H", (oxygens, hydrogens), (1, 2))):
        theirs = InterRDF(*pair, nbins=bins, range=(0, reach), exclusion_block=block).run()
        np.testing.assert_allclose(found.curve(name).y, theirs.results.rdf, rtol=1e-4, atol=1e-6)


def test_a_part_of_the_atoms_gives_the_same(make_frames: Callable[..., Frames]) -> None:
    random = np.random.default_rng(0)
    atoms = Atoms("Ne60Ar40", random.uniform(size=(100, 3)) * 15, cell=[15] * 3, pbc=True)
    pairs = np.stack([np.arange(60, 99, 2), np.arange(61, 100, 2)], axis=1)  # argon in pairs
    frames = make_frames(atoms, random.uniform(size=(60, 100, 3)) * 15, pairs=pairs)
    whole, part = rdf(frames, width_A=0.5), rdf(frames, width_A=0.5, most_pairs=60 * 200)
    assert "one in" not in " ".join(whole.notes) and "Ar-Ar: one in" in " ".join(part.notes)
    for name in ("Ne-Ne", "Ne-Ar", "Ar-Ar"):
        one, other = whole.curve(name), part.curve(name)
        assert one.error is not None and other.error is not None
        far = one.x > 3
        assert np.abs((other.y - 1)[far] / other.error[far]).max() < 5
        assert other.error[far].mean() > one.error[far].mean()
        assert np.average(other.y[far], weights=one.x[far] ** 2) == pytest.approx(1, abs=0.05)


def test_shells_of_a_crystal(make_frames: Callable[..., Frames]) -> None:
    """Twelve neighbours at a / sqrt 2 in a face-centred lattice, then six at a."""
    atoms = bulk("Cu", "fcc", a=3.6, cubic=True) * (4, 4, 4)
    random = np.random.default_rng(0)
    frames = make_frames(atoms, atoms.positions + random.normal(scale=0.06, size=(12, 256, 3)), pairs=NONE)
    found = rdf(frames)
    assert found.value("Cu-Cu first peak at").value == pytest.approx(3.6 / np.sqrt(2), abs=0.02)
    around = found.value("Cu-Cu Cu around Cu up to the minimum")
    assert around.value == pytest.approx(12, abs=0.01) and around.error < 0.1


def test_pairs_of_one_molecule(make_frames: Callable[..., Frames]) -> None:
    water = molecule("H2O")
    atoms = Atoms("OH2OH2", np.concatenate([water.positions, water.positions + 5]), cell=[12] * 3, pbc=True)
    frames = make_frames(atoms, np.repeat(atoms.positions[None], 5, axis=0))
    inside = rdf(frames, pairs="O-H", within_molecules=True).curve("O-H number")
    assert np.interp(1.2, inside.x, inside.y) == pytest.approx(2)
    assert rdf(frames, pairs="O-H").curve("O-H number").y[inside.x < 3].max() == 0


def test_mistakes(make_frames: Callable[..., Frames]) -> None:
    atoms = Atoms("Ne2", [[0, 0, 0], [0, 0, 5.0]], cell=[10, 10, 10], pbc=True)
    frames = make_frames(atoms, np.repeat(atoms.positions[None], 3, axis=0), pairs=NONE)
    with pytest.raises(HelioError, match="range of 6 A is beyond half of the box"):
        rdf(frames, range_A=6.0)
    with pytest.raises(HelioError, match="Ne-Xe is no pair of elements"):
        rdf(frames, pairs="Ne-Xe")


def test_without_a_box(make_frames: Callable[..., Frames]) -> None:
    frames = make_frames(molecule("H2O"), np.repeat(molecule("H2O").positions[None], 3, axis=0))
    with pytest.raises(HelioError, match="no periodic box"):
        rdf(frames)
