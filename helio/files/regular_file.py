"""Reading a file that somebody else may have written: it is there, it is a file, and it is no larger than it may be."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from helio.errors import HelioError
from helio.files.atomic import disk_errors


def regular_file(path: str | Path, what: str = "file", *, hint: str = "") -> Path:
    """The path of a file that can be read.

    A pipe, a device or a socket is none: reading it could wait or go on for ever.

    Args:
        path: where it is; links are followed.
        what: it is, in messages: "store of frameworks".
        hint: what to do where there is none, in messages.

    Raises:
        HelioError: there is nothing, a folder or something else that is no file, or it may not be read.
    """
    path, hint = Path(path), f": {hint}" if hint else ""
    try:
        with disk_errors(path, "read"):
            mode = path.stat().st_mode
    except OSError as error:  # a loop of links
        raise HelioError(f"cannot read {path}: {error.strerror or error}") from None
    except ValueError:  # a NUL in the name
        raise HelioError(f"{str(path)!r} is no name of a file") from None
    except HelioError as error:
        if isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
            raise HelioError(f"there is no {what} {path}{hint}") from None
        raise
    if stat.S_ISDIR(mode):
        raise HelioError(f"{path} is a folder, not a {what}{hint}")
    if not stat.S_ISREG(mode):
        raise HelioError(f"{path} is a pipe or a device, not a {what}{hint}")
    if not os.access(path, os.R_OK):
        raise HelioError(f"{path} may not be read: check its permissions")
    return path


def read_bytes(path: str | Path, what: str = "file", *, max_bytes: int, hint: str = "") -> bytes:
    """The content of a file of at most `max_bytes`; raises `HelioError` as `regular_file`, and for a larger one."""
    path = regular_file(path, what, hint=hint)
    try:
        with disk_errors(path, "read"), path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise HelioError(f"cannot read {path}: {error.strerror or error}") from None
    if len(content) > max_bytes:
        raise HelioError(f"{path} is larger than any {what} ({max_bytes:,} bytes): choose another file")
    return content


def read_text(path: str | Path, what: str = "file", *, max_bytes: int, hint: str = "") -> str:
    """The text of a file in UTF-8; raises `HelioError` as `read_bytes`, and for bytes that are no text."""
    try:
        return read_bytes(path, what, max_bytes=max_bytes, hint=hint).decode("utf-8")
    except UnicodeDecodeError as error:
        raise HelioError(f"{path} is no text in UTF-8 (byte {error.start}): it is damaged or not a {what}") from None
