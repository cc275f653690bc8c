"""Counts that a structure file states, held against its size, before a parser believes it.

Parsers make room for as many atoms, grid points or columns as a file names in its first lines, and some read on beyond
the end of a file for ever.
"""

from __future__ import annotations

import io
import re
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

from helio.errors import HelioError

# The first lines of a file in which its counts stand.
_HEAD_LINES = 100
# Bytes that any atom, number or grid point takes at least: a digit and a blank.
_LEAST_BYTES = 2
# A reader that meets the end of a file more often than this in a row does not stop at it.
_MAX_READS_AT_END = 1000


def check_counts(path: str | Path, kind: str) -> None:
    """Raise `HelioError` where a file names more atoms, points or columns than it has room for.

    Args:
        path: of the file, which may be compressed.
        kind: its format, as ASE names it.
    """
    if kind not in _COUNTS:
        return
    try:
        with open_bytes(path) as file:
            size = _size(file)
            for count, noun in _COUNTS[kind](file, size):
                if count > size // _LEAST_BYTES:
                    raise HelioError(
                        f"{path} says that it holds {_short(count)} {noun}, which a file of {size} bytes cannot: it is "
                        "cut off or damaged"
                    )
    except (OSError, EOFError) as error:
        raise HelioError(f"{path} cannot be read ({error})") from error
    except _TooFewError as error:
        raise HelioError(f"{path} {error}: it is cut off or damaged") from None


def open_text(path: str | Path, *, encoding: str = "utf-8", errors: str = "strict") -> IO[str]:
    """A text file, compressed or not, that raises `EOFError` for a parser that goes on reading beyond its end."""
    return cast(IO[str], _EndingText(cast(Any, open_bytes(path)), encoding=encoding, errors=errors))


# The counts that a file announces, with their nouns, from the file and its size in bytes.
_Counts = Callable[[IO[bytes], int], Iterator[tuple[int, str]]]


class _TooFewError(Exception):
    """A file holds less than it announces."""


class _EndingText(io.TextIOWrapper):
    _reads_at_end = 0

    def readline(self, size: int = -1) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        line = super().readline(size)
        self._count(line)
        return line

    def read(self, size: int | None = -1) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        text = super().read(size)
        self._count(text)
        return text

    def _count(self, text: str) -> None:
        self._reads_at_end = 0 if text else self._reads_at_end + 1
        if self._reads_at_end > _MAX_READS_AT_END:
            raise EOFError("the file ends before what it announces")


def open_bytes(path: str | Path) -> IO[bytes]:
    """The content of a file, compressed or not."""
    from ase.io.formats import open_with_compression

    return cast(IO[bytes], open_with_compression(str(path), "rb"))


def _size(file: IO[bytes]) -> int:
    """In bytes, of the uncompressed content; the file is at its start again."""
    file.seek(0, io.SEEK_END)
    size = file.tell()
    file.seek(0)
    return size


def _short(count: int) -> str:
    return str(count) if count < 10**15 else "more than 10^15"


def _number(word: bytes) -> int:
    """A count; too long ones are cut, which leaves them too large for any file."""
    return int(word[:18])


def _xyz_counts(file: IO[bytes], size: int) -> Iterator[tuple[int, str]]:
    """Atoms and columns of each frame."""
    while line := file.readline():
        words = line.split()
        if len(words) != 1 or not words[0].isdigit():
            return  # blank lines at the end; anything else the parser reports
        count = _number(words[0])
        yield count, "atoms in a frame"
        columns = _columns(file.readline())
        if count and columns:
            atom = file.readline()
            yield count * columns, "values in a frame"
            if columns > len(atom.split()):
                raise _TooFewError(f"announces {_short(columns)} columns; its first atom has {len(atom.split())}")
            count -= 1
        deque(islice(file, count), maxlen=0)


def _columns(comment: bytes) -> int:
    """The number of columns that the `Properties` of a line of an extended xyz file name; 0 without."""
    match = re.search(rb"""Properties\s*=\s*["']?([^\s"']+)""", comment)
    if match is None:
        return 0
    return sum(_number(word) for word in match[1].split(b":")[2::3] if word.isdigit())


def _counts_after(
    pattern: bytes, noun: str, *, lines: int | None = _HEAD_LINES
) -> Callable[..., Iterator[tuple[int, str]]]:
    """The numbers, multiplied where there are several, that the groups of a pattern find in the first lines."""
    compiled = re.compile(pattern, re.IGNORECASE | re.MULTILINE)

    def counts(file: IO[bytes], size: int) -> Iterator[tuple[int, str]]:
        text = b"".join(islice(file, lines))
        for match in compiled.finditer(text):
            for word in b" ".join(group for group in match.groups() if group).split():
                yield _number(word), noun

    return counts


def _vasp_counts(file: IO[bytes], size: int) -> Iterator[tuple[int, str]]:
    """The line of counts is the sixth or, where elements have a line, the seventh."""
    for line in list(islice(file, 7))[5:]:
        words = line.split()
        if words and all(word.isdigit() for word in words):
            yield sum(map(_number, words)), "atoms"
            return


def _cube_counts(file: IO[bytes], size: int) -> Iterator[tuple[int, str]]:
    """Atoms in the third line, points along three directions in those after it."""
    words = [line.split()[:1] for line in islice(file, 2, 6)]
    numbers = [_number(word[0].lstrip(b"-")) for word in words if word and word[0].lstrip(b"-").isdigit()]
    if len(numbers) == 4:
        yield numbers[0], "atoms"
        yield numbers[1] * numbers[2] * numbers[3], "points of a grid"


_COUNTS: dict[str, _Counts] = {
    "xyz": _xyz_counts,
    "extxyz": _xyz_counts,
    "vasp": _vasp_counts,
    "vasp-xdatcar": _vasp_counts,
    "cube": _cube_counts,
    "gen": _counts_after(rb"\A\s*(\d+)", "atoms"),
    "cfg": _counts_after(rb"^\s*number\s+of\s+particles\s*=\s*(\d+)", "atoms"),
    "dlp4": _counts_after(rb"\A[^\n]*\n\s*\d+\s+\d+\s+(\d+)", "atoms"),
    "dlp-history": _counts_after(rb"^\s*timestep\s+\d+\s+(\d+)", "atoms", lines=None),
    "lammps-data": _counts_after(rb"^\s*(\d+)\s+atoms\b", "atoms"),
    "lammps-dump-text": _counts_after(rb"^ITEM: NUMBER OF ATOMS\s*\n\s*(\d+)", "atoms", lines=None),
    "xsf": _counts_after(rb"^\s*PRIMCOORD[^\n]*\n\s*(\d+)", "atoms", lines=None),
}
