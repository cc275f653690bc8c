"""The one reader of structures: what a file holds, and what was understood of it.

Of PDB, CIF, mol2 and SD files the first structure is read by default, as other programs do, of all others the last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from helio.electrons import KEYS, Electrons, electrons_of
from helio.errors import HelioError, counted, listed
from helio.files.ase_formats import (
    ase_structures,
    check_readable,
    each_structure,
    reading_errors,
    structure_count,
    uncompressed_name,
)
from helio.files.disorder import without_alternatives
from helio.files.fixed_atoms import fixed_atoms, other_constraints
from helio.files.structure_bounds import open_text

if TYPE_CHECKING:
    from ase import Atoms

# Entries of `Atoms` that are used, or that only repeat what is.
_INFO = frozenset((*KEYS, "occupancy", "spacegroup", "unit_cell", "name", "comment"))
_ARRAYS = frozenset(
    "numbers positions momenta masses atomtypes residuenames residuenumbers chainids occupancy bfactor "
    "initial_charges spacegroup_kinds".split()
)
_LISTED = 8


@dataclass(frozen=True, eq=False)
class Reading:
    """A structure, and what was understood of its file.

    `atoms` holds `charge` and `spin` (unpaired electrons) in `info`, whatever the file called them; names of atoms and
    residues in the arrays `atomtypes`, `residuenames` and `residuenumbers`; velocities as momenta; fixed atoms as
    constraints.
    """

    path: Path
    atoms: Atoms
    electrons: Electrons
    frame: int  # from 1
    frames: int  # in the file
    notes: tuple[str, ...]  # what was decided, and warnings
    unused: tuple[str, ...]  # keys and records of the file that nothing here uses

    def summary(self) -> str:
        """One line: atoms, charge, unpaired electrons, periodicity, fixed atoms, velocities, frame and notes."""
        atoms, electrons = self.atoms, self.electrons
        fixed = int(fixed_atoms(atoms).sum())
        parts = [
            f"{counted(len(atoms), 'atom')} ({atoms.get_chemical_formula()})",
            f"charge {electrons.charge:+d} ({electrons.charge_source})" if electrons.charge else
            f"charge 0 ({electrons.charge_source})",
            f"{counted(electrons.unpaired, 'unpaired electron')} ({electrons.unpaired_source})",
            _periodicity(atoms),
            counted(fixed, "fixed atom") if fixed else "no fixed atoms",
            "velocities" if atoms.has("momenta") else "no velocities",
            f"frame {self.frame} of {self.frames}",
            *self.notes,
        ]  # fmt: skip
        if self.unused:
            parts.append(f"not used: {listed(self.unused, _LISTED)}")
        return f"{self.path.name}: {'; '.join(parts)}"


def read(
    path: str | Path,
    *,
    frame: int | None = None,
    altloc: str | None = None,
    charge: float | None = None,
    unpaired_electrons: float | None = None,
) -> Reading:
    """Read one structure.

    Args:
        path: a file of any format that ASE reads, mol2, or SD with V3000 records.
        frame: which structure of the file, from 1, or from the end with -1; by default the first of PDB, CIF, mol2
            and SD files and the last of all others.
        altloc: of alternate locations the one to take, "largest" for that of the largest occupancy; None refuses them.
        charge: in e, instead of what the file says.
        unpaired_electrons: likewise.

    Raises:
        HelioError: the file is missing, empty, damaged, of an unknown format or lacks that structure; it holds
            alternatives and `altloc` does not choose; its charge and spin contradict each other or the electrons.
    """
    path = Path(path)
    source = _opened(path)
    number = _number(frame, source.count, first=source.first, path=path)
    return _understood(path, source, number, altloc=altloc, charge=charge, unpaired_electrons=unpaired_electrons)


def read_all(path: str | Path, *, altloc: str | None = None, charge: float | None = None,
             unpaired_electrons: float | None = None) -> list[Reading]:  # fmt: skip
    """Read every structure of a file; arguments and errors as in `read`."""
    path = Path(path)
    source = _opened(path)
    options = {"altloc": altloc, "charge": charge, "unpaired_electrons": unpaired_electrons}
    return [_understood(path, source, number, **options) for number in range(source.count)]  # pyright: ignore


def read_folder(path: str | Path, *, altloc: str | None = None, charge: float | None = None,
                unpaired_electrons: float | None = None) -> list[Reading]:  # fmt: skip
    """Read one structure of each file of a folder, in the order of their names; arguments and errors as in `read`."""
    files = sorted(entry for entry in Path(path).iterdir() if entry.is_file() and not entry.name.startswith("."))
    if not files:
        raise HelioError(f"the folder {path} holds no files")
    return [read(file, altloc=altloc, charge=charge, unpaired_electrons=unpaired_electrons) for file in files]


def read_atoms(path: str | Path, *, every: bool = False) -> list[Atoms]:
    """The structure that is read by default, or every one, with charge and spin as the file has them, unchecked."""
    path = Path(path)
    source = _opened(path)
    numbers = range(source.count) if every else [0 if source.first else source.count - 1]
    with reading_errors(path):
        structures = [source.take(number, None).atoms for number in numbers]
    if any(len(atoms) == 0 for atoms in structures):
        raise HelioError(f"{path} holds no atoms")
    return structures


def each_atoms(path: str | Path) -> Iterator[Atoms]:
    """The structures of a file one after another, as in `read_atoms`; long files of ASE's formats are not held."""
    path = Path(path)
    check_readable(path)
    if _opener(path) is _open_by_ase:
        for atoms in each_structure(path):
            yield without_alternatives(atoms, None)[0]
        return
    source = _opened(path)
    for number in range(source.count):
        with reading_errors(path):
            atoms = source.take(number, None).atoms
        yield atoms


