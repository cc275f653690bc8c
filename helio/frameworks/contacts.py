"""How close atoms come that are not bonded."""

from __future__ import annotations

import numpy as np

from helio.frameworks.crystal import Crystal
from helio.frameworks.elements import radii


def least_contact(crystal: Crystal, *, cutoff: float = 3.0) -> float:
    """Smallest ratio of a distance to the sum of the covalent radii, over all pairs without a bond.

    Args:
        crystal: whose bonds are left out, by pair and image.
        cutoff: A; pairs farther apart are not looked at.

    Returns:
        The ratio, infinite where there is no such pair.
    """
    import vesin

    options = {"points": crystal.positions, "box": crystal.cell, "periodic": True}
    i, j, shifts, distances = vesin.NeighborList(cutoff=cutoff, full_list=True).compute(**options, quantities="ijSd")
    i, j, shifts = i.astype(np.int64), j.astype(np.int64), shifts.astype(np.int64)
    bonds, images = crystal.bonds.astype(np.int64), crystal.images.astype(np.int64)
    bonded = np.concatenate([_codes(*bonds.T, images, len(crystal)), _codes(*bonds.T[::-1], -images, len(crystal))])
    free = ~np.isin(_codes(i, j, shifts, len(crystal)), bonded)
    own = radii(crystal.numbers)
    return float((distances / (own[i] + own[j]))[free].min(initial=np.inf))


def _codes(i: np.ndarray, j: np.ndarray, images: np.ndarray, count: int) -> np.ndarray:
    """One whole number for each pair and image."""
    code = i * count + j
    for axis in range(3):
        code = code * 64 + images[:, axis] + 32
    return code
