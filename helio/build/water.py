"""Boxes of water."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from helio.build.assembly import label
from helio.build.packing import Group, cube_for, pack
from helio.errors import HelioError

# Of water at 298 K and 1 bar, g/cm3.
DENSITY = 0.997


def water() -> Atoms:
    """One water molecule in its experimental geometry in the gas (0.9572 A, 104.52 degrees)."""
    half = np.radians(104.52) / 2
    hydrogen = 0.9572 * np.array([np.sin(half), np.cos(half), 0.0])
    positions = [np.zeros(3), hydrogen, hydrogen * [-1, 1, 1]]
    return label(Atoms("OH2", positions, info={"charge": 0, "spin": 0}), "HOH", ["O", "H1", "H2"])


def water_box(molecules: int, *, density: float = DENSITY, seed: int = 0) -> Atoms:
    """A periodic cube of water.

    Args:
        molecules: how many.
        density: in g/cm3; by default that of water at 298 K and 1 bar.
        seed: of the random arrangement.

    Raises:
        HelioError: for a count below one, or a density at which the molecules overlap.
    """
    if molecules < 1:
        raise HelioError(f"a box of water needs at least one molecule, not {molecules}")
    one = water()
    return pack([Group(one, molecules)], cube_for(molecules * one.get_masses().sum(), density), seed=seed)
