"""A residue as it lies in a structure, matched with its chemistry: which hydrogens and charges its atoms have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from ase.data import atomic_numbers, covalent_radii
from jaxtyping import Float

from helio.build.chemistry import Chemistry
from helio.errors import HelioError

# Atoms are bonded that are closer than this multiple of the sum of their covalent radii (Cordero et al., Dalton Trans.
# 2832, 2008): far from the next neighbours but one, at 1.4 or more, with room for a rough structure.
_BOND = 1.25
_C_O_DOUBLE = 1.30  # A; shorter than this is a carbonyl
_MAX_MATCHES = 5000  # ways to lay a symmetric molecule on itself that are tried


@dataclass(frozen=True)
class Partner:
    """A heavy atom of another residue that an atom of this one is bonded to."""

    atom: int  # of this residue
    symbol: str
    position: Float[np.ndarray, " 3"]  # A
    carbonyl: Float[np.ndarray, " 3"] | None  # place of an oxygen with a double bond to it, A


@dataclass(frozen=True)
class LyingResidue:
    """Heavy atoms of a residue."""

    symbols: Sequence[str]
    positions: Float[np.ndarray, "N 3"]  # A
    hydrogens: Sequence[int]  # of each that the structure has
    partners: Sequence[Partner]

    @property
    def bonds(self) -> list[tuple[int, int]]:
        """Pairs of its atoms that are bonded, by their distance."""
        return [
            (i, j)
            for i, j in combinations(range(len(self.symbols)), 2)
            if bonded(self.symbols[i], self.symbols[j], float(np.linalg.norm(self.positions[i] - self.positions[j])))
        ]


@dataclass(frozen=True)
class MatchedResidue:
    """Bonds between its heavy atoms, and hydrogens, formal charges and radical electrons of these."""

    bonds: Sequence[tuple[int, int]]
    hydrogens: Sequence[int]  # that each heavy atom should have
    charges: Sequence[int]
    radicals: int
    added: Sequence[tuple[int, Float[np.ndarray, " 3"]]]  # hydrogens to place: the heavy atom, and where, A

    @property
    def charge(self) -> int:
        """The sum over the residue."""
        return sum(self.charges)


def bonded(first: str, second: str, distance: float) -> bool:
    """Whether two atoms so far apart (A) are bonded."""
    return distance < _BOND * float(covalent_radii[atomic_numbers[first]] + covalent_radii[atomic_numbers[second]])


def match(residue: LyingResidue, chemistry: Chemistry, name: str) -> MatchedResidue:
    """Lay the chemistry of the free molecule on the residue.

    A bond to another residue takes the place of a group of one heavy atom that the residue lacks (the OH of an acid),
    else of a negative charge, else of a hydrogen; an ammonium group that takes part loses its charge, too. Where
    several ways are equal but for bond lengths or the hydrogens in the structure, these decide.

    Args:
        residue: with all heavy atoms that the free molecule has besides the groups that bonds have replaced.
        chemistry: of the free molecule.
        name: of the residue, for messages.

    Raises:
        HelioError: the residue has other atoms or bonds than the molecule, or more bonds to others than that allows.
    """
    ways = [way for way in _ways(residue, chemistry) if way is not None]
    if not ways:
        raise HelioError(
            f"{name} is not {chemistry.source}: it has {_formula(residue.symbols)} and {len(residue.partners)} bonds "
            f"to other residues, the molecule has {_formula([a.GetSymbol() for a in chemistry.molecule.GetAtoms()])} "
            "(heavy atoms); give its chemistry with --ligand, complete it, or leave it out with --drop"
        )
    best = min(ways, key=lambda way: (way.hydrogens_off, way.strain))
    whole = _in_place(residue, chemistry, best)
    return MatchedResidue(
        bonds=best.bonds,
        hydrogens=best.hydrogens,
        charges=best.charges,
        radicals=sum(atom.GetNumRadicalElectrons() for atom in chemistry.molecule.GetAtoms()),
        added=_placed(whole, len(residue.symbols)),
    )


@dataclass(frozen=True)
class _Way:
    """One way to lay the molecule on the residue."""

    atoms: Sequence[int]  # of the molecule, in the order of the residue's
    bonds: Sequence[tuple[int, int]]
    hydrogens: Sequence[int]
    charges: Sequence[int]
    hydrogens_off: bool  # whether the structure has hydrogens elsewhere
    strain: float  # sum of orders and lengths of bonds: least where the double bonds are the short ones


def _ways(residue: LyingResidue, chemistry: Chemistry) -> list[_Way | None]:
    bonds = residue.bonds
    target, pattern = _skeleton_of(chemistry.molecule), _skeleton(residue.symbols, bonds)
    atoms = target.GetSubstructMatches(pattern, uniquify=False, maxMatches=_MAX_MATCHES)
    return [_way(residue, chemistry.molecule, found, bonds) for found in atoms]


def _skeleton(symbols: Sequence[str], bonds: Sequence[tuple[int, int]]) -> Any:
    """Atoms and single bonds alone."""
    from rdkit import Chem

    skeleton = Chem.RWMol()
    for symbol in symbols:
        atom = Chem.Atom(symbol)
        atom.SetNoImplicit(True)
        skeleton.AddAtom(atom)
    for first, second in bonds:
        skeleton.AddBond(first, second, Chem.BondType.SINGLE)
    return skeleton.GetMol()


def _skeleton_of(molecule: Any) -> Any:
    return _skeleton(
        [atom.GetSymbol() for atom in molecule.GetAtoms()],
        [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in molecule.GetBonds()],
    )


def _way(residue: LyingResidue, molecule: Any, atoms: Sequence[int], bonds: Sequence[tuple[int, int]]) -> _Way | None:
    """None where bonds or leaving groups do not fit."""
    inside = {index: number for number, index in enumerate(atoms)}
    orders = {
        (inside[bond.GetBeginAtomIdx()], inside[bond.GetEndAtomIdx()]): bond.GetBondTypeAsDouble()
        for bond in molecule.GetBonds()
        if bond.GetBeginAtomIdx() in inside and bond.GetEndAtomIdx() in inside
    }
    if len(orders) != len(bonds):
        return None
    to_others = Counter(partner.atom for partner in residue.partners)
    left = Counter[int]()
    for atom in molecule.GetAtoms():
        if atom.GetIdx() not in inside:
            (*to_rest,) = atom.GetBonds()  # one single bond, so that a bond to another residue can take its place
            stem = to_rest[0].GetOtherAtomIdx(atom.GetIdx())
            if len(to_rest) != 1 or to_rest[0].GetBondTypeAsDouble() != 1 or stem not in inside:
                return None
            left[inside[stem]] += 1
    if any(left[number] > to_others[number] for number in left):
        return None
    hydrogens, charges = [], []
    for number, index in enumerate(atoms):
        atom = molecule.GetAtomWithIdx(index)
        count, charge = _after_bonding(atom.GetTotalNumHs(), atom.GetFormalCharge(), to_others[number] - left[number])
        if count < 0:
            return None
        hydrogens.append(count)
        charges.append(charge)
    lengths = {pair: float(np.linalg.norm(residue.positions[pair[0]] - residue.positions[pair[1]])) for pair in orders}
    off = any(residue.hydrogens) and list(residue.hydrogens) != hydrogens
    strain = sum(order * lengths[pair] for pair, order in orders.items())
    return _Way(atoms, list(orders), hydrogens, charges, off, strain)


def _after_bonding(hydrogens: int, charge: int, bonds: int) -> tuple[int, int]:
    """Hydrogens and charge of an atom after so many bonds more; fewer than no hydrogens where there is no room."""
    for _ in range(bonds):
        if charge < 0:
            charge += 1
        else:
            hydrogens -= 1
            if charge > 0 and hydrogens > 0:
                hydrogens, charge = hydrogens - 1, charge - 1
    return hydrogens, charge


def _in_place(residue: LyingResidue, chemistry: Chemistry, way: _Way) -> Any:
    """An rdkit molecule of the residue where it lies, with the partners of its bonds."""
    from rdkit import Chem, Geometry

    molecule, places = Chem.RWMol(), list(residue.positions)
    for index, hydrogens, charge in zip(way.atoms, way.hydrogens, way.charges, strict=True):
        atom = Chem.Atom(chemistry.molecule.GetAtomWithIdx(index).GetSymbol())
        atom.SetFormalCharge(charge)
        atom.SetNoImplicit(True)
        atom.SetNumExplicitHs(hydrogens)
        molecule.AddAtom(atom)
    for first, second in way.bonds:
        order = chemistry.molecule.GetBondBetweenAtoms(way.atoms[first], way.atoms[second]).GetBondType()
        molecule.AddBond(first, second, order)
    for partner in residue.partners:
        number = molecule.AddAtom(Chem.Atom(partner.symbol))
        molecule.AddBond(partner.atom, number, Chem.BondType.SINGLE)
        places.append(partner.position)
        if partner.carbonyl is not None:
            molecule.AddBond(number, molecule.AddAtom(Chem.Atom("O")), Chem.BondType.DOUBLE)
            places.append(partner.carbonyl)
    conformer = Chem.Conformer(len(places))
    for number, place in enumerate(places):
        conformer.SetAtomPosition(number, Geometry.Point3D(*map(float, place)))
    molecule.AddConformer(conformer)
    return molecule.GetMol()


def _placed(molecule: Any, count: int) -> list[tuple[int, np.ndarray]]:
    """Hydrogens of the first `count` atoms, where rdkit places them."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        Chem.SanitizeMol(molecule)
        whole = Chem.AddHs(molecule, addCoords=True, onlyOnAtoms=list(range(count)))
    positions = whole.GetConformer().GetPositions()
    return [
        (atom.GetNeighbors()[0].GetIdx(), positions[atom.GetIdx()])
        for atom in list(whole.GetAtoms())[molecule.GetNumAtoms() :]
    ]


def is_carbonyl(distance: float) -> bool:
    """Whether a carbon and an oxygen so far apart (A) have a double bond."""
    return distance < _C_O_DOUBLE


def _formula(symbols: Sequence[str]) -> str:
    counts = Counter(symbols)
    return " ".join(f"{symbol}{counts[symbol]}" for symbol in sorted(counts))
