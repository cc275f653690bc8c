"""HDF5 files: opened, looked through and read in one guarded way.

Files of Helio's own say in their attributes `format` and `version` what they are. A file may claim more than it holds:
data sets of any size without a single byte of them, links that lead out of the file or in a circle. What is read is
first compared with the size of the file.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import h5py
import numpy as np

from helio.errors import HelioError, reason
from helio.files.regular_file import regular_file

# What reading a damaged file raises: h5py for what HDF5 reports, numpy and Python for what is of another type, shape or
# size than it should be.
READING = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    RecursionError,
    RuntimeError,
    StopIteration,
    TypeError,
    ValueError,
)

# What all data sets may take, in all: so many times the file's size, or this many bytes if that is more. Compressed
# numbers that mean something shrink to a hundredth at most.
EXPANSION = 100
SMALL = 2**26
_MAX_DEPTH = 32  # of groups in each other
_SIGNATURE = b"\x89HDF\r\n\x1a\n"

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def open_store(path: str | Path, *, format: str, version: int, what: str, maker: str) -> h5py.File:
    """Open a file of one kind for reading.

    Args:
        path: where it is.
        format: what its attribute of this name must be.
        version: likewise.
        what: it is, in messages: "store of frameworks".
        maker: the commands that make one, in messages.

    Raises:
        HelioError: it does not exist, may not be read, is cut off, damaged, something else or of another version.
    """
    path, name = Path(path), what.partition(" ")[0]
    try:
        if not path.is_file():
            raise HelioError(f"there is no {name} {path}")
        if not is_hdf5(path):
            raise HelioError(f"{path} is no {what}: {maker} makes one")
        file = h5py.File(path, "r")
    except PermissionError:
        raise HelioError(f"{path} may not be read: check its permissions") from None
    except READING as error:
        raise damage(path, error, what=what, maker=maker) from error
    try:
        with reading(path, what=what, maker=maker):
            present, of_version = file.attrs.get("format"), int(np.asarray(file.attrs.get("version", 0)))
            if not isinstance(present, str) or present != format:
                raise HelioError(f"{path} is no {what}: {maker} makes one")
            if of_version != version:
                mend = "update Helio" if of_version > version else f"make it anew by {maker}"
                raise HelioError(
                    f"{path} is a {what} of version {of_version}, this Helio reads version {version}: {mend}"
                )
            check_content(file)
    except BaseException:
        file.close()
        raise
    return file


@contextmanager
def open_hdf5(path: str | Path, what: str = "HDF5 file", *, hint: str = "copy or make it again") -> Iterator[h5py.File]:
    """Open any HDF5 file for reading; what cannot be read of it within the block is damage of the file.

    Raises:
        HelioError: there is none, it may not be read, is cut off or damaged; also within the block.
    """
    path = regular_file(path, what)
    try:
        with h5py.File(path, "r") as file:
            yield file
    except READING as error:
        raise HelioError(f"the {what} {path} is cut off or damaged ({reason(error)}): {hint}") from error


@contextmanager
def reading(path: Path, *, what: str, maker: str) -> Iterator[None]:
    """Within the block a file is read: what cannot be read is damage, a `HelioError` about `path`."""
    try:
        yield
    except READING as error:
        raise damage(path, error, what=what, maker=maker) from error


def guarded(method: Callable[Concatenate[Any, Arguments], Result]) -> Callable[Concatenate[Any, Arguments], Result]:
    """A method that reads the file of its object, with `reading` around it.

    The object has the file's `path`, what it is (`WHAT`: "store of frameworks") and what makes one (`MAKER`).
    """

    @wraps(method)
    def read(self: Any, *args: Arguments.args, **settings: Arguments.kwargs) -> Result:
        with reading(self.path, what=self.WHAT, maker=self.MAKER):
            return method(self, *args, **settings)

    return read


def damage(path: Path, error: BaseException, *, what: str, maker: str) -> HelioError:
    """What to tell where reading raised one of `READING`."""
    said = f"{error} is missing" if isinstance(error, KeyError) else reason(error)
    return HelioError(f"the {what} {path} is cut off or damaged ({said}): make it anew by {maker}")


def check_content(file: h5py.File, *, parts: re.Pattern[str] | None = None, parts_bytes: int = 0) -> None:
    """Look a file through before anything in it is read.

    Args:
        file: open.
        parts: names of other files, relative to its folder, that its virtual data sets may refer to.
        parts_bytes: the size of those that are there.

    Raises:
        ValueError: links lead out of the file or in a circle, it refers to other files than those, or its data sets
            claim more than it can hold.
    """
    limit, total = _limit(file.id.get_filesize() + parts_bytes), 0
    groups: list[tuple[h5py.Group, int]] = [(file, 0)]
    while groups:
        group, depth = groups.pop()
        for name in group:
            child = linked(group, str(name))
            if isinstance(child, h5py.Group):
                if depth >= _MAX_DEPTH:
                    raise ValueError(f"groups are more than {_MAX_DEPTH} deep in each other, or in a circle")
                groups.append((child, depth + 1))
            elif isinstance(child, h5py.Dataset):
                total += _claimed(child)
                sources = child.virtual_sources() if child.is_virtual else []
                known = parts is not None and all(parts.fullmatch(source.file_name) for source in sources)
                if child.external or (sources and not known):
                    raise ValueError(f"{child.name} refers to other files")
        if total > limit:
            raise ValueError(f"its data sets claim {total:,} bytes, which the file cannot hold")


def linked(group: h5py.Group, name: str) -> Any:
    """The entry of a group under a name; raises `ValueError` for a link that leads elsewhere."""
    link = group.get(name, getlink=True)
    if isinstance(link, h5py.SoftLink | h5py.ExternalLink):
        raise ValueError(f"{name} is a link to {link.path[:80]}")
    return group[name]


def checked_dataset(dataset: Any) -> h5py.Dataset:
    """A data set that may be read as a whole; `ValueError` where it is none or claims more than its file can hold."""
    if not isinstance(dataset, h5py.Dataset):
        raise ValueError(f"{getattr(dataset, 'name', 'the object')} is no data set")
    if dataset.external or dataset.is_virtual:
        raise ValueError(f"{dataset.name} refers to other files")
    if _claimed(dataset) > _limit(dataset.file.id.get_filesize()):
        raise ValueError(f"{dataset.name} claims the shape {dataset.shape}, which the file cannot hold")
    return dataset


def check_rows(begins: h5py.Dataset, count: int, *tables: h5py.Dataset) -> None:
    """Raise `ValueError` unless `begins` (count + 1,) says where each of `count` parts of the tables begins."""
    rows = np.asarray(begins)
    if rows.shape != (count + 1,) or rows.dtype.kind not in "iu":
        raise ValueError(f"{begins.name} is not {count + 1} whole numbers")
    if rows[0] != 0 or (np.diff(rows.astype(np.int64)) < 0).any():
        raise ValueError(f"{begins.name} does not rise from zero")
    for table in tables:
        if not table.shape or len(table) != rows[-1]:
            raise ValueError(f"{table.name} has the shape {table.shape} instead of {rows[-1]} rows")


def is_hdf5(path: Path) -> bool:
    """Whether the file begins like HDF5."""
    with path.open("rb") as file:
        return file.read(len(_SIGNATURE)) == _SIGNATURE


def _claimed(dataset: h5py.Dataset) -> int:
    """Bytes of a data set in memory; texts of any length count as pointers."""
    return math.prod(int(size) for size in dataset.shape or ()) * dataset.dtype.itemsize


def _limit(size: int) -> int:
    return max(SMALL, EXPANSION * size)
