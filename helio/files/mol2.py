"""Tripos mol2 files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from helio.errors import HelioError
from helio.files.structure_bounds import open_text

if TYPE_CHECKING:
    from ase import Atoms

# Types that stand for no element: lone pairs, dummies and the wildcards of queries.
_NO_ELEMENT = frozenset({"LP", "Du", "Any", "Hal", "Het", "Hev"})
# Sections that say nothing beyond what a simulation needs, and those that are read.
_EXPECTED = frozenset({"MOLECULE", "ATOM", "BOND", "CRYSIN", "SUBSTRUCTURE", "COMMENT"})


@dataclass(frozen=True)
class Mol2Molecule:
    """One molecule of a mol2 file."""

    atoms: Atoms  # names as atomtypes, residuenames, residuenumbers; partial charges as initial charges
    title: str
    charge_type: str  # NO_CHARGES where the file holds none; atoms have no initial charges then
    unused: tuple[str, ...]  # sections that were not used


def read_mol2(path: str | Path) -> list[Mol2Molecule]:
    """Read all molecules of a mol2 file, in their order.

    Elements come from SYBYL types ("C.ar", "Na"), from those of GAFF ("ca" is carbon), or from a type and a name that
    agree. A cell (CRYSIN) is taken where its space group is P1: of others the file holds no symmetric copies.

    Source: Tripos Mol2 File Format, SYBYL 7.1 (2005).

    Raises:
        HelioError: there is no molecule, a molecule is cut off or holds another number of atoms than it says, or an
            atom is no element.
    """
    with open_text(path, errors="replace") as file:
        lines = [line for line in _joined(file.read().splitlines()) if not line.startswith("#")]
    starts = [number for number, line in enumerate(lines) if line.startswith("@<TRIPOS>MOLECULE")]
    if not starts:
        raise HelioError(f"{path} holds no @<TRIPOS>MOLECULE: it is no mol2 file")
    blocks = [lines[start:end] for start, end in zip(starts, [*starts[1:], len(lines)], strict=True)]
    return [_molecule(block, f"molecule {number} of {path}") for number, block in enumerate(blocks)]


def _joined(lines: list[str]) -> Iterator[str]:
    """Lines, with those that end in a backslash joined to the next."""
    begun = ""
    for line in lines:
        if line.endswith("\\"):
            begun += line[:-1] + " "
        else:
            yield begun + line
            begun = ""
    if begun:
        yield begun


def _molecule(block: list[str], where: str) -> Mol2Molecule:
    sections: dict[str, list[str]] = {}
    name = ""
    for line in block:
        if line.startswith("@<TRIPOS>"):
            name = line.removeprefix("@<TRIPOS>").strip()
            sections.setdefault(name, [])
        else:
            sections[name].append(line)
    header = sections["MOLECULE"] + [""] * 4
    title, charge_type = header[0].strip(), header[3].strip().upper() or "NO_CHARGES"
    rows = [line.split() for line in sections.get("ATOM", ()) if line.strip()]
    count = header[1].split()[:1]
    if count != [str(len(rows))]:
        raise HelioError(f"{where} should hold {' '.join(count) or '?'} atoms and holds {len(rows)}: it is cut off")
    unused = [name for name in sections if name not in _EXPECTED]
    atoms = _atoms(rows, where, with_charges=charge_type != "NO_CHARGES")
    if "CRYSIN" in sections and not _take_cell(atoms, sections["CRYSIN"], where):
        unused.append(f"CRYSIN (space group {' '.join(' '.join(sections['CRYSIN']).split()[6:])})")
    return Mol2Molecule(atoms, title, charge_type, tuple(unused))


def _atoms(rows: list[list[str]], where: str, *, with_charges: bool) -> Atoms:
    import numpy as np
    from ase import Atoms

    if not rows:
        raise HelioError(f"{where} holds no atoms")
    try:
        positions = [[float(value) for value in row[2:5]] for row in rows]
        symbols = [_element(row[1], row[5], f"atom {row[0]} of {where}") for row in rows]
        numbers = [int(row[6]) if len(row) > 6 else 1 for row in rows]
        charges = [float(row[8]) for row in rows] if with_charges else None
    except (IndexError, ValueError) as error:
        raise HelioError(f"an atom of {where} cannot be read ({error}): the file is damaged") from None
    residues = [_residue(row[7], number) if len(row) > 7 else "MOL" for row, number in zip(rows, numbers, strict=True)]
    atoms = Atoms(symbols, positions, charges=charges)
    atoms.set_array("atomtypes", np.array([row[1] for row in rows]))
    atoms.set_array("residuenames", np.array(residues))
    atoms.set_array("residuenumbers", np.array(numbers))
    return atoms


def _residue(name: str, number: int) -> str:
    """The name of a substructure without its number ("ALA12" is ALA); MOL where it has none ("****")."""
    bare = name.removesuffix(str(number)) or name
    return "MOL" if set(bare) <= {"*", "<", ">"} else bare


def _element(name: str, kind: str, where: str) -> str:
    from ase.data import atomic_numbers

    head = kind.split(".")[0]
    if head in _NO_ELEMENT:
        raise HelioError(f"{where} ({name}) has the type {kind}, which is no element: take it out")
    if head in atomic_numbers and head != "X":
        return head
    if head == head.lower():  # GAFF: in lower case, and of main-group elements only
        symbol = head[:2].capitalize() if head[:2] in ("cl", "br") else head[:1].upper()
        if symbol in ("C", "H", "N", "O", "S", "P", "F", "I", "Cl", "Br"):
            return symbol
    letters = "".join(letter for letter in name if letter.isalpha()).upper()
    symbol = head[:2].capitalize() if head[:2].upper() in ("CL", "BR") else head[:1].upper()
    is_ambiguous = head.upper() == letters and letters.capitalize() in atomic_numbers and len(symbol) < len(letters)
    if symbol in atomic_numbers and letters.startswith(symbol.upper()) and not is_ambiguous:
        return symbol
    raise HelioError(f"the element of {where} ({name}, type {kind}) is not clear: write the file with SYBYL types")


def _take_cell(atoms: Atoms, lines: list[str], where: str) -> bool:
    """Give atoms the cell of a CRYSIN record; False where its space group is not P1."""
    from ase.cell import Cell

    words = " ".join(lines).split()
    try:
        lengths_and_angles = [float(word) for word in words[:6]]
        is_p1 = int(words[6]) == 1
        if not is_p1:
            return False
        atoms.cell = Cell.fromcellpar(lengths_and_angles)
    except (IndexError, ValueError, AssertionError) as error:
        raise HelioError(f"the cell (CRYSIN) of {where} cannot be read ({error})") from None
    atoms.pbc = True
    return True
