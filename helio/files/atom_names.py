"""Elements from names of atoms, for files that tell no more."""

from __future__ import annotations

import re

# Residues of proteins and nucleic acids, whose atoms have elements of one letter: CA is an alpha carbon.
POLYMERS = frozenset(
    "ALA ARG ASN ASP CYS GLN GLU GLY HIS ILE LEU LYS MET PHE PRO SER THR TRP TYR VAL HID HIE HIP HSD HSE HSP CYX ASH "
    "GLH LYN ACE NME NH2 A C G U I DA DC DG DT DU".split()
)
# Names of ions in the force fields of CHARMM, where the residue has the name of the atom.
_IONS = {
    "SOD": "Na",
    "POT": "K",
    "CLA": "Cl",
    "CAL": "Ca",
    "CES": "Cs",
    "LIT": "Li",
    "RUB": "Rb",
    "BAR": "Ba",
    "CAD": "Cd",
}
# Elements of two letters whatever the residue: names of carbon and the like do not begin so.
_TWO_LETTERS = ("CL", "BR", "SI", "SE", "FE")


def element_of_name(name: str, residue: str) -> str | None:
    """The element of an atom whose name stands in no particular column; None where the name tells none.

    Two letters are one element where the second is small ("Na"), where the residue has the same name ("NA" of "NA+"),
    or where nothing else begins so ("CL2"); else the first letter counts ("NA" of a heme is nitrogen).
    """
    from ase.data import atomic_numbers

    letters, of_residue = (re.sub(r"[^A-Za-z]", "", word) for word in (name, residue))
    if letters in atomic_numbers and len(letters) == 2:
        return letters
    letters, of_residue = letters.upper(), of_residue.upper()
    if letters == of_residue and letters in _IONS:
        return _IONS[letters]
    pair, first = letters[:2].capitalize(), "H" if letters[:1] == "D" else letters[:1]
    is_pair = letters == of_residue or letters[:2] in _TWO_LETTERS or first not in atomic_numbers
    if residue not in POLYMERS and len(letters) > 1 and pair in atomic_numbers and is_pair:
        return pair
    return first if first in atomic_numbers and first != "X" else None
