"""Zip files: members are read only where what they unpack to is in proportion to the file."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from helio.errors import HelioError, reason
from helio.files.regular_file import regular_file

# What a file may unpack to, in all: so many times its own size, or this many bytes if that is more. Arrays of numbers
# that mean something shrink to a hundredth at most; deflate itself packs zeros to a thousandth.
EXPANSION = 100
SMALL = 2**26

# What reading raises where a zip file is cut off, damaged, encrypted, or packed in a way that Python does not know.
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)


class ZipArchive:
    """An open zip file. What fails while it is read is a `HelioError` that names the file and the member."""

    def __init__(self, archive: zipfile.ZipFile, label: str, what: str) -> None:
        self._archive, self._label, self._what = archive, label, what
        self.sizes = {member.filename: member.file_size for member in archive.infolist() if not member.is_dir()}

    def read(self, name: str, count: int = -1) -> bytearray:
        """The bytes of a member, or the first `count` of them; `HelioError` where there is none or it is damaged."""
        if name not in self.sizes:
            raise HelioError(f"{self._label} lacks {name}: it is damaged or no {self._what}")
        content = bytearray(self.sizes[name] if count < 0 else min(count, self.sizes[name]))
        try:
            with cast(zipfile.ZipExtFile, self._archive.open(name)) as file:
                view, filled = memoryview(content), 0
                while filled < len(content):
                    length = file.readinto(view[filled:])
                    if not length:
                        raise EOFError("it ends early")
                    filled += length
                if count < 0:
                    file.read(1)  # the checksum is compared at the end
        except _ZIP_ERRORS as error:
            raise HelioError(f"{name} in {self._label} cannot be read ({reason(error)}): it is damaged") from error
        return content

    def pieces(self, name: str, length: int, *, skip: int = 0) -> Iterator[bytes]:
        """The bytes of a member after the first `skip`, `length` at a time, the last piece shorter."""
        if name not in self.sizes:
            raise HelioError(f"{self._label} lacks {name}: it is damaged or no {self._what}")
        left = self.sizes[name] - skip
        try:
            with self._archive.open(name) as file:
                file.read(skip)
                while left > 0:
                    piece = file.read(min(length, left))
                    if len(piece) < min(length, left):
                        raise EOFError("it ends early")
                    left -= len(piece)
                    yield piece
                file.read(1)  # the checksum is compared at the end
        except _ZIP_ERRORS as error:
            raise HelioError(f"{name} in {self._label} cannot be read ({reason(error)}): it is damaged") from error


@contextmanager
def open_zip(file: str | Path | bytes, what: str, *, label: str = "") -> Iterator[ZipArchive]:
    """Open a zip file for reading.

    Args:
        file: its path, or its content.
        what: it is, in messages: ".npz file".
        label: stands for the file in messages where its content is given.

    Raises:
        HelioError: there is none, it is damaged, or what its members unpack to is out of proportion to its size.
    """
    if isinstance(file, bytes):
        source, size = io.BytesIO(file), len(file)
    else:
        source = regular_file(file, what)
        label, size = str(file), source.stat().st_size
    try:
        archive = zipfile.ZipFile(source)
    except _ZIP_ERRORS as error:
        raise HelioError(f"{label} is cut off, damaged or no {what} ({reason(error)})") from error
    with archive:
        unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > max(SMALL, EXPANSION * size):
            raise HelioError(
                f"{label} has {size:,} bytes and would unpack to {unpacked:,}: it is no {what} and was not unpacked"
            )
        if len(archive.NameToInfo) != len(archive.infolist()):
            raise HelioError(f"{label} holds several members of one name: it is damaged or no {what}")
        yield ZipArchive(archive, label, what)
