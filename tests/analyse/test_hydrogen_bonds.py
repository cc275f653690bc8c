"""Hydrogen bonds of known geometry, and those that MDAnalysis finds."""

from __future__ import annotations

from collections.abc import Callable

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from MDAnalysis.analysis.hydrogenbonds import HydrogenBondAnalysis

from helio.analyse import Frames
from helio.analyse.hydrogen_bonds import bonded, hydrogen_bonds
from helio.analyse.segments import waters
from helio.errors import HelioError
from tests.analyse.biomolecules import peptide, shaken
from tests.conftest import REFERENCE

MakeFrames = Callable[..., Frames]


def test_bonds_of_water_are_those_of_mdanalysis(make_frames: MakeFrames) -> None:
    atoms = ase.io.read(REFERENCE / "water_64.extxyz")
    assert isinstance(atoms, Atoms)
    frames = make_frames(atoms, shaken(atoms, 3, size=0.05))
    theirs = HydrogenBondAnalysis(
        frames.universe,
        donors_sel=None,  # what carries the hydrogen, by the bonds
        hydrogens_sel="element H",
        acceptors_sel="element O",
        d_a_cutoff=3.5,
        d_h_a_angle_cutoff=150,
    ).run()
    oxygen, first, second = waters(frames).T
    for i, moment in enumerate(frames):
        found = bonded(
            moment.positions,
            np.concatenate([oxygen, oxygen]),
            np.concatenate([first, second]),
            oxygen,
            distance=3.5,
            angle=150.0,
            dimensions=moment.dimensions,
        )
        expected = theirs.results.hbonds[theirs.results.hbonds[:, 0] == i][:, 1:4].astype(int)
        assert len(found) > 30
        assert {tuple(row) for row in found.tolist()} == {tuple(row) for row in expected.tolist()}


def test_directions(make_frames: MakeFrames) -> None:
    """Methanol gives its hydrogen to one water and takes one from another, which then turns away."""
    methanol, water = molecule("CH3OH"), molecule("H2O")
    oxygen = int(np.flatnonzero(methanol.numbers == 8)[0])
    hydrogens = np.flatnonzero(methanol.numbers == 1)
    hydrogen = hydrogens[np.argmin(methanol.get_distances(oxygen, hydrogens))]
    along = methanol.positions[hydrogen] - methanol.positions[oxygen]
    along /= np.linalg.norm(along)
    taking, giving = water.copy(), water.copy()
    taking.positions += methanol.positions[oxygen] + 2.9 * along - water.positions[0]
    # A hydrogen of the other water points back at the oxygen.
    bond = water.positions[1] - water.positions[0]
    giving.rotate(bond, along, center=tuple(water.positions[0]))
    giving.positions += methanol.positions[oxygen] - 2.9 * along - water.positions[0]
    system = methanol + taking + giving
    away = system.positions.copy()
    away[-3:] -= 1.5 * along
    found = hydrogen_bonds(make_frames(system, np.stack([system.positions, away])))
    np.testing.assert_array_equal(found.curve("solute → water").y, [1, 1])
    np.testing.assert_array_equal(found.curve("water → solute").y, [1, 0])
    np.testing.assert_array_equal(found.curve("solute - water").y, [2, 1])
    np.testing.assert_array_equal(found.curve("solute - solute").y, [0, 0])


def test_bonds_of_a_helix_are_those_of_mdanalysis(make_frames: MakeFrames) -> None:
    atoms = peptide("A" * 15)
    frames = make_frames(atoms, shaken(atoms, 6, size=0.1))
    found = hydrogen_bonds(frames, distance_A=3.6, angle_deg=130.0)
    theirs = HydrogenBondAnalysis(
        frames.universe,
        donors_sel=None,
        hydrogens_sel="element H and bonded element N",
        acceptors_sel="element N O",
        d_a_cutoff=3.6,
        d_h_a_angle_cutoff=130,
    ).run()
    assert theirs.count_by_time().min() > 1
    np.testing.assert_array_equal(found.curve("solute - solute").y, theirs.count_by_time())
    assert [curve.name for curve in found.curves] == ["solute - solute"]


def test_ammonium_takes_none(make_frames: MakeFrames) -> None:
    ammonium = Atoms("NH4", [[0, 0, 0], [0.6, 0.6, 0.6], [-0.6, -0.6, 0.6], [-0.6, 0.6, -0.6], [0.6, -0.6, -0.6]])
    with pytest.raises(HelioError, match="no solute with N, O"):
        hydrogen_bonds(make_frames(ammonium, ammonium.positions[None]))


def test_criteria_beyond_reason(make_frames: MakeFrames) -> None:
    atoms = peptide("AAA")
    with pytest.raises(HelioError, match="distance above 0"):
        hydrogen_bonds(make_frames(atoms, shaken(atoms, 2)), distance_A=-1.0)
