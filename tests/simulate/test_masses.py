"""Heavier hydrogens: what stays the same, and what is refused."""

from __future__ import annotations

import ase.build
import numpy as np
import pytest
from ase import Atoms

from helio.errors import HelioError
from helio.simulate.masses import repartitioned


def test_molecules_keep_their_mass():
    ethanol, water = ase.build.molecule("CH3CH2OH"), ase.build.molecule("H2O")
    water.translate([6, 0, 0])
    atoms = ethanol + water
    old = atoms.get_masses()
    new = repartitioned(old, atoms, hydrogen_mass=3.0)
    np.testing.assert_array_equal(new[atoms.numbers == 1], 3.0)
    for molecule in (slice(0, 9), slice(9, 12)):
        assert new[molecule].sum() == pytest.approx(old[molecule].sum(), abs=1e-12)
    # CH3 gives three times 3 - 1.008, the CH2 twice, OH once.
    np.testing.assert_allclose(old[:3] - new[:3], [3 * 1.992, 2 * 1.992, 1.992])
    np.testing.assert_array_equal(old, atoms.get_masses())

    dry = repartitioned(old, atoms, hydrogen_mass=3.0, repartition_water=False)
    np.testing.assert_array_equal(dry[9:], old[9:])
    np.testing.assert_array_equal(dry[:9], new[:9])


def test_bonds_across_a_boundary_count():
    water = Atoms("OH2", ase.build.molecule("H2O").positions, cell=[8, 8, 8], pbc=True)
    whole = repartitioned(water.get_masses(), water, hydrogen_mass=2.5)
    water.wrap()
    np.testing.assert_array_equal(repartitioned(water.get_masses(), water, hydrogen_mass=2.5), whole)


def test_mistakes_are_explained():
    methane = ase.build.molecule("CH4")
    masses = methane.get_masses()
    with pytest.raises(HelioError, match=r"atom 0 \(C\) would keep only 0.04 amu"):
        repartitioned(masses, methane, hydrogen_mass=4.0)
    with pytest.raises(HelioError, match="must not become lighter"):
        repartitioned(masses, methane, hydrogen_mass=1.0)
    with pytest.raises(HelioError, match="hydrogen 0 has no heavy neighbour"):
        repartitioned(np.ones(2), Atoms("H2", [[0, 0, 0], [0, 0, 0.74]]), hydrogen_mass=2.0)
