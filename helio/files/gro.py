"""GROMACS .gro files.

Read here, and not by ASE, which takes an alpha carbon ("CA") for calcium, a file that is cut off for a smaller system,
and the first frame of several alone. Written here, since ASE leaves the box of a molecule empty and shifts columns
beyond 99,999 atoms. Source: GROMACS manual, "gro file format".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from helio.errors import HelioError
from helio.files.atom_names import element_of_name

if TYPE_CHECKING:
    from ase import Atoms

# Where the entries v1x, v2y, v3z, v1y, v1z, v2x, v2z, v3x, v3y of a box stand in a 3 x 3 cell.
_BOX = (0, 4, 8, 1, 2, 3, 5, 6, 7)


@dataclass(frozen=True)
class GroFrame:
    """The lines of one frame."""

    title: str
    atoms: tuple[str, ...]
    box: str


def split_gro(text: str) -> list[GroFrame]:
    """The frames of a file.

    Raises:
        HelioError: a frame has no count, or fewer lines than it announces.
    """
    lines = text.splitlines()
    last = max((number for number, line in enumerate(lines) if line.strip()), default=-1)
    frames: list[GroFrame] = []
    begin = 0
    while begin <= last:
        count = lines[begin + 1].strip() if begin + 1 < len(lines) else ""
        if not count.isdigit() or len(count) > 12:
            raise HelioError(f"line 2 of frame {len(frames) + 1} holds no number of atoms: {count[:40]!r}")
        end = begin + 2 + int(count)
        if len(lines) <= end:
            left = len(lines) - begin - 2
            raise HelioError(f"it is cut off: {count} atoms and a box are announced, {left} lines follow")
        frames.append(GroFrame(lines[begin].strip(), tuple(lines[begin + 2 : end]), lines[end]))
        begin = end + 1
    return frames


def gro_atoms(frame: GroFrame) -> Atoms:
    """Positions, velocities where all atoms have them, names, and the box where it is neither zero nor empty.

    Raises:
        HelioError: a line cannot be read, or an atom has no element.
    """
    from ase import Atoms, units

    names = [line[10:15].strip() for line in frame.atoms]
    residues = [line[5:10].strip() for line in frame.atoms]
    values = [_values(line) for line in frame.atoms]
    words = zip(names, residues, frame.atoms, strict=True)
    symbols = [_element(name, residue, line) for name, residue, line in words]
    atoms = Atoms(symbols, [row[:3] * 10 for row in values])
    if len(values) and all(len(row) == 6 for row in values):
        atoms.set_velocities(np.array([row[3:] for row in values]) * 10 / (1000 * units.fs))
    atoms.set_array("atomtypes", np.array(names))
    atoms.set_array("residuenames", np.array(residues))
    atoms.set_array("residuenumbers", np.array([_number(line) for line in frame.atoms]))
    cell = _cell(frame.box)
    if cell.any():
        atoms.cell, atoms.pbc = cell, True
    return atoms


def gro_text(atoms: Atoms) -> str:
    """A frame: residues, names, positions, velocities where there are any, and a box of zeros where there is none.

    Raises:
        ValueError: a name of more than five letters, or a number that is too large for its columns.
    """
    from ase import units

    count = len(atoms)
    names = atoms.arrays.get("atomtypes", np.array(atoms.get_chemical_symbols()))
    residues = atoms.arrays.get("residuenames", np.full(count, "MOL"))
    numbers = atoms.arrays.get("residuenumbers", np.ones(count, int))
    long = next((str(word) for word in (*names, *residues) if len(str(word)) > 5), None)
    if long is not None:
        raise ValueError(f"the name {long!r} has more than five letters")
    # Numbers begin again at 0 after 99,999, as those of GROMACS do.
    heads = [
        f"{int(number) % 100_000:5d}{residue!s:<5s}{name!s:>5s}{place % 100_000:5d}"
        for place, (number, residue, name) in enumerate(zip(numbers, residues, names, strict=True), start=1)
    ]
    columns = [_columns(atoms.positions / 10, 8, 3, "positions")]
    if atoms.has("momenta"):
        columns.append(_columns(atoms.get_velocities() * 1000 * units.fs / 10, 8, 4, "velocities"))
    cell = np.asarray(atoms.cell.array) * np.asarray(atoms.pbc)[:, None] / 10
    box = _columns(cell.reshape(1, 9)[:, _BOX if cell.any() else _BOX[:3]], 10, 5, "box")[0]
    lines = ["".join(parts) for parts in zip(heads, *columns, strict=True)]
    return "\n".join(["written by Helio", f"{count:5d}", *lines, box, ""])


def _columns(values: np.ndarray, width: int, digits: int, what: str) -> list[str]:
    """Each row as text."""
    if not np.all(np.abs(values) < 10.0 ** (width - digits - 2)):
        raise ValueError(f"the {what} are beyond its columns")
    return ["".join(f"{value:{width}.{digits}f}" for value in row) for row in values]


def _values(line: str) -> np.ndarray:
    """Three or six numbers, whose width the distance between the decimal points tells."""
    dots = [place for place, letter in enumerate(line) if letter == "." and place >= 20]
    try:
        width = dots[1] - dots[0]
        texts: Sequence[str] = [line[start : start + width] for start in range(20, 20 + 3 * width, width)]
        after = 20 + 3 * width
        texts = [*texts, *(line[start : start + width] for start in range(after, after + 3 * width, width))]
        return np.array([float(text) for text in texts if text.strip()])[: 6 if len(dots) >= 6 else 3]
    except (IndexError, ValueError):
        raise HelioError(f"the line {line[:60]!r} holds no position from column 21 on") from None


def _element(name: str, residue: str, line: str) -> str:
    symbol = element_of_name(name, residue)
    if symbol is None:
        raise HelioError(f"the name of the atom in {line[:44]!r} tells no element: take out virtual sites")
    return symbol


def _number(line: str) -> int:
    try:
        return int(line[:5])
    except ValueError:
        raise HelioError(f"the line {line[:44]!r} does not begin with the number of a residue") from None


def _cell(line: str) -> np.ndarray:
    try:
        values = [float(word) for word in line.split()]
    except ValueError:
        values = []
    if len(values) not in (3, 9) and line.strip():
        raise HelioError(f"the last line {line[:60]!r} holds no box of 3 or 9 lengths")
    cell = np.zeros(9)
    cell[list(_BOX[: len(values)])] = values
    return 10 * cell.reshape(3, 3)
