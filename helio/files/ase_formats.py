"""Files of the formats that ASE reads, with its readers' errors as one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from helio.errors import HelioError

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


def check_readable(path: Path) -> None:
    """Raise `HelioError` where there is no file, or one that is empty or may not be read."""
    if path.is_dir():
        raise HelioError(f"{path} is a folder, not a structure file")
    if not path.exists():
        raise HelioError(f"there is no file {path}")
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise HelioError(f"{path} is empty")
    except PermissionError:
        raise HelioError(f"{path} may not be read: check its permissions") from None
    except OSError as error:
        raise HelioError(f"{path} cannot be read ({error})") from None


def structure_count(path: Path) -> int:
    """How many structures the file holds; `HelioError` for a file without any, or that is damaged."""
    count = _frames_of_xyz(path) if path.suffix.lower() in (".xyz", ".extxyz") else sum(1 for _ in each_structure(path))
    if count == 0:
        raise HelioError(f"{path} holds no atoms")
    return count


def _frames_of_xyz(path: Path) -> int:
    """Frames by their lines of counts, without reading the atoms; what is wrong with a file its reader tells."""
    count = 0
    with path.open("rb") as lines:
        while line := lines.readline():
            if not line.strip().isdigit() or len(line) > 20:
                break
            for _ in range(1 + int(line)):
                if not lines.readline():
                    break
            count += 1
    return max(count, 1)


def each_structure(path: str | Path) -> Iterator[Atoms]:
    """The structures of a file one after another, without holding it in memory.

    Raises `HelioError` for an unknown format, or where the file is damaged, after the structures before the damage.
    """
    import ase.io
    from ase.io.formats import UnknownFileTypeError

    count = 0
    try:
        frames = ase.io.iread(path, index=":", do_not_split_by_at_sign=True)
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


def ase_structures(path: str | Path, index: str = ":") -> list[Atoms]:
    """Read the structures that the ASE index expression `index` names (":" for all, "0", "::10")."""
    import ase.io
    from ase.io.formats import UnknownFileTypeError

    path = Path(path)
    check_readable(path)
    try:
        found = ase.io.read(path, index=index, do_not_split_by_at_sign=True)
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
