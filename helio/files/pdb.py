"""Protein Data Bank files, columns as in format version 3.3 (wwPDB, 2012).

Read here, and not by ASE, since much stands in columns that ASE leaves out: formal charges, alternate locations,
models, and the place of the name that tells an alpha carbon (" CA ") from calcium ("CA  ") without an element column.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from helio.errors import HelioError, counted
from helio.files.atom_names import POLYMERS
from helio.files.disorder import LARGEST, Site, refusal

if TYPE_CHECKING:
    from ase import Atoms

_ATOM = ("ATOM  ", "HETATM")
# Records that say nothing that a simulation could use.
_COMMON = frozenset(
    "HEADER OBSLTE TITLE SPLIT CAVEAT COMPND SOURCE KEYWDS EXPDTA NUMMDL MDLTYP AUTHOR REVDAT SPRSDE JRNL REMARK DBREF "
    "DBREF1 DBREF2 SEQADV HET HETNAM HETSYN FORMUL HELIX SHEET SITE CRYST1 ORIGX1 ORIGX2 ORIGX3 SCALE1 SCALE2 SCALE3 "
    "MODEL ATOM ANISOU SIGATM SIGUIJ TER HETATM ENDMDL MASTER END USER".split()
)
# Two letters at the beginning of a name that starts in the first column are one of these elements, else one letter is.
_TWO_LETTERS = frozenset(
    "LI BE NE NA MG AL SI CL AR CA SC TI CR MN FE CO NI CU ZN GA GE AS SE BR KR RB SR ZR MO RU RH PD AG CD IN SN SB TE "
    "CS BA LA PT AU HG TL PB BI GD".split()
)
_TOTALS = re.compile(r"REMARK   1 TOTAL CHARGE ([+-]\d+), UNPAIRED ELECTRONS (\d+)")  # as `totals_remark` writes it
# What the file calls the charge, the unpaired electrons and the formal charges of atoms, in messages.
WORDS = {"charge": "REMARK 1", "spin": "REMARK 1", "initial_charges": "columns 79 and 80"}


@dataclass(frozen=True)
class PdbFile:
    """The lines of a file by model, and what stands outside the models."""

    models: tuple[tuple[str, ...], ...]
    cells: tuple[np.ndarray | None, ...]  # of each model: a, b, c in A, alpha, beta, gamma in degrees
    totals: tuple[int, int] | None  # charge and unpaired electrons, where Helio wrote the file
    notes: tuple[str, ...]
    unused: tuple[str, ...]  # names of records


def split_pdb(lines: Iterable[str]) -> PdbFile:
    """Find models, cell and records of a file; END and what follows belongs to no model of its own."""
    models: list[list[str]] = [[]]
    cells: list[np.ndarray | None] = []
    cell, totals, notes, other = None, None, [], Counter[str]()
    for line in lines:
        record = line[:6]
        if record in _ATOM:
            cells += [] if models[-1] else [cell]
            models[-1].append(line.rstrip("\r\n"))
        elif record in ("MODEL ", "ENDMDL"):
            models.append([])
        elif record == "CRYST1":
            cell, note = _cell(line)
            notes += [note] if note else []
        elif (match := _TOTALS.match(line)) is not None:
            totals = int(match[1]), int(match[2])
        elif record.strip() and record.strip() not in _COMMON:
            other[record.strip()] += 1
    filled = tuple(tuple(model) for model in models if model)
    return PdbFile(filled, tuple(cells), totals, tuple(dict.fromkeys(notes)), tuple(sorted(other)))


def pdb_atoms(file: PdbFile, model: int, *, altloc: str | None = None) -> tuple[Atoms, list[str]]:
    """The atoms of a model (from 0), and what was decided about them.

    Names stand in the arrays `atomtypes`, `residuenames`, `residuenumbers` and `chainids`, formal charges in the
    initial charges.

    Args:
        file: as `split_pdb` gives it.
        model: number of the model, from 0.
        altloc: of alternate locations the one to take, a letter, or "largest" for the largest occupancy of each
            residue; None refuses them.

    Raises:
        HelioError: a line that cannot be read, or alternate locations or partly occupied sites without `altloc`.
    """
    from ase import Atoms
    from ase.geometry import cellpar_to_cell

    lines = list(file.models[model])
    chosen, notes = _one_location(lines, altloc)
    lines = [lines[i] for i in chosen]
    symbols = [_element(line) for line in lines]
    atoms = Atoms(symbols=symbols, positions=[_position(line) for line in lines])
    atoms.arrays["atomtypes"] = np.array([line[12:16].strip() for line in lines], "U4")
    atoms.arrays["residuenames"] = np.array([line[17:21].strip() for line in lines], "U4")
    atoms.arrays["residuenumbers"] = _residue_numbers(lines)
    atoms.arrays["chainids"] = np.array([line[21:22].strip() for line in lines], "U1")
    charges = np.array([_formal_charge(line) for line in lines])
    if file.totals is not None:
        atoms.info |= {"charge": file.totals[0], "spin": file.totals[1]}
    elif charges.any():
        atoms.set_initial_charges(charges)
    cell = file.cells[model]
    if cell is not None:
        there = cell[:3] > 1.0
        vectors = cellpar_to_cell(np.where(np.append(there, [True] * 3), cell, 1.0))
        atoms.cell, atoms.pbc = vectors * there[:, None], there
    if any(not line[76:78].strip() for line in lines):
        notes.append("elements from the names of atoms, where the file gives none")
    return atoms, notes


def totals_remark(info: Mapping[str, Any]) -> str:
    """The line that `split_pdb` knows, for the `charge` and `spin` (unpaired electrons) of `info`; "" without them."""
    if "charge" not in info or "spin" not in info:
        return ""
    return f"REMARK   1 TOTAL CHARGE {int(info['charge']):+d}, UNPAIRED ELECTRONS {int(info['spin']):d}\n"


def _cell(line: str) -> tuple[np.ndarray | None, str | None]:
    """Parameters of the cell; files without one hold lengths of 1 A or 0."""
    try:
        values = np.array([float(line[a:b]) for a, b in ((6, 15), (15, 24), (24, 33), (33, 40), (40, 47), (47, 54))])
    except ValueError:
        raise HelioError(f"the line {line[:54]!r} holds no cell: correct or remove it") from None
    if (values[:3] <= 1.0).all():
        return None, "CRYST1 stands for no cell (1 A), so none is taken"
    group = line[55:66].strip()
    if group not in ("", "P 1", "P1"):
        return values, f"space group {group}: the file holds the atoms that it lists, no symmetric copies"
    return values, None


def _position(line: str) -> list[float]:
    try:
        return [float(line[a : a + 8]) for a in (30, 38, 46)]
    except ValueError:
        raise HelioError(f"the line {line[:54]!r} holds no position in columns 31 to 54") from None


def _element(line: str) -> str:
    from ase.data import atomic_numbers

    given = line[76:78].strip().capitalize()
    if given == "D":
        return "H"
    if given in atomic_numbers and given != "X":
        return given
    name, residue = line[12:16].ljust(4), line[17:21].strip().upper()
    letters = re.sub(r"[^A-Za-z]", "", name).upper()
    if not letters:
        raise HelioError(f"the line {line[:54]!r} names no element: fill columns 77 and 78")
    first = name[0].isalpha() and not (len(name.strip()) == 4 and letters[0] == "H")
    if first and letters[:2] in _TWO_LETTERS and not (residue in POLYMERS and line.startswith("ATOM")):
        return letters[:2].capitalize()
    symbol = "H" if letters[0] == "D" else letters[0]
    if symbol not in atomic_numbers:
        raise HelioError(f"the line {line[:54]!r} names no element: fill columns 77 and 78")
    return symbol


def _formal_charge(line: str) -> float:
    text = line[78:80].strip()
    if not text:
        return 0.0
    match = re.fullmatch(r"(\d)([+-])|([+-])(\d)|([+-])", text)
    if match is None:
        return 0.0  # other programs keep segment names here
    sign = match[2] or match[3] or match[5]
    return float(f"{sign}{match[1] or match[4] or 1}")


def _residue_numbers(lines: Sequence[str]) -> np.ndarray:
    numbers = []
    for line in lines:
        try:
            numbers.append(int(line[22:26]))
        except ValueError:  # beyond 9999 programs write letters, or stars
            numbers.append(0)
    return np.array(numbers)


def _occupancy(line: str) -> float:
    try:
        value = float(line[54:60])
    except ValueError:
        return 1.0
    return value if 0 < value < 1 else 1.0  # 0 is written by programs that know no occupancy


# What to do where atoms have several places.
_REMEDY = 'give --altloc with a letter, or "largest"; of a protein, helio build solvate also adds what is missing'


def _one_location(lines: Sequence[str], altloc: str | None) -> tuple[list[int], list[str]]:
    """Numbers of the lines to keep, and what was decided."""
    residues: defaultdict[str, defaultdict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    partly: list[int] = []
    for i, line in enumerate(lines):
        label = line[16:17].strip()
        if label:
            residues[line[17:27]][label].append(i)
        if label or _occupancy(line) < 1:
            partly.append(i)
    if not partly:
        return list(range(len(lines))), []
    if altloc is None:
        raise refusal([_site(str(lines[i])) for i in partly], _REMEDY)
    known = {label for labels in residues.values() for label in labels}
    if altloc != LARGEST and known and altloc not in known:
        raise HelioError(
            f"there is no alternate location {altloc}: give --altloc {', '.join(sorted(known))} or largest"
        )
    dropped: set[int] = set()
    for labels in residues.values():
        weights = {label: sum(_occupancy(lines[i]) for i in rows) for label, rows in labels.items()}
        best = altloc if altloc in labels else max(sorted(labels), key=lambda label: weights[label])
        dropped |= {i for label, rows in labels.items() if label != best for i in rows}
    notes = []
    if dropped:
        notes.append(f"alternate location {altloc} taken, {counted(len(dropped), 'atom')} of others left out")
    alone = sum(1 for i in partly if i not in dropped and not lines[i][16:17].strip())
    if alone:
        notes.append(f"{counted(alone, 'partly occupied atom', 'are')} taken as if fully occupied")
    return [i for i in range(len(lines)) if i not in dropped], notes


def _site(line: str) -> Site:
    residue = f"{line[17:20].strip()} {line[21:22].strip()}{line[22:26].strip()}"
    return Site(f"{line[12:16].strip()} of {residue}", _occupancy(line), line[16:17].strip())
