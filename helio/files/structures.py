"""Structures without what was understood of their files, which `helio.files.structure_reading` tells; and writing."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from helio.errors import HelioError
from helio.files.atomic import atomic_path, disk_errors
from helio.files.gro import gro_text
from helio.files.pdb import totals_remark
from helio.files.sdf import charge_items
from helio.files.selective_dynamics import selective_flags, with_selective_dynamics
from helio.files.structure_reading import read_atoms

if TYPE_CHECKING:
    from ase import Atoms

# Formats that know a cell that is periodic in all directions, or none.
_WITH_A_CELL = ("vasp",)
_ALL_OR_NO_DIRECTIONS = ("proteindatabank", "gromacs", "cif", "vasp")
# What the writers of ASE raise for atoms that a format cannot hold.
_WRITER_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)


def read_structure(path: str | Path) -> Atoms:
    """The structure of a file that is read by default, with charge and spin under the names that the file has.

    Raises `HelioError` for a file that is missing, empty, cut off, of an unknown format, or without atoms.
    """
    return read_atoms(path)[-1]


def read_structures(path: str | Path) -> list[Atoms]:
    """All structures of a file; errors as in `read_structure`."""
    return read_atoms(path, every=True)


def write_structure(path: str | Path, atoms: Atoms | Sequence[Atoms], *, overwrite: bool = False) -> None:
    """Write structures in the format of the file's extension, all or nothing.

    Extended xyz holds everything that Helio reads; `docs/structure-files.md` says what others do.

    Raises `HelioError` if the file exists and `overwrite` is not set, if the format is unknown or cannot hold the
    periodic directions or constraints, or if the place cannot be written.
    """
    import ase.io

    path = Path(path)
    images = list(atoms) if isinstance(atoms, Sequence) else [atoms]
    kind = check_writable(path, images, overwrite=overwrite)
    if kind == "extxyz":
        images = [_with_written_names(image) for image in images]
    if kind == "vasp":
        images = [with_selective_dynamics(image) for image in images]
    with atomic_path(path) as temporary:
        try:
            content = images if len(images) > 1 else images[0]
            if kind in ("proteindatabank", "sdf", "gromacs"):
                temporary.write_text(_text(images, kind), encoding="utf-8")
            else:
                ase.io.write(temporary, content, format=kind)
        except _WRITER_ERRORS as error:
            raise HelioError(f"{path} cannot be written as {kind}: {error}; .extxyz holds everything") from error


def check_writable(path: str | Path, images: Sequence[Atoms] = (), *, overwrite: bool = False) -> str:
    """The ASE format that the name of `path` stands for.

    Raises `HelioError` if it exists and `overwrite` is not set, if it has no such name, or if the format cannot hold
    periodic directions or constraints of `images`.
    """
    from ase.io.formats import UnknownFileTypeError, filetype, ioformats

    path = Path(path)
    with disk_errors(path):
        if path.exists() and not overwrite:
            raise HelioError(f"{path} exists; give another name or --overwrite")
    try:
        # ASE takes names that begin with "mysql" or "postgres" for addresses of servers.
        kind = filetype(str(path.absolute()), read=False)
    except UnknownFileTypeError:
        kind = ""
    if kind not in ioformats or not ioformats[kind].can_write:
        raise HelioError(f"{path} has no extension of a format that ASE writes; use for example {path.stem}.extxyz")
    for image in images:
        _check_holds(path, kind, image)
    return kind


def _check_holds(path: Path, kind: str, atoms: Atoms) -> None:
    if kind in _ALL_OR_NO_DIRECTIONS and atoms.pbc.any() and not atoms.pbc.all():
        raise HelioError(f"{path} cannot say that some directions alone are periodic; .extxyz can")
    if kind in _WITH_A_CELL and not atoms.pbc.all():
        raise HelioError(f"{path} needs a cell, which the structure has not; .extxyz and .xyz do without")
    if kind == "vasp":
        try:
            selective_flags(atoms)
        except ValueError as error:
            raise HelioError(f"{path} cannot hold the constraints of the structure: {error}; .traj can") from None


def _text(images: Sequence[Atoms], kind: str) -> str:
    """The content of a gro, PDB or SD file, the latter with charge and unpaired electrons, which ASE leaves out."""
    import ase.io

    if kind == "gromacs":
        return "".join(gro_text(image) for image in images)
    text = io.StringIO()
    if kind == "proteindatabank":
        if any(((image.positions < -999) | (image.positions > 9999)).any() for image in images):
            raise ValueError("positions are beyond its columns")
        ase.io.write(text, images, format=kind)
        remarks = {totals_remark(image.info) for image in images}
        return (remarks.pop() if len(remarks) == 1 else "") + text.getvalue()
    for image in images:
        record = io.StringIO()
        ase.io.write(record, image, format=kind)
        text.write(record.getvalue().replace("$$$$\n", charge_items(image.info) + "$$$$\n"))
    return text.getvalue()


def _with_written_names(atoms: Atoms) -> Atoms:
    """The atoms with names that make one column each: an empty name or one with blanks would be read as another."""
    texts = {name: values for name, values in atoms.arrays.items() if values.dtype.kind in "US"}
    if not texts:
        return atoms
    written = atoms.copy()
    written.calc = atoms.calc
    for name, values in texts.items():
        del written.arrays[name]
        words = ["_".join(str(value).split()) for value in values]
        if any(words):  # an array of empty names says nothing
            written.set_array(name, np.array([word or "_" for word in words]))
    return written
