"""Covalent bonds of a structure, guessed from distances, and what follows from them.

Two atoms are bonded if they are closer than 1.3 times the sum of their covalent radii (Cordero et al., Dalton Trans.
2832 (2008), as tabulated in ASE). Metals of groups 1 and 2 are ions and have no bonds.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from ase import Atoms
from ase.data import covalent_radii

from helio.errors import HelioError
from helio.neighbors import host_list

# 1.3 tells bonds from contacts with room on both sides, also in a strained start structure: O-H 1.26 A (bond 0.96,
# hydrogen bonds above 1.5), C-C 1.98 (1.54, contacts above 2.9), S-S 2.73 (2.05, contacts above 3.2).
_REACH = 1.3
# A hydrogen whose second neighbour is less than this factor further away than the first is shared between both.
_SHARED = 1.1
_IONS = (3, 11, 19, 37, 55, 4, 12, 20, 38, 56)


def bonds(atoms: Atoms) -> tuple[np.ndarray, np.ndarray]:
    """Bonded pairs (P, 2), each once, i < j, and the shifts (P, 3) in cells: r_j - r_i + shift @ cell is the bond."""
    radii = np.where(np.isin(atoms.numbers, _IONS), 0, covalent_radii[atoms.numbers])
    made = host_list(
        atoms.positions,
        atoms.cell.array,
        (bool(atoms.pbc[0]), bool(atoms.pbc[1]), bool(atoms.pbc[2])),
        cutoff=2 * _REACH * float(radii.max(initial=0.3)),
    )
    half = np.asarray(made.half)
    first, column = half[half[:, 0] < len(atoms)].T
    second = np.asarray(made.index)[first, column]
    shifts = np.zeros((len(first), 3), int) if made.shift is None else np.asarray(made.shift)[first, column].astype(int)
    vectors = atoms.positions[second] - atoms.positions[first] + shifts @ atoms.cell.array
    reach = np.where(radii[first] * radii[second] > 0, _REACH * (radii[first] + radii[second]), 0)
    bonded = np.linalg.norm(vectors, axis=1) < reach
    pairs, shifts = np.stack([first, second], axis=1)[bonded].astype(int), shifts[bonded]
    turned = pairs[:, 0] > pairs[:, 1]
    pairs[turned], shifts[turned] = pairs[turned][:, ::-1], -shifts[turned]
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    return pairs[order], shifts[order]


def make_whole(atoms: Atoms) -> Atoms:
    """A copy in which no bond crosses a boundary: atoms move by whole cells, the first atom of a molecule stays.

    In networks that go on for ever a few bonds must cross, though never those of atoms with one bond alone.
    """
    pairs, shifts = bonds(atoms)
    whole = atoms.copy()
    if not shifts.any():
        return whole
    directed, shift = np.concatenate([pairs, pairs[:, ::-1]]), np.concatenate([shifts, -shifts])
    order = np.argsort(directed[:, 0], kind="stable")
    directed, shift = directed[order], shift[order]
    begin = np.searchsorted(directed[:, 0], np.arange(len(atoms) + 1)).tolist()
    neighbors = directed[:, 1].tolist()
    offset: list[np.ndarray | None] = [None] * len(atoms)
    for root in range(len(atoms)):
        if offset[root] is not None:
            continue
        offset[root] = np.zeros(3, int)
        queue = deque([root])
        while queue:
            here = queue.popleft()
            for place in range(begin[here], begin[here + 1]):
                if offset[neighbors[place]] is None:
                    offset[neighbors[place]] = offset[here] + shift[place]
                    queue.append(neighbors[place])
    whole.positions += np.array(offset) @ atoms.cell.array
    return whole


def hydrogen_bonds(atoms: Atoms) -> tuple[np.ndarray, np.ndarray]:
    """For each hydrogen: its number and that of the heavy atom that carries it, (P, 2), and the shift (P, 3).

    A hydrogen with several atoms in reach belongs to the nearest; one without any, as in H2, is left out.

    Raises:
        HelioError: a hydrogen is shared, about equally far from two atoms.
    """
    pairs, shifts = bonds(atoms)
    directed, shifts = np.concatenate([pairs, pairs[:, ::-1]]), np.concatenate([shifts, -shifts])
    carried = (atoms.numbers[directed[:, 0]] == 1) & (atoms.numbers[directed[:, 1]] != 1)
    directed, shifts = directed[carried], shifts[carried]
    vectors = atoms.positions[directed[:, 1]] - atoms.positions[directed[:, 0]] + shifts @ atoms.cell.array
    distances = np.linalg.norm(vectors, axis=1)
    order = np.lexsort((distances, directed[:, 0]))
    directed, shifts, distances = directed[order], shifts[order], distances[order]

    later = np.flatnonzero(directed[1:, 0] == directed[:-1, 0]) + 1
    second = later[np.isin(later - 1, later, invert=True)]
    shared = second[distances[second] < _SHARED * distances[second - 1]]
    if len(shared):
        hydrogen, carrier = directed[shared[0]]
        other = directed[shared[0] - 1, 1]
        raise HelioError(
            f"hydrogen {hydrogen} lies between atoms {other} and {carrier} ({distances[shared[0] - 1]:.2f} and "
            f"{distances[shared[0]]:.2f} A): it belongs to neither, so its bond cannot be fixed nor its mass changed"
        )
    nearest = np.ones(len(directed), bool)
    nearest[later] = False
    return directed[nearest], shifts[nearest]


def waters(atoms: Atoms) -> np.ndarray:
    """Oxygen and the two hydrogens of every water, (W, 3): oxygens that carry two hydrogens and nothing else.

    Raises:
        HelioError: a hydrogen is shared, about equally far from two atoms.
    """
    pairs, _ = bonds(atoms)
    carried, _ = hydrogen_bonds(atoms)
    heavy = pairs[(atoms.numbers[pairs] != 1).all(axis=1)]
    bare = np.bincount(heavy.ravel(), minlength=len(atoms)) == 0
    hydrogens = np.bincount(carried[:, 1], minlength=len(atoms))
    oxygen = (atoms.numbers == 8) & bare & (hydrogens == 2)
    found = carried[oxygen[carried[:, 1]]]
    found = found[np.lexsort((found[:, 0], found[:, 1]))]
    return np.column_stack([found[::2, 1], found[::2, 0], found[1::2, 0]])
