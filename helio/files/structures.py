"""Structures in any format that ASE reads and writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from helio.errors import HelioError
from helio.files.atomic import atomic_path

if TYPE_CHECKING:
    from ase import Atoms

# What the parsers of ASE raise for a file that is damaged.
_PARSER_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    StopIteration,
    SyntaxError,
    TypeError,
    ValueError,
)


def read_structure(path: str | Path, index: int = -1) -> Atoms:
    """Read one structure; by default the last one of the file.

    Raises `HelioError` for a file that is missing, empty, cut off, of an unknown format, or without that structure.
    """
    found = read_structures(path, str(index))
    return found[0]


def each_structure(path: str | Path) -> Iterator[Atoms]:
    """The structures of a file one after another, without holding it in memory.

    Raises `HelioError` for an unknown format, or where the file is damaged, after the structures before the damage.
    """
    import ase.io
    from ase.io.formats import UnknownFileTypeError

    count = 0
    try:
        frames = ase.io.iread(path, index=":")
        while (atoms := next(frames, None)) is not None:
            count += 1
            yield atoms
    except UnknownFileTypeError as error:
        raise HelioError(f"the format of {path} is not known ({error}); use one that ASE reads") from None
    except _PARSER_ERRORS as error:
        raise HelioError(
            f"{path} cannot be read beyond its first {count} structures: it is cut off, damaged or of another format "
            f"than its name says ({type(error).__name__}: {error})"
        ) from error


def read_folder(path: str | Path) -> list[Atoms]:
    """Read the last structure of each file of a folder, in the order of their names."""
    files = sorted(entry for entry in Path(path).iterdir() if entry.is_file() and not entry.name.startswith("."))
    if not files:
        raise HelioError(f"the folder {path} holds no files")
    return [read_structure(file) for file in files]


def read_structures(path: str | Path, index: str = ":") -> list[Atoms]:
    """Read the structures that the ASE index expression `index` names (":" for all, "0", "::10")."""
    import ase.io
    from ase.io.formats import UnknownFileTypeError

    path = Path(path)
    if path.is_dir():
        raise HelioError(f"{path} is a folder, not a structure file")
    if not path.exists():
        raise HelioError(f"there is no file {path}")
    try:
        if path.stat().st_size == 0:
            raise HelioError(f"{path} is empty")
        found = ase.io.read(path, index=index)
    except HelioError:
        raise
    except PermissionError:
        raise HelioError(f"{path} may not be read: check its permissions") from None
    except UnknownFileTypeError as error:
        raise HelioError(
            f"the format of {path} is not known ({error}); use one that ASE reads, such as .xyz, .extxyz, .pdb, "
            ".cif, .gro or POSCAR"
        ) from None
    except _PARSER_ERRORS as error:
        raise HelioError(
            f"{path} cannot be read as a structure: it is cut off, damaged or of another format than its name says "
            f"({type(error).__name__}: {error})"
        ) from error
    structures = found if isinstance(found, list) else [found]
    if not structures or any(len(atoms) == 0 for atoms in structures):
        raise HelioError(f"{path} holds no atoms")
    return structures


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
    from ase.io.formats import filetype, ioformats

    path = Path(path)
    if path.exists() and not overwrite:
        raise HelioError(f"{path} exists; give another name or --overwrite")
    kind = filetype(path, read=False)
    if kind not in ioformats or not ioformats[kind].can_write:
        raise HelioError(f"{path} has no extension of a format that ASE writes; use for example {path.stem}.extxyz")
    return kind
