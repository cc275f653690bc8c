"""Files that appear whole or not at all.

A file is written under another name in the same folder, flushed to the disk and then renamed: readers and a crash
see either the old content or the new, never a part of it.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from helio.errors import HelioError

_ADVICE = {
    errno.ENOSPC: "the disk is full: free some space or choose another folder",
    errno.EDQUOT: "the disk quota is used up: free some space or choose another folder",
    errno.EFBIG: "the file would be larger than the system allows: raise the limit or choose another disk",
    errno.EACCES: "permission denied: choose a folder that you may write to",
    errno.EPERM: "the system does not permit it: choose a folder that you may write to",
    errno.EROFS: "the file system is read-only: choose another folder",
    errno.ENOENT: "its folder does not exist: create it or choose another",
    errno.ENOTDIR: "a part of its path is a file, not a folder: choose another path",
    errno.EISDIR: "there is a folder of that name: choose another path",
    errno.EEXIST: "a file stands where a folder is needed: choose another path",
    errno.ENAMETOOLONG: "the name is too long: choose a shorter one",
    errno.ELOOP: "its path is a loop of links: remove the link",
    errno.EIO: "the disk reported an error: check the disk or choose another folder",
}

# Files that lie in folders of runs, campaigns and unfinished data sets.
_RUN_MARKS = (".helio-run.json", "settings.yaml", "record.sqlite", "recipe.json")


@contextmanager
def disk_errors(path: str | Path, action: str = "write") -> Iterator[None]:
    """Turn disk trouble in the block (full, read-only, no permission, no folder) into a `HelioError` about `path`.

    Any other `OSError` passes through unchanged.
    """
    try:
        yield
    except OSError as error:
        if (advice := advice_on(error)) is None:
            raise
        raise HelioError(f"cannot {action} {path}: {advice}") from error


def advice_on(error: OSError) -> str | None:
    """A sentence on what is wrong with a disk or a path and what to do; None for other errors."""
    return None if error.errno is None else _ADVICE.get(error.errno)


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to; it becomes `path` when the block ends without an error.

    The temporary name keeps the suffix (writers choose a format by it). If the block fails in any way, `path` stays as
    it was and the temporary file is removed. Raises `HelioError` where the disk or its permissions forbid the writing,
    and for a link in a run folder: such folders are passed on, and a stranger's link may lead anywhere.
    """
    path = Path(path)
    if path.is_symlink() and any(os.path.lexists(path.parent / mark) for mark in _RUN_MARKS):
        raise HelioError(f"{path} is a link in a run folder, and nothing is written through it: remove the link")
    path = Path(os.path.realpath(path))  # elsewhere a symbolic link stays one: its target is written
    temporary = path.with_name(f".{path.stem[:100]}.{secrets.token_hex(6)}.part{path.suffix}")
    with disk_errors(path):
        try:
            temporary.touch(exist_ok=False)  # honours the umask, and finds a bad folder before any work is done
            yield temporary
            _flush(temporary)
            os.replace(temporary, path)
        finally:
            with suppress(OSError):  # the error that brought us here says more than a failed removal
                temporary.unlink(missing_ok=True)
        _flush_folder(path.parent)


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all (`atomic_path`)."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | Path, content: str) -> None:
    """Write `content` to `path` as UTF-8, whole or not at all (`atomic_path`)."""
    write_bytes(path, content.encode("utf-8"))


def make_folder(path: str | Path) -> Path:
    """Make the folder `path` and those above it where they are missing; raise `HelioError` where that is impossible."""
    path = Path(path)
    with disk_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


def _flush(file: Path) -> None:
    descriptor = os.open(file, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flush_folder(folder: Path) -> None:
    """Make the rename itself durable; systems that cannot open folders (Windows) do without."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
