"""Whether the user wants a bias to run: it is a Python program with all rights of whoever runs it.

A user who types `--bias FILE.py` agrees to that file. Where a settings file or a run folder names it, it may be a
stranger's: then it runs only if the user says so, or if it lies where it lay and reads as it read when the user
agreed. What was agreed to stands in the user's own state folder, never in a run folder.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

from helio.errors import HelioError
from helio.files.regular_file import read_bytes
from helio.files.state import state_folder

# A larger file is no program that somebody wrote; it is read into memory.
_MAX_BYTES = 10_000_000


def check_consent(bias: str | Path | None, *, allowed: bool) -> None:
    """Raise `HelioError` unless the user agrees to the program that settings name; nothing of it is run.

    Args:
        bias: the file, None for none.
        allowed: whether the user agrees now; that is remembered.
    """
    if bias is None:
        return
    entry = _entry(bias)
    if allowed:
        _remember(entry)
    elif entry not in _remembered():
        raise HelioError(
            f"the bias {bias} is a Python program that runs with all your rights, and you have not run it from there "
            "as it is now: read it, then give --allow-bias if you trust it"
        )


def _entry(bias: str | Path) -> str:
    """A line that stands for a file and its content."""
    digest = hashlib.sha256(read_bytes(bias, "file with a bias", max_bytes=_MAX_BYTES)).hexdigest()
    return f"{digest} {json.dumps(os.path.realpath(bias))}"


def _record() -> Path:
    return state_folder() / "biases"


def _remembered() -> set[str]:
    with suppress(OSError, UnicodeDecodeError):
        return set(_record().read_text(encoding="utf-8").splitlines())
    return set()


def _remember(entry: str) -> None:
    """Without a home that can be written, the user is asked again the next time."""
    if entry in _remembered():
        return
    with suppress(OSError):
        _record().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK
        with os.fdopen(os.open(_record(), flags, 0o600), "a", encoding="utf-8") as file:
            file.write(f"{entry}\n")