@dataclass(frozen=True, eq=False)
class _Taken:
    """One structure of a file."""

    atoms: Atoms
    notes: Sequence[str] = ()
    unused: Sequence[str] = ()
    words: Mapping[str, str] = field(default_factory=dict)  # as in `electrons_of`


@dataclass(frozen=True)
class _Source:
    """A file whose structures are counted."""

    count: int
    first: bool  # whether the first is taken by default
    take: Callable[[int, str | None], _Taken]  # structure from 0, and `altloc`


def _opened(path: Path) -> _Source:
    check_readable(path)
    try:
        with reading_errors(path):
            return _opener(path)(path)
    except HelioError as error:
        raise _with_place(error, path, str(path)) from None


def _with_place(error: HelioError, path: Path, where: str) -> HelioError:
    """The error, which names the file."""
    return error if str(path) in str(error) else HelioError(f"{where}: {error}")


def _opener(path: Path) -> Callable[[Path], _Source]:
    return _OPENERS.get(Path(uncompressed_name(path)).suffix.lower(), _open_by_ase)


def _open_pdb(path: Path) -> _Source:
    from helio.files.pdb import WORDS as PDB_WORDS
    from helio.files.pdb import pdb_atoms, split_pdb

    with open_text(path, errors="replace") as lines:
        file = split_pdb(lines)
    if not file.models:
        raise HelioError(f"{path} holds no atoms")

    def take(number: int, altloc: str | None) -> _Taken:
        atoms, notes = pdb_atoms(file, number, altloc=altloc)
        return _Taken(atoms, (*file.notes, *notes), file.unused, PDB_WORDS)

    return _Source(len(file.models), True, take)


def _open_sdf(path: Path) -> _Source:
    from helio.files.sdf import sdf_record, split_sdf

    with open_text(path, errors="replace") as file:
        records = split_sdf(file.read())
    if not records:
        raise HelioError(f"{path} holds no molecules")

    def take(number: int, altloc: str | None) -> _Taken:
        record = sdf_record(records[number])
        return _Taken(record.atoms, record.notes, record.unused, record.words)

    return _Source(len(records), True, take)


