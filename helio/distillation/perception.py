"""Bond orders and formal charges of a structure with all its hydrogens.

What elements and numbers of neighbours leave open is a problem of whole numbers: double bonds and charges such that
every atom has its usual valence, with as few charges as possible.

    minimise  sum_i c_i z_i   such that   sum_j x_ij = d_i + s_i z_i

| symbol | variable |
|---|---|
| x_ij | extra bonds between i and j: 0 single, 1 double, 2 triple |
| d_i | how many extra bonds the atom has: `Valence.extra` |
| z_i | 1 if it has a charge, too: `Valence.charge`, at a cost of c_i |
| s_i | how many more bonds it then has: `Valence.change` |

Shells are taken to be closed: an oxygen at the end of a single bond is an anion. A molecule without a solution, such as
one with a carbon radical or missing hydrogens, or with atoms that are too far apart for a bond and too close for none,
has no orders and no charges: nothing is guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from jaxtyping import Bool, Float, Int
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from helio.simulate.bonds import bonds, make_whole


class Valence(NamedTuple):
    """What an atom with a certain number of neighbours needs."""

    extra: int = 0  # bonds besides one to each neighbour
    fixed: int = 0  # charge that it has in any case, in e
    charge: int = 0  # charge that it can have besides, in e
    change: int = 0  # of the extra bonds, if it has


# By element and number of neighbours; anything else is not known. A charge of N costs less than one of O, so that
# nitro groups have one of each.
_VALENCES = {
    (1, 1): Valence(),
    (6, 4): Valence(),
    (6, 3): Valence(1),
    (6, 2): Valence(2),
    (7, 4): Valence(fixed=1),
    (7, 3): Valence(charge=1, change=1),
    (7, 2): Valence(1),
    (7, 1): Valence(2),
    (8, 3): Valence(fixed=1),
    (8, 2): Valence(),
    (8, 1): Valence(1, charge=-1, change=-1),
    (15, 3): Valence(),
    (15, 4): Valence(1),
    (16, 1): Valence(1, charge=-1, change=-1),
    (16, 2): Valence(),
    (16, 3): Valence(1, charge=1, change=-1),
    (16, 4): Valence(2),
    (9, 0): Valence(fixed=-1),
    (9, 1): Valence(),
    (17, 0): Valence(fixed=-1),
    (17, 1): Valence(),
}
_COSTS = {-1: 1.0, 1: 0.9}
# Degrees. The angles around a carbon with three neighbours sum up to 360 where it has a double bond and 328 where a
# hydrogen is missing; with two neighbours it is straight, or lacks two.
_FLAT, _STRAIGHT = 336.0, 145.0
# Bonds are shorter than this times the sum of the covalent radii, contacts longer than what `bonds` takes for a bond.
_LONGEST = 1.2


@dataclass(frozen=True)
class Bonded:
    """A structure with bonds; whole molecules, which may reach over the boundaries of the cell."""

    atoms: Atoms
    pairs: Int[np.ndarray, "P 2"]
    orders: Int[np.ndarray, " P"]
    charges: Int[np.ndarray, " N"]  # formal, in e
    molecules: Int[np.ndarray, " N"]  # number of the molecule of each atom
    known: Bool[np.ndarray, " N"]  # False for the atoms of molecules that are not understood


def perceive(atoms: Atoms) -> Bonded:
    """Bonds from distances, orders and charges from valences."""
    whole = make_whole(atoms)
    pairs = _nearest_alone(whole, bonds(whole)[0])
    count = len(whole)
    graph = coo_array((np.ones(len(pairs)), pairs.T), shape=(count, count))
    number, molecules = connected_components(graph, directed=False)
    degrees = np.bincount(pairs.ravel(), minlength=count)
    valences = [_VALENCES.get((int(z), int(d))) for z, d in zip(whole.numbers, degrees, strict=True)]
    wrong = np.array([valence is None for valence in valences]) | _bent(whole, pairs, degrees)
    wrong[pairs[_lengths(whole, pairs) > _LONGEST * covalent_radii[whole.numbers[pairs]].sum(axis=1)]] = True
    understood = np.ones(number, bool)
    understood[molecules[wrong]] = False
    usual = [valence or Valence() for valence in valences]
    orders, charges = np.ones(len(pairs), int), np.array([valence.fixed for valence in usual])
    open_atoms = np.array([bool(valence.extra or valence.charge) for valence in usual])
    of_pairs = molecules[pairs[:, 0]]
    for molecule in np.unique(molecules[open_atoms & understood[molecules]]):
        chosen = np.flatnonzero((of_pairs == molecule) & open_atoms[pairs].all(axis=1))
        members = np.flatnonzero((molecules == molecule) & open_atoms)
        solved = _solved(members, pairs[chosen], [usual[i] for i in members])
        if solved is None:
            understood[molecule] = False
            continue
        orders[chosen] += solved[0]
        charges[members] += solved[1]
    return Bonded(whole, pairs, orders, charges, molecules, understood[molecules])


def _solved(
    members: np.ndarray, pairs: np.ndarray, valences: list[Valence]
) -> tuple[Int[np.ndarray, " P"], Int[np.ndarray, " M"]] | None:
    """Extra bonds and charges of the atoms of a molecule that have a choice; None where there is no solution."""
    ends = np.searchsorted(members, pairs)
    bonds_, atoms_ = len(pairs), len(members)
    extra, _, charge, change = np.array(valences).T
    rows = np.concatenate([ends[:, 0], ends[:, 1], np.arange(atoms_)])
    columns = np.concatenate([np.arange(bonds_), np.arange(bonds_), bonds_ + np.arange(atoms_)])
    values = np.concatenate([np.ones(2 * bonds_), -change])
    matrix = coo_array((values, (rows, columns)), shape=(atoms_, bonds_ + atoms_)).tocsr()
    most: Any = np.concatenate([np.full(bonds_, 2), np.abs(charge)])
    costs = np.concatenate([np.zeros(bonds_), [_COSTS.get(value, 0.0) for value in charge.tolist()]])
    found = milp(
        costs,
        integrality=np.ones(len(costs)),
        bounds=Bounds(0, most),
        constraints=LinearConstraint(matrix, extra, extra),
    )
    if found.x is None:
        return None
    whole = np.rint(found.x).astype(int)
    return whole[:bonds_], whole[bonds_:] * charge


def _nearest_alone(atoms: Atoms, pairs: np.ndarray) -> np.ndarray:
    """The pairs without those between a hydrogen and any atom but its nearest."""
    lengths = _lengths(atoms, pairs)
    nearest = np.full(len(atoms), np.inf)
    np.minimum.at(nearest, pairs.ravel(), np.repeat(lengths, 2))
    hydrogen = atoms.numbers[pairs] == 1
    return pairs[~(hydrogen & (lengths[:, None] > nearest[pairs])).any(axis=1)]


def _lengths(atoms: Atoms, pairs: np.ndarray) -> Float[np.ndarray, " P"]:
    return np.linalg.norm(atoms.positions[pairs[:, 0]] - atoms.positions[pairs[:, 1]], axis=1)


def _bent(atoms: Atoms, pairs: np.ndarray, degrees: np.ndarray) -> Bool[np.ndarray, " N"]:
    """Carbons with too few neighbours for their shape: where hydrogens are missing."""
    directed = np.concatenate([pairs, pairs[:, ::-1]])
    directed = directed[np.argsort(directed[:, 0], kind="stable")]
    begin = np.searchsorted(directed[:, 0], np.arange(len(atoms)))
    found = np.zeros(len(atoms), bool)
    for atom in np.flatnonzero((atoms.numbers == 6) & np.isin(degrees, (2, 3))):
        arms: Float[np.ndarray, "D 3"] = (
            atoms.positions[directed[begin[atom] : begin[atom] + degrees[atom], 1]] - atoms.positions[atom]
        )
        arms = arms / np.linalg.norm(arms, axis=1)[:, None]
        first, second = np.triu_indices(len(arms), 1)
        angles = np.degrees(np.arccos(np.clip(np.sum(arms[first] * arms[second], axis=1), -1, 1)))
        found[atom] = angles.sum() < (_FLAT if len(arms) == 3 else _STRAIGHT)
    return found
