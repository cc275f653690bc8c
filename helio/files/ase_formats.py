"""Files of the formats that ASE reads, with its readers' errors as one sentence."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from helio.errors import HelioError, excerpt
from helio.files.structure_bounds import check_counts, open_bytes, open_text

if TYPE_CHECKING:
    from ase import Atoms

# What parsers raise for a file that is damaged, or that needs a package which is not there.
_PARSER_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    StopIteration,
    SyntaxError,
    TypeError,
    ValueError,
    sqlite3.Error,
)
# The longest part of a parser's own message that is worth a reader's time.
_MESSAGE = 200


@contextmanager
def reading_errors(path: str | Path, *, after: list[int] | None = None) -> Iterator[None]:
    """Turn whatever a parser raises for a damaged file into a `HelioError` of one sentence.

    Args:
        path: of the file.
        after: its last number says how many structures were read before the damage, where that is known.
    """
    from ase.io.formats import UnknownFileTypeError

    try:
        yield
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
        where = f" beyond its first {after[-1]} structures" if after else " as a structure"
        message = " ".join(f"{type(error).__name__}: {error}"[:_MESSAGE].split())
        raise HelioError(
            f"{path} cannot be read{where}: it is cut off, damaged or of another format than its name says ({message})"
        ) from error


def check_readable(path: Path) -> None:
    """Raise `HelioError` where there is no file, or one that is empty or may not be read."""
    try:
        if path.is_dir():
            raise HelioError(f"{path} is a folder, not a structure file")
        if not path.exists():
            raise HelioError(f"there is no file {path}")
        with path.open("rb") as file:
            if not file.read(1):
                raise HelioError(f"{path} is empty")
    except PermissionError:
        raise HelioError(f"{path} may not be read: check its permissions") from None
    except (OSError, RuntimeError) as error:
        raise HelioError(f"{path} cannot be read ({error})") from None


def uncompressed_name(path: Path) -> str:
    """The name of a file without an extension of compression."""
    from ase.io.formats import get_compression

    return get_compression(path.name)[0]


def structure_count(path: Path) -> int:
    """How many structures the file holds; `HelioError` for a file without any, or that is damaged."""
    is_xyz = Path(uncompressed_name(path)).suffix.lower() in (".xyz", ".extxyz")
    count = _frames_of_xyz(path) if is_xyz else sum(1 for _ in each_structure(path))
    if count == 0:
        raise HelioError(f"{path} holds no atoms")
    return count


def _frames_of_xyz(path: Path) -> int:
    """Frames by their lines of counts, without reading the atoms; what is wrong with a file its reader tells."""
    check_counts(path, "extxyz")
    count = 0
    with reading_errors(path), open_bytes(path) as lines:
        while (line := lines.readline()).strip().isdigit():
            deque(islice(lines, 1 + int(line)), maxlen=0)
            count += 1
    return max(count, 1)


def each_structure(path: str | Path) -> Iterator[Atoms]:
    """The structures of a file one after another, without holding it in memory.

    Raises `HelioError` for an unknown format, or where the file is damaged, after the structures before the damage.
    """
    import ase.io

    path, count = Path(path), [0]
    with reading_errors(path, after=count), _source(path) as (source, kind):
        frames = ase.io.iread(source, index=":", format=kind, do_not_split_by_at_sign=True)
        while (atoms := next(frames, None)) is not None:
            count[0] += 1
            yield atoms


def ase_structures(path: str | Path, index: str = ":") -> list[Atoms]:
    """Read the structures that the ASE index expression `index` names (":" for all, "0", "::10")."""
    import ase.io

    path = Path(path)
    check_readable(path)
    with reading_errors(path), _source(path) as (source, kind):
        content = ase.io.read(source, index=index, format=kind, do_not_split_by_at_sign=True)
    structures = content if isinstance(content, list) else [content]
    if not structures or any(len(atoms) == 0 for atoms in structures):
        raise HelioError(f"{path} holds no atoms")
    return structures


@contextmanager
def _source(path: Path) -> Iterator[tuple[IO[str] | str, str]]:
    """The input of a parser of ASE, and its format: the open file where that will do, else the path.

    Raises:
        HelioError: the file announces more than it has room for.
    """
    from ase.io.formats import UnknownFileTypeError, filetype, get_ioformat

    # ASE takes names that begin with "mysql" or "postgres" for addresses of servers.
    kind = filetype(str(path.absolute()))
    check_counts(path, kind)
    if kind == "db":
        _check_lengths(path)
    try:
        details: Any = get_ioformat(kind)
    except UnknownFileTypeError:
        raise HelioError(
            f"the format of {path} is not known ({kind}); use one that ASE reads, such as .xyz, .extxyz, .pdb, .cif, "
            ".gro or POSCAR"
        ) from None
    if details.isbinary or not details.acceptsfd:
        yield str(path.absolute()), kind
        return
    with open_text(path, encoding=details.encoding or "utf-8") as file:
        yield file, kind


def _check_lengths(path: Path) -> None:
    """Raise `HelioError` where the metadata of a database, as SchNetPack writes them, name another unit than A."""
    import ase.db

    metadata: Any = ase.db.connect(path, type="db").metadata
    unit = metadata.get("_distance_unit") if isinstance(metadata, dict) else None
    if unit not in (None, "A", "Ang", "ang", "Angstrom", "angstrom"):
        raise HelioError(
            f"{path} has its positions in the unit {excerpt(unit)}, not in A: convert it (helio data import and helio "
            "eval read it as it is)"
        )
