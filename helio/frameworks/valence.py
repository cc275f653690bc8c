"""Whether the light part of a crystal has a structure of single, double and triple bonds without loose ends.

Every atom but metals has a valence. What its bonds leave of it must go into double and triple bonds with neighbours
that have some left, too; an atom at a metal may keep it, as an anion or a lone pair does (carboxylate, azolate). The
rest is loose: a radical, a charge far from any metal, or a hydrogen atom that is missing. The best distribution is
found as a linear programme with whole numbers.

    minimise  sum_a loose_a,   loose_a + sum_(bonds of a) x_bond = left_a,   0 <= x_bond <= 2
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array, eye_array, hstack

from helio.frameworks.crystal import Crystal
from helio.frameworks.elements import is_metal

# Usual valences, the smallest that its bonds fit into is taken; atoms of other elements may keep anything.
_VALENCES = {1: (1,), 5: (3, 4), 6: (4,), 7: (3, 4), 8: (2, 3), 9: (1,), 14: (4,), 15: (3, 5), 16: (2, 4, 6), 17: (1,),
             35: (1,), 53: (1,)}  # fmt: skip


def loose_valences(crystal: Crystal) -> int:
    """How many valences are left over in the best distribution of bond orders; 0 in a sound structure."""
    metal = is_metal(crystal.numbers)
    light = crystal.bonds[~metal[crystal.bonds].any(axis=1)]
    to_metal = np.bincount(crystal.bonds[metal[crystal.bonds].any(axis=1)].ravel(), minlength=len(crystal))
    left = np.where(metal, 0.0, _left(crystal.numbers, light))
    carbon = crystal.numbers == 6  # its bonds to metals are bonds; those of others may be lone pairs'
    left[carbon] = np.maximum(0.0, left[carbon] - to_metal[carbon])
    pairs = light[(left[light] > 0).all(axis=1)]
    atoms = np.flatnonzero(left)
    if not len(atoms):
        return 0
    row = np.full(len(crystal), -1)
    row[atoms] = np.arange(len(atoms))
    rows, columns = row[pairs].ravel(), np.repeat(np.arange(len(pairs)), 2)
    incidence = coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(atoms), len(pairs)))
    costs = np.concatenate([np.zeros(len(pairs)), np.where(to_metal[atoms] > 0, 0.0, 1.0)])
    upper = np.concatenate([np.full(len(pairs), 2.0), left[atoms]])
    exactly: Any = left[atoms]  # arrays, of which the types of these arguments know nothing
    lowest: Any = np.zeros(len(costs))
    highest: Any = upper
    found = milp(
        costs,
        constraints=LinearConstraint(hstack([incidence, eye_array(len(atoms))]).tocsr(), exactly, exactly),
        bounds=Bounds(lowest, highest),
        integrality=np.ones(len(costs)),
    )
    return round(float(found.fun))


def _left(numbers: np.ndarray, light: np.ndarray) -> np.ndarray:
    """What single bonds leave of each atom's valence."""
    degrees = np.bincount(light.ravel(), minlength=len(numbers))
    left = np.zeros(len(numbers))
    for atom, (number, degree) in enumerate(zip(numbers.tolist(), degrees.tolist(), strict=True)):
        valence = next((value for value in _VALENCES.get(number, ()) if value >= degree), degree)
        left[atom] = valence - degree
    ends = np.bincount(light[degrees[light[:, ::-1]] * (numbers[light[:, ::-1]] == 8) == 1], minlength=len(numbers))
    # In oxides of nitrogen, phosphorus and sulphur each oxygen at an end has a double bond: nitro, sulphone.
    for atom in np.flatnonzero(ends):
        if numbers[atom] == 7 and degrees[atom] == 3:
            left[atom] = min(ends[atom], 2)
        elif numbers[atom] in (15, 16):
            left[atom] = max(left[atom], {15: 5, 16: 6}[int(numbers[atom])] - degrees[atom])
    return left
