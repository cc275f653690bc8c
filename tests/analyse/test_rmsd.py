"""Superposition, RMSD, RMSF and radius of gyration against MDAnalysis and closed forms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from MDAnalysis.analysis import rms
from scipy.spatial.transform import Rotation

from helio.analyse import Frames, open_frames
from helio.analyse.rmsd import rmsd_between_times, structural_change
from helio.analyse.segments import segments, solute, waters
from helio.analyse.superposition import centred, mean_structure, rmsd, superposed
from helio.errors import HelioError
from tests.analyse.biomolecules import MALTOSE, peptide, shaken, sugar
from tests.analyse.conftest import write_run

MakeFrames = Callable[..., Frames]


def test_rmsd_is_that_of_mdanalysis_and_ignores_rigid_motion() -> None:
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, 30, 11, 3))
    turned = np.stack([r.apply(x) for r, x in zip(Rotation.random(30, random), a, strict=True)])
    turned += np.array([1.0, -7.0, 3.0])
    expected = [rms.rmsd(x, y, superposition=True) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(rmsd(a, b), expected, rtol=1e-6)
    np.testing.assert_allclose(rmsd(turned, b), expected, rtol=1e-6)
    np.testing.assert_allclose(rmsd(turned, a), 0, atol=1e-6)
    mirrored = a * [1, 1, -1]
    assert (rmsd(mirrored, a) > 0.1).all()  # no reflection is allowed


def test_superposed_structures_have_that_rmsd() -> None:
    random = np.random.default_rng(1)
    a, b = random.normal(size=(5, 8, 3)), centred(random.normal(size=(8, 3)))
    left = np.sqrt(np.square(superposed(a, b) - b).sum(axis=2).mean(axis=1))
    np.testing.assert_allclose(left, rmsd(a, b), rtol=1e-10)


def test_mean_of_turned_copies_is_the_structure() -> None:
    random = np.random.default_rng(2)
    structure = centred(random.normal(size=(9, 3)))
    copies = np.stack([r.apply(structure) for r in Rotation.random(6, random)])
    np.testing.assert_allclose(rmsd(mean_structure(copies), structure), 0, atol=1e-6)


def test_rmsd_between_times_of_steady_growth() -> None:
    """Scaled by 1 + t v, a structure is dt v R_g away from itself, with R_g not weighted by masses."""
    structure = centred(np.random.default_rng(3).normal(size=(12, 3)))
    speed = 0.003
    positions = structure * (1 + speed * np.arange(101))[:, None, None]
    delays, means, errors = rmsd_between_times(positions)
    gyration = np.sqrt(np.square(structure).sum(axis=1).mean())
    np.testing.assert_allclose(means, speed * delays * gyration, rtol=1e-9)
    assert (delays[0], delays[-1]) == (1, 50)
    np.testing.assert_allclose(errors, 0, atol=1e-9)


def test_values_are_those_of_mdanalysis(make_frames: MakeFrames) -> None:
    atoms = peptide("AAA")
    frames = make_frames(atoms, shaken(atoms, 30, size=0.2))
    found = structural_change(frames)
    universe = frames.universe
    heavy = universe.select_atoms("not element H")
    run = rms.RMSD(heavy).run()
    np.testing.assert_allclose(found.curve("RMSD, all").y, run.results.rmsd[:, 2], atol=2e-5)
    gyration = [heavy.radius_of_gyration() for _ in universe.trajectory]
    np.testing.assert_allclose(found.curve("radius of gyration, all").y, gyration, rtol=1e-5)
    # Atoms that move by `size` in each direction fluctuate by sqrt(3) size, less what superposition takes.
    count = len(heavy)
    assert found.value("RMSF, all").value == pytest.approx(0.2 * np.sqrt(3 * (1 - 6 / (3 * count))), rel=0.05)
    assert found.value("RMSF, all").error == pytest.approx(0.2 * np.sqrt(1 / (2 * 30 * count)), rel=1.0)


def test_fluctuations_are_those_of_mdanalysis(make_frames: MakeFrames) -> None:
    atoms = sugar(MALTOSE)
    frames = make_frames(atoms, shaken(atoms, 20, size=0.2))
    curve = structural_change(frames).curve("RMSF, all")
    heavy = frames.universe.select_atoms("not element H")
    positions = np.array([heavy.positions for _ in frames.universe.trajectory])
    aligned = superposed(positions, mean_structure(positions))
    expected = np.sqrt(np.square(aligned - aligned.mean(axis=0)).sum(axis=2).mean(axis=0))
    np.testing.assert_allclose(curve.y, expected, rtol=1e-4)
    assert curve.x_label == "atom"


def test_parts_of_a_solution(make_frames: MakeFrames) -> None:
    protein, carbohydrate, water = peptide("AAA"), sugar(MALTOSE), molecule("H2O")
    sodium = Atoms("Na", [[0.0, 0.0, 0.0]])
    parts, shift = [], 0.0
    for part in (protein, carbohydrate, *[water] * 12, sodium):
        part = part.copy()
        part.positions += [shift, 0.0, 0.0]
        shift += np.ptp(part.positions[:, 0]) + 4.0
        number = len({n for p in parts for n in p.arrays["residuenumbers"]}) + 1
        if "residuenumbers" not in part.arrays:
            part.arrays["residuenumbers"] = np.full(len(part), number)
            part.arrays["residuenames"] = np.full(len(part), "UNK")
            part.arrays["atomtypes"] = np.array(part.get_chemical_symbols())
        parts.append(part)
    atoms = parts[0]
    for part in parts[1:]:
        atoms += part
    frames = make_frames(atoms, shaken(atoms, 3, size=0.01))
    inside = np.arange(len(protein) + len(carbohydrate))
    np.testing.assert_array_equal(solute(frames), inside)
    assert waters(frames).shape == (12, 3)
    found = segments(frames)
    heavy = atoms.numbers[inside] > 1
    np.testing.assert_array_equal(found["protein"], inside[: len(protein)][heavy[: len(protein)]])
    np.testing.assert_array_equal(found["carbohydrate"], inside[len(protein) :][heavy[len(protein) :]])
    assert set(found) == {"protein", "carbohydrate", "all"}


def test_reference(tmp_path: Path) -> None:
    atoms = peptide("AAA")
    frames = open_frames(write_run(tmp_path / "run", atoms, shaken(atoms, 5)))
    reference = tmp_path / "reference.pdb"
    turned = atoms.copy()
    turned.rotate(50, (1, 2, 3))
    turned.write(reference)
    found = structural_change(frames, reference=str(reference))
    heavy = atoms.numbers > 1
    expected = rmsd(shaken(atoms, 5)[:, heavy], atoms.positions[heavy])
    np.testing.assert_allclose(found.curve("RMSD, all").y, expected, atol=2e-3)  # the file has three decimals
    atoms[:-1].write(reference)
    with pytest.raises(HelioError, match="does not hold the atoms"):
        structural_change(frames, reference=str(reference))


def test_only_water(make_frames: MakeFrames) -> None:
    water = molecule("H2O")
    with pytest.raises(HelioError, match="no solute"):
        structural_change(make_frames(water, shaken(water, 3)))
