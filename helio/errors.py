"""The errors a user can cause and mend, and how what was received is quoted and counted in them."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence

_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother, _SHORT.maxlong = 3, 80, 80, 40
_REASON, _NAME = 200, 60  # characters


class HelioError(Exception):
    """A mistake in the input or the surroundings: the message says what is wrong and what to do.

    The command line prints the message alone; anything that is not a `HelioError` is a defect of Helio.
    """


def excerpt(value: object) -> str:
    """A value as a message quotes it: its `repr`, in which long strings, lists and deep nesting are cut."""
    return _SHORT.repr(value)


_SINGULAR = {"": "", "are": "is", "do": "does", "have": "has", "were": "was"}


def counted(count: int, noun: str, verb: str = "") -> str:
    """A number, its noun and perhaps a verb: `counted(n, "dimer", "were")` is "1 dimer was" or "1,200 dimers were"."""
    words = (noun, _SINGULAR[verb]) if count == 1 else (f"{noun}s", verb)
    return f"{count:,} {' '.join(words)}".rstrip()


def listed(names: Sequence[str], most: int) -> str:
    """The first `most` names that a file gives, each cut, and how many more there are."""
    shown = [name if len(name) <= _NAME else f"{name[:_NAME]}..." for name in names[:most]]
    return ", ".join(shown) + (f" and {len(names) - most} more" if len(names) > most else "")


def reason(error: BaseException) -> str:
    """The message of an error of a library as part of a sentence: its first line, cut, or else the error's name."""
    lines = str(error).strip().splitlines()
    line = lines[0].strip() if lines else type(error).__name__
    return line if len(line) <= _REASON else f"{line[:_REASON]} ..."
