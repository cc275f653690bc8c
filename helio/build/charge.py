"""Charges of proteins and nucleic acids from their hydrogens.

Protons are all that distinguishes the charged forms of a residue, so that its charge is the number of its hydrogens
less that of the neutral form.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType
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


# Where the charge of a side chain is written, first the usual place; a phosphate carries that of a nucleotide.
_SITES = {
    "ARG": ("NH2",), "ASP": ("OD2",), "CYS": ("SG",), "GLU": ("OE2",), "HIS": ("ND1",), "LYS": ("NZ",), "TYR": ("OH",),
}  # fmt: skip
_PHOSPHATE = ("OP2", "O2P", "P")


@dataclass
class _Residue:
    index: int
    name: str
    hydrogens: Counter[str] = field(default_factory=Counter)  # by the atom that bears them
    atoms: dict[str, int] = field(default_factory=dict)  # indices by name
    outward: set[str] = field(default_factory=set)  # atoms bonded to other residues


def is_standard(name: str) -> bool:
    """Whether residues of this name are amino acids, nucleotides, caps, water or chloride, in any state of protons."""
    name = _SAME.get(name, name)
    return name in _AMINO_ACIDS or name in _NUCLEOTIDES or name in _OTHERS or name in _CHLORIDE


def standard_name(name: str) -> str:
    """The name in the Protein Data Bank of a residue that is called otherwise for its state of protons."""
    return _SAME.get(name, name)


def formal_charges(
    topology: Any, known: Mapping[int, Mapping[str, int]] = MappingProxyType({})
) -> tuple[dict[int, int], list[str]]:
    """Formal charges by index of atom, which sum to that of all residues that are known, and the names of the others.

    Args:
        topology: of openmm, with bonds and all hydrogens.
        known: charges by name of atom of residues that are known otherwise, by their indices.
    """
    charges, unknown = dict[int, int](), set[str]()
    for residue in _residues(topology):
        if residue.index in known:
            charges |= {residue.atoms[name]: charge for name, charge in known[residue.index].items()}
            continue
        name = _SAME.get(residue.name, residue.name)
        if name in _CHLORIDE:
            charges[next(iter(residue.atoms.values()))] = -1
        elif (neutral := _neutral_hydrogens(name, residue)) is None:
            unknown.add(residue.name)
        else:
            charges |= _located(name, residue, sum(residue.hydrogens.values()) - neutral)
    return charges, sorted(unknown)


def net_charge(topology: Any) -> tuple[int, list[str]]:
    """The charge of all residues that are known, and the names of those that are not; as `formal_charges`."""
    charges, unknown = formal_charges(topology)
    return sum(charges.values()), unknown


def _located(name: str, residue: _Residue, charge: int) -> dict[int, int]:
    """The charge of a standard residue on its atoms: ends of chains first, the rest on the side chain or phosphate."""
    located = dict[str, int]()
    if name in _AMINO_ACIDS:
        if "N" not in residue.outward and residue.hydrogens["N"] == (2 if name == "PRO" else 3):
            located["N"] = 1
        if "OXT" in residue.atoms and not residue.hydrogens["OXT"] and not residue.hydrogens["O"]:
            located["OXT"] = -1
    rest = charge - sum(located.values())
    if rest:
        site = next((site for site in _SITES.get(name, _PHOSPHATE) if site in residue.atoms), next(iter(residue.atoms)))
        located[site] = located.get(site, 0) + rest
    return {residue.atoms[site]: value for site, value in located.items() if value}


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
    residues = {residue.index: _Residue(residue.index, residue.name) for residue in topology.residues()}
    for atom in topology.atoms():
        residues[atom.residue.index].atoms[atom.name] = atom.index
    for first, second in topology.bonds():
        if first.residue.index != second.residue.index:
            residues[first.residue.index].outward.add(first.name)
            residues[second.residue.index].outward.add(second.name)
    for atom, heavy in _owners(topology):
        residues[atom.residue.index].hydrogens[heavy] += 1
    yield from residues.values()


def _owners(topology: Any) -> Iterator[tuple[Any, str]]:
    """Hydrogens with the name of the atom that they are bonded to; empty where the topology has no bond of theirs."""
    names = dict[int, str]()
    for first, second in topology.bonds():
        for hydrogen, heavy in ((first, second), (second, first)):
            if hydrogen.element.symbol == "H":
                names[hydrogen.index] = heavy.name
    for atom in topology.atoms():
        if atom.element.symbol == "H":
            yield atom, names.get(atom.index, "")


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
            amino_acids = {left.name, right.name} & _AMINO_ACIDS.keys() or "CA" in before.keys() & after.keys()
            if {"C", "O"} <= before.keys() and {"N"} <= after.keys() and amino_acids:
                # a peptide bond is 1.33 A long
                if "OXT" not in before and np.linalg.norm(positions[before["C"]] - positions[after["N"]]) > 2.0:
                    gaps.append(f"{chain.id} {left.id}-{right.id}")
    return gaps
