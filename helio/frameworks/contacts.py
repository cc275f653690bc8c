"""How close atoms come that are not bonded."""

from __future__ import annotations

import numpy as np

from helio.frameworks.crystal import Crystal
from helio.frameworks.elements import is_metal, radii

LEAST_BOND, LONGEST_BOND = 0.8, 1.3  # of the bonds that join blocks, of the sum of the covalent radii
LEAST_CONTACT = 1.2  # of atoms that are not bonded; those of a carbon chain, two bonds apart, have 1.6
_LEAST_METAL_CONTACT = 0.7  # of metals, which come close to each other and to what their ligands hold


def least_contact(crystal: Crystal, *, cutoff: float = 3.0) -> float:
    """Smallest ratio of a distance to the sum of the covalent radii, over all pairs without a bond.

    Args:
        crystal: whose bonds are left out, by pair and image.
        cutoff: A; pairs farther apart are not looked at.

    Returns:
        The ratio, infinite where there is no such pair.
    """
    i, j, distances = _unbonded(crystal, cutoff)
    own = radii(crystal.numbers)
    return float((distances / (own[i] + own[j])).min(initial=np.inf))


def room(crystal: Crystal, *, cutoff: float = 3.0) -> float:
    """Smallest ratio of a distance to the least that it may be (`least_distances`); below 1, atoms overlap."""
    i, j, distances = _unbonded(crystal, cutoff)
    return float((distances / least_distances(crystal.numbers[i], crystal.numbers[j])).min(initial=np.inf))


def _unbonded(crystal: Crystal, cutoff: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs within the cutoff that no bond joins, each from both atoms, and their distances."""
    import vesin

    options = {"points": crystal.positions, "box": crystal.cell, "periodic": True}
    i, j, shifts, distances = vesin.NeighborList(cutoff=cutoff, full_list=True).compute(**options, quantities="ijSd")
    i, j, shifts = i.astype(np.int64), j.astype(np.int64), shifts.astype(np.int64)
    bonds, images = crystal.bonds.astype(np.int64), crystal.images.astype(np.int64)
    a, b = bonds.T
    bonded = np.concatenate([_codes(a, b, images, len(crystal)), _codes(b, a, -images, len(crystal))])
    free = ~np.isin(_codes(i, j, shifts, len(crystal)), bonded)
    return i[free], j[free], distances[free]


def least_distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """How close atoms of these elements may come without a bond, A."""
    metal = is_metal(one) | is_metal(other)
    return np.where(metal, _LEAST_METAL_CONTACT, LEAST_CONTACT) * (radii(one) + radii(other))


def _codes(i: np.ndarray, j: np.ndarray, images: np.ndarray, count: int) -> np.ndarray:
    """One whole number for each pair and image."""
    code = i * count + j
    for axis in range(3):
        code = code * 64 + images[:, axis] + 32
    return code
