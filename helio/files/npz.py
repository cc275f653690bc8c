"""Files of numpy arrays (.npz): the header of an array is compared with its bytes before memory is taken for it."""

from __future__ import annotations

import io
import math
import tokenize
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from helio.errors import HelioError, reason
from helio.files.zip_file import ZipArchive, open_zip

# Booleans, integers, floating-point and complex numbers, bytes and texts: no objects, which would have to be unpickled.
_KINDS = "biufcSU"
_HEADER_BYTES = 2**16  # numpy's headers of plain arrays have 128
_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
# What numpy raises for a header that is damaged: it is read as an expression of Python.
_HEADER_ERRORS = (
    ArithmeticError,
    LookupError,
    MemoryError,
    RecursionError,
    SyntaxError,
    tokenize.TokenError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True)
class ArrayHeader:
    """The header of an array, which fits the bytes that are there."""

    shape: tuple[int, ...]
    dtype: np.dtype
    fortran_order: bool
    begin: int  # of the numbers in the member, bytes


class NpzFile:
    """An open .npz file: `name in file`, `file.headers[name].shape`, `file[name]`."""

    def __init__(self, archive: ZipArchive, path: Path) -> None:
        self._archive, self.path = archive, path
        members = [member for member in archive.sizes if member.endswith(".npy")]
        self.headers = {member.removesuffix(".npy"): self._header(member) for member in members}

    def __contains__(self, name: str) -> bool:
        return name in self.headers

    def __iter__(self) -> Iterator[str]:
        return iter(self.headers)

    def __getitem__(self, name: str) -> np.ndarray:
        """The array; `HelioError` where the file lacks it, or its bytes are damaged."""
        if name not in self.headers:
            raise HelioError(f"{self.path} holds no array {name}: it has {', '.join(list(self.headers)[:10])}")
        header, content = self.headers[name], self._archive.read(f"{name}.npy")
        flat = np.frombuffer(content, header.dtype, offset=header.begin)
        if header.dtype.kind == "U":
            try:
                flat.tolist()
            except ValueError as error:
                raise HelioError(f"the array {name} of {self.path} holds no texts: the file is damaged") from error
        return flat.reshape(header.shape, order="F" if header.fortran_order else "C")

    def rows(self, name: str, at_once: int) -> Iterator[np.ndarray]:
        """The array in blocks of rows (R, ...), `at_once` of them and the last one shorter, read as they are needed.

        An array in Fortran order, whose rows do not stand together, is read as a whole.
        """
        header = self.headers[name]
        size = math.prod(header.shape[1:]) * header.dtype.itemsize
        if header.fortran_order or size == 0:
            values = self[name]
            for start in range(0, len(values), at_once):
                yield values[start : start + at_once]
            return
        for piece in self._archive.pieces(f"{name}.npy", at_once * size, skip=header.begin):
            yield np.frombuffer(piece, header.dtype).reshape(-1, *header.shape[1:])

    def _header(self, member: str) -> ArrayHeader:
        name = member.removesuffix(".npy")
        head = io.BytesIO(self._archive.read(member, _HEADER_BYTES))
        try:
            read_header = _READERS[np.lib.format.read_magic(head)]
            shape, fortran_order, dtype = read_header(head, max_header_size=_HEADER_BYTES)
            sizes = [int(size) for size in shape]
        except _HEADER_ERRORS as error:
            raise HelioError(f"{self.path} is damaged: {name} in it is no array of numpy ({reason(error)})") from error
        if dtype.kind not in _KINDS or dtype.itemsize == 0:
            raise HelioError(f"the array {name} of {self.path} holds objects, not numbers: it was not read")
        present = self._archive.sizes[member] - head.tell()
        possible = all(0 <= size <= sum(self._archive.sizes.values()) for size in sizes)  # also of an empty array
        if not possible or math.prod(sizes) * dtype.itemsize != present:
            raise HelioError(
                f"the array {name} of {self.path} should have the shape {tuple(shape)} of {dtype.name}, but "
                f"{present:,} bytes are there: the file is damaged"
            )
        return ArrayHeader(tuple(sizes), dtype, bool(fortran_order), head.tell())


@contextmanager
def open_npz(path: str | Path, what: str = ".npz file") -> Iterator[NpzFile]:
    """Open an .npz file for reading.

    Raises:
        HelioError: there is none, it is cut off or damaged, would unpack to far more than its size, or holds anything
            but arrays of numbers and texts whose shapes fit their bytes. Reading an array may raise it too.
    """
    with open_zip(path, what) as archive:
        yield NpzFile(archive, Path(path))