def _open_mol2(path: Path) -> _Source:
    from helio.files.mol2 import read_mol2

    molecules = read_mol2(path)

    def take(number: int, altloc: str | None) -> _Taken:
        return _Taken(molecules[number].atoms, (), molecules[number].unused, {"initial_charges": "atomic charges"})

    return _Source(len(molecules), True, take)


def _open_gro(path: Path) -> _Source:
    from helio.files.gro import gro_atoms, split_gro

    with open_text(path, errors="replace") as file:
        frames = split_gro(file.read())
    if not frames:
        raise HelioError(f"{path} holds no atoms")
    note = "elements from the names of atoms, charge and spin are not in a .gro file"

    def take(number: int, altloc: str | None) -> _Taken:
        return _Taken(gro_atoms(frames[number]), (note,))

    return _Source(len(frames), False, take)


def _open_by_ase(path: Path) -> _Source:
    count = structure_count(path)

    def take(number: int, altloc: str | None) -> _Taken:
        atoms = ase_structures(path, str(number))[0]
        atoms, notes = without_alternatives(atoms, altloc)
        return _Taken(atoms, notes)

    return _Source(count, Path(uncompressed_name(path)).suffix.lower() == ".cif", take)


_OPENERS: dict[str, Callable[[Path], _Source]] = {
    ".pdb": _open_pdb,
    ".ent": _open_pdb,
    ".sdf": _open_sdf,
    ".sd": _open_sdf,
    ".mol": _open_sdf,
    ".mol2": _open_mol2,
    ".gro": _open_gro,
}


def _number(frame: int | None, count: int, *, first: bool, path: Path) -> int:
    if frame is None:
        return 0 if first else count - 1
    if frame == 0 or not -count <= frame <= count:
        raise HelioError(
            f"{path} holds {counted(count, 'structure')}: --frame must be 1 to {count}, or -1 for the last, not {frame}"
        )
    return frame - 1 if frame > 0 else count + frame


def _understood(
    path: Path,
    source: _Source,
    number: int,
    *,
    altloc: str | None,
    charge: float | None,
    unpaired_electrons: float | None,
) -> Reading:
    try:
        with reading_errors(path):
            taken = source.take(number, altloc)
        atoms, notes, unused = taken.atoms, [*taken.notes], [*taken.unused]
        if len(atoms) == 0:
            raise HelioError("it holds no atoms")
        if path.suffix.lower() == ".gro" and atoms.has("momenta") and not atoms.get_momenta().any():
            del atoms.arrays["momenta"]  # writers of this format put zeros where there are no velocities
        electrons = electrons_of(atoms, charge=charge, unpaired_electrons=unpaired_electrons, words=taken.words)
    except HelioError as error:
        where = str(path) if source.count == 1 else f"structure {number + 1} of {path}"
        raise _with_place(error, path, where) from None
    unused += list(_unused(atoms))
    for key in KEYS:
        atoms.info.pop(key, None)
    atoms.info |= {"charge": electrons.charge, "spin": electrons.unpaired}
    if constraints := other_constraints(atoms):
        notes.append(f"constraints besides fixed atoms: {', '.join(constraints)}")
    if source.count > 1 and len(notes) == 0:
        notes.append("choose another by --frame")
    return Reading(path, atoms, electrons, number + 1, source.count, tuple(notes), tuple(dict.fromkeys(unused)))


def _unused(atoms: Atoms) -> Iterator[str]:
    yield from (str(key) for key in atoms.info if key not in _INFO)
    for name, values in atoms.arrays.items():
        if name not in _ARRAYS and not (name == "tags" and not np.any(values)):
            yield name
    yield from getattr(atoms.calc, "results", {})


def _periodicity(atoms: Atoms) -> str:
    if not atoms.pbc.any():
        return "not periodic"
    lengths = " x ".join(f"{length:.4g}" for length in atoms.cell.lengths()[atoms.pbc])
    if atoms.pbc.all():
        return f"periodic ({lengths} A)"
    axes = " and ".join(axis for axis, periodic in zip("abc", atoms.pbc, strict=True) if periodic)
    return f"periodic along {axes} alone ({lengths} A)"
