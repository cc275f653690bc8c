"""Fragments of large systems, whose cut bonds end in hydrogens, after GEMS (Unke et al., Sci. Adv. 10, eadn4397, 2024).

A system is a row of *blocks* that are never cut: what is left in one piece without its single bonds between two
carbons, one of which is saturated, outside of small rings. So rings, multiple bonds, amides, acids, phosphates and
molecules of water stay whole. Fragments are unions of blocks:

- top-down: all blocks that reach into a sphere around an atom, with their places in the system;
- bottom-up: all bonded unions of up to so many heavy atoms, as molecules without a place.

A cut bond becomes one to hydrogen, along the same direction, at its usual length.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.geometry import find_mic
from jaxtyping import Bool, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from helio.distillation.perception import Bonded, perceive
from helio.errors import HelioError
from helio.packages import need

# A; C-H in alkanes, CRC Handbook of Chemistry and Physics. Only bonds between carbons are cut.
CAP_LENGTH = 1.09
# Atoms; what rings up to this size belong together. Larger ones, as through disulfide bridges, may be cut.
_SMALL_RING = 8
# Unions of blocks that are looked at for one system, at most.
_MOST_UNIONS = 200_000


@dataclass(frozen=True)
class Blocks:
    """A system in pieces."""

    system: Bonded
    cuts: Int[np.ndarray, "C 2"]  # atoms of the bonds that may be cut
    of_atom: Int[np.ndarray, " N"]  # number of the block of each atom

    @classmethod
    def of(cls, atoms: Atoms) -> Blocks:
        """The blocks of a structure with all hydrogens."""
        system = perceive(atoms)
        may = _may_be_cut(system)
        kept = system.pairs[~may]
        graph = coo_array((np.ones(len(kept)), kept.T), shape=(len(atoms), len(atoms)))
        return cls(system, system.pairs[may], connected_components(graph, directed=False)[1])

    def around(self, centre: int, radius: float) -> Int[np.ndarray, " B"]:
        """The blocks with an atom within `radius` (A) of an atom, and those without which caps would collide.

        Raises:
            HelioError: the cell is too small for a sphere of that size.
        """
        atoms = self.system.atoms
        _check_cell(atoms, radius)
        _, distances = _nearest_images(atoms, atoms.positions - atoms.positions[centre])
        return self._filled(np.unique(self.of_atom[distances < radius]))

    def _filled(self, chosen: np.ndarray) -> np.ndarray:
        """With every block that has two cut bonds to the chosen ones, or one and a neighbour that has another."""
        ends = self.of_atom[self.cuts]
        while True:
            inside = np.isin(ends, chosen)
            severed = inside.sum(axis=1) == 1
            outer = np.where(inside[severed], -1, ends[severed]).max(axis=1)
            outside = self.cuts[severed][~inside[severed]]
            twice = [block for block in np.unique(outer) if np.sum(outer == block) > 1]
            bonded = np.isin(self.cuts, outside).all(axis=1)
            added = np.setdiff1d([*twice, *ends[bonded].ravel()], chosen).astype(int)
            if len(added) == 0:
                return chosen
            chosen = np.union1d(chosen, added)

    def cut_out(self, chosen: np.ndarray, *, near: int | None = None) -> Fragment:
        """The fragment of these blocks; its pieces in the images of the cell nearest to an atom.

        Raises:
            HelioError: a molecule of it is not understood, so that its charge is not known.
        """
        system, inside = self.system, np.isin(self.of_atom, chosen)
        if not system.known[inside].all():
            raise HelioError("a fragment with a molecule whose bonds and charge are not understood")
        members = np.flatnonzero(inside)
        positions = system.atoms.positions[members]
        severed = self.cuts[inside[self.cuts].sum(axis=1) == 1]
        severed = np.where(inside[severed[:, :1]], severed, severed[:, ::-1])  # the atom inside comes first
        bonds = system.atoms.positions[severed[:, 1]] - system.atoms.positions[severed[:, 0]]
        caps = system.atoms.positions[severed[:, 0]] + CAP_LENGTH * bonds / np.linalg.norm(bonds, axis=1)[:, None]
        within = inside[system.pairs].all(axis=1)
        pairs, orders = np.searchsorted(members, system.pairs[within]), system.orders[within]
        capped = np.searchsorted(members, severed[:, 0])
        shift = np.zeros_like(positions)
        if near is not None:
            shift = _to_nearest_image(system.atoms, positions, pairs, system.atoms.positions[near])
        whole = Atoms(
            np.concatenate([system.atoms.numbers[members], np.ones(len(caps), int)]),
            np.concatenate([positions + shift, caps + shift[capped]]),
        )
        joined = np.concatenate([pairs, np.stack([capped, len(members) + np.arange(len(caps))], axis=1)])
        charges = np.concatenate([system.charges[members], np.zeros(len(caps), int)])
        return Fragment(whole, joined, np.concatenate([orders, np.ones(len(caps), int)]), charges)

    def unions(self, heavy_atoms: tuple[int, int]) -> Iterator[Int[np.ndarray, " B"]]:
        """All bonded unions of blocks of understood molecules with so many heavy atoms, each once.

        Raises:
            HelioError: there are too many.
        """
        count = int(self.of_atom.max()) + 1
        sizes = np.bincount(self.of_atom, weights=self.system.atoms.numbers > 1, minlength=count).astype(int)
        understood = np.ones(count, bool)
        understood[self.of_atom[~self.system.known]] = False
        neighbors: list[set[int]] = [set() for _ in range(count)]
        for first, second in self.of_atom[self.cuts]:
            neighbors[first].add(int(second))
            neighbors[second].add(int(first))
        seen: set[frozenset[int]] = set()
        frontier = [frozenset([block]) for block in np.flatnonzero(understood).tolist()]
        while frontier:
            union = frontier.pop()
            size = sum(int(sizes[block]) for block in union)
            if size > heavy_atoms[1] or union in seen:
                continue
            seen.add(union)
            if len(seen) > _MOST_UNIONS:
                raise HelioError(
                    f"the system has more than {_MOST_UNIONS:,} fragments of up to {heavy_atoms[1]} heavy atoms: "
                    "ask for smaller ones"
                )
            if size >= heavy_atoms[0]:
                yield np.array(sorted(union))
            frontier += [union | {other} for block in union for other in neighbors[block] - union]


@dataclass(frozen=True)
class Fragment:
    """Atoms with caps, without a cell, and their bonds."""

    atoms: Atoms
    pairs: Int[np.ndarray, "P 2"]
    orders: Int[np.ndarray, " P"]
    charges: Int[np.ndarray, " N"]  # formal, in e

    @property
    def charge(self) -> int:
        """Of the whole, in e."""
        return int(self.charges.sum())

    def smiles(self) -> str:
        """Canonical, without a geometry's stereochemistry.

        Raises:
            HelioError: rdkit finds a valence that cannot be, or an unpaired electron.
        """
        need("rdkit", extra="build")
        from rdkit import Chem, rdBase

        molecule = _rdkit_molecule(self.atoms.numbers, self.pairs, self.orders, self.charges)
        with rdBase.BlockLogs():
            try:
                Chem.SanitizeMol(molecule)
            except Chem.MolSanitizeException as error:
                raise HelioError(f"a fragment with a valence that cannot be: {error}") from None
        if any(atom.GetNumRadicalElectrons() for atom in molecule.GetAtoms()):
            raise HelioError("a fragment with an unpaired electron")
        return Chem.MolToSmiles(Chem.RemoveHs(molecule))


def _may_be_cut(system: Bonded) -> Bool[np.ndarray, " P"]:
    """Single bonds between carbons, one of them saturated, outside of small rings, in understood molecules."""
    numbers, pairs = system.atoms.numbers, system.pairs
    saturated = np.bincount(pairs.ravel(), minlength=len(numbers)) == 4
    may = (numbers[pairs] == 6).all(axis=1) & (system.orders == 1) & saturated[pairs].any(axis=1)
    may &= system.known[pairs[:, 0]]
    need("rdkit", extra="build")
    from rdkit import Chem

    heavy = (numbers[pairs] > 1).all(axis=1)
    molecule = _rdkit_molecule(numbers, pairs[heavy], system.orders[heavy], system.charges)
    Chem.GetSymmSSSR(molecule)
    rings = molecule.GetRingInfo()
    number = np.flatnonzero(heavy)
    for ring in rings.BondRings():
        if len(ring) <= _SMALL_RING:
            may[number[list(ring)]] = False
    return may


def _rdkit_molecule(numbers: np.ndarray, pairs: np.ndarray, orders: np.ndarray, charges: np.ndarray) -> Any:
    from rdkit import Chem

    kinds = {1: Chem.BondType.SINGLE, 2: Chem.BondType.DOUBLE, 3: Chem.BondType.TRIPLE}
    made = Chem.RWMol()
    for number, charge in zip(numbers.tolist(), charges.tolist(), strict=True):
        atom = Chem.Atom(number)
        atom.SetFormalCharge(charge)
        atom.SetNoImplicit(True)
        made.AddAtom(atom)
    for (first, second), order in zip(pairs.tolist(), orders.tolist(), strict=True):
        made.AddBond(first, second, kinds[order])
    return made


def _to_nearest_image(atoms: Atoms, positions: np.ndarray, pairs: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Shifts (A) that move every bonded piece as a whole to where its atom nearest to a point has its nearest image."""
    count = len(positions)
    graph = coo_array((np.ones(len(pairs)), pairs.T), shape=(count, count))
    _, pieces = connected_components(graph, directed=False)
    vectors, distances = _nearest_images(atoms, positions - near)
    shifts = near + vectors - positions
    nearest = np.lexsort((distances, pieces))
    first = nearest[np.searchsorted(pieces[nearest], np.arange(pieces.max() + 1))]
    return shifts[first][pieces]


def _nearest_images(atoms: Any, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The shortest of all images of each vector (A), and its length."""
    return find_mic(vectors, atoms.cell, atoms.pbc)


def _check_cell(atoms: Atoms, radius: float) -> None:
    if not atoms.pbc.any():
        return
    heights = 1 / np.linalg.norm(np.linalg.inv(atoms.cell.array), axis=0) if atoms.cell.rank == 3 else np.zeros(3)
    if (heights[atoms.pbc] < 2 * radius).any():
        raise HelioError(f"the cell is less than twice {radius:g} A high: give a larger system or a smaller radius")
