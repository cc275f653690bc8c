"""Structures without what was understood of their files, which `helio.files.structure_reading` tells; and writing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from helio.errors import HelioError
from helio.files.atomic import atomic_path
from helio.files.structure_reading import read_atoms

if TYPE_CHECKING:
    from ase import Atoms


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

    Raises `HelioError` if the file exists and `overwrite` is not set, if the format is unknown, or if the place
    cannot be written.
    """
    import ase.io

    path = Path(path)
    kind = check_writable(path, overwrite=overwrite)
    images = list(atoms) if isinstance(atoms, Sequence) else [atoms]
    with atomic_path(path) as temporary:
        try:
            ase.io.write(temporary, images if len(images) > 1 else images[0], format=kind)
        except (ValueError, KeyError, TypeError) as error:
            raise HelioError(f"{path} cannot be written as {kind}: {error}; .extxyz holds everything") from error


def check_writable(path: str | Path, *, overwrite: bool = False) -> str:
    """The ASE format that the name of `path` stands for; `HelioError` if it exists or has no such name."""
    from ase.io.formats import UnknownFileTypeError, filetype, ioformats

    path = Path(path)
    if path.exists() and not overwrite:
        raise HelioError(f"{path} exists; give another name or --overwrite")
    try:
        kind = filetype(path, read=False)
    except UnknownFileTypeError:
        kind = ""
    if kind not in ioformats or not ioformats[kind].can_write:
        raise HelioError(f"{path} has no extension of a format that ASE writes; use for example {path.stem}.extxyz")
    return kind
