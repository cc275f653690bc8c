"""Bonds of a crystal from the distances of its atoms."""

from __future__ import annotations

import numpy as np

from helio.frameworks.crystal import Crystal
from helio.frameworks.elements import is_metal, radii

_TOLERANCE = 0.3  # A beyond the sum of the covalent radii; of the distances in crystals, few bonds are longer
_METAL_TOLERANCE = 0.5  # A; bonds of metals vary more, such as the long ones of copper
_LARGEST_RADIUS = 2.6  # A, caesium's with some room


def find_bonds(crystal: Crystal) -> Crystal:
    """The same crystal with the bonds that its distances say.

    Two atoms are bonded where they are no farther apart than the sum of their covalent radii and 0.3 A, or 0.5 A with a
    metal. Metals do not bond each other or hydrogen, and a hydrogen atom has one bond, its shortest.
    """
    import vesin

    own = radii(crystal.numbers)
    cutoff = 2 * min(_LARGEST_RADIUS, float(own.max())) + _METAL_TOLERANCE
    options = {"points": crystal.positions, "box": crystal.cell, "periodic": True}
    i, j, images, distances = vesin.NeighborList(cutoff=cutoff, full_list=False).compute(**options, quantities="ijSd")
    i, j = i.astype(np.int64), j.astype(np.int64)
    metal, hydrogen = is_metal(crystal.numbers), crystal.numbers == 1
    metals, hydrogens = metal[i] + metal[j].astype(int), hydrogen[i] + hydrogen[j].astype(int)
    tolerance = np.where(metals > 0, _METAL_TOLERANCE, _TOLERANCE)
    bonded = (distances <= own[i] + own[j] + tolerance) & (metals < 2) & (hydrogens < 2) & ((metals + hydrogens) < 2)
    order = np.argsort(distances, kind="stable")
    taken: set[int] = set()
    for pair in order[bonded[order] & (hydrogens[order] == 1)]:
        atom = int(i[pair] if hydrogen[i[pair]] else j[pair])
        bonded[pair] = atom not in taken
        taken.add(atom)
    return Crystal(
        name=crystal.name,
        cell=crystal.cell,
        numbers=crystal.numbers,
        positions=crystal.positions,
        bonds=np.column_stack([i, j])[bonded].astype(np.int32),
        images=images[bonded].astype(np.int32),
    )
