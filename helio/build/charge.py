"""Charges of proteins and nucleic acids from their hydrogens.

Protons are all that distinguishes the charged forms of a residue, so that its charge is the number of its hydrogens
less that of the neutral form.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

# Hydrogens of a neutral residue inside a chain: formula of the free molecule less H2O.
_AMINO_ACIDS = {
    "ALA": 5, "ARG": 12, "ASN": 6, "ASP": 5, "CYS": 5, "GLN": 8, "GLU": 7, "GLY": 3, "HIS": 7, "ILE": 11,
    "LEU": 11, "LYS": 12, "MET": 9, "PHE": 9, "PRO": 7, "SER": 5, "THR": 7, "TRP": 10, "TYR": 9, "VAL": 9,
}  # fmt: skip
_NUCLEOTIDES = {"DA": 12, "DC": 12, "DG": 12, "DT": 13, "A": 12, "C": 12, "G": 12, "U": 11}
_OTHERS = {"ACE": 3, "NME": 4, "NH2": 2, "HOH": 2}
# Names for protonation states.
_SAME = {
    "HID": "HIS", "HIE": "HIS", "HIP": "HIS", "HSD": "HIS", "HSE": "HIS", "HSP": "HIS", "ASH": "ASP", "GLH": "GLU",
    "LYN": "LYS", "CYX": "CYS", "CYM": "CYS", "WAT": "HOH", "SOL": "HOH", "TIP3": "HOH",
}  # fmt: skip
_CHLORIDE = ("CL", "CLA", "CL-")


@dataclass
class _Residue:
    name: str
    hydrogens: int = 0
    atoms: set[str] = field(default_factory=set)
    outward: set[str] = field(default_factory=set)  # own atoms bonded to other residues


def net_charge(topology: Any) -> tuple[int, list[str]]:
    """The charge of all residues that are known, and the names of those that are not.

    Args:
        topology: of openmm, with bonds and all hydrogens.
    """
    charge, unknown = 0, set[str]()
    for residue in _residues(topology):
        name = _SAME.get(residue.name, residue.name)
        if name in _CHLORIDE:
            charge -= 1
        elif (neutral := _neutral_hydrogens(name, residue)) is None:
            unknown.add(residue.name)
        else:
            charge += residue.hydrogens - neutral
    return charge, sorted(unknown)


def _neutral_hydrogens(name: str, residue: _Residue) -> int | None:
    if name in _AMINO_ACIDS:
        start = "N" not in residue.outward
        end = "OXT" in residue.atoms
        return _AMINO_ACIDS[name] + start + end - ("SG" in residue.outward)
    if name in _NUCLEOTIDES:
        # HPO3 less, one H more at a 5' end without phosphate; one OH more at one with it
        start = "P" in residue.atoms and "P" not in residue.outward
        return _NUCLEOTIDES[name] + start + ("O3'" not in residue.outward)
    return _OTHERS.get(name)


def _residues(topology: Any) -> Iterator[_Residue]:
    found = {
        residue.index: _Residue(
            residue.name,
            sum(atom.element.symbol == "H" for atom in residue.atoms()),
            {atom.name for atom in residue.atoms()},
        )
        for residue in topology.residues()
    }
    for first, second in topology.bonds():
        if first.residue.index != second.residue.index:
            found[first.residue.index].outward.add(first.name)
            found[second.residue.index].outward.add(second.name)
    yield from found.values()


def broken_chains(topology: Any, positions: np.ndarray) -> list[str]:
    """Places where consecutive amino acids of a chain are not bonded, as "A 12-17".

    Args:
        topology: of openmm.
        positions: in A, (N, 3).
    """
    gaps = []
    for chain in topology.chains():
        residues = [(r, {atom.name: atom.index for atom in r.atoms()}) for r in chain.residues()]
        for (left, before), (right, after) in pairwise(residues):
            if {"C", "O"} <= before.keys() and {"N"} <= after.keys() and {left.name, right.name} & _AMINO_ACIDS.keys():
                # a peptide bond is 1.33 A long
                if "OXT" not in before and np.linalg.norm(positions[before["C"]] - positions[after["N"]]) > 2.0:
                    gaps.append(f"{chain.id} {left.id}-{right.id}")
    return gaps
