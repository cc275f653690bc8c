"""An entry of the catalogue of analyses."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import NoneType
from typing import Literal, get_args, get_origin

from helio.analyse.frames import Frames
from helio.analyse.observable import Observable


@dataclass(frozen=True)
class Analysis:
    """A function from frames to an observable, and what people need to know about it."""

    name: str  # as in `helio analyse NAME`
    title: str
    help: str  # one line
    function: Callable[..., Observable]  # (frames, *, options of str, int, float or bool)
    fits: Callable[[Frames], bool]  # whether the frames hold what it needs; looks at the first frame alone
    together: bool = False  # whether several runs are given to the function as one list, and not combined behind it

    def options(self) -> dict[str, inspect.Parameter]:
        """The keyword-only arguments of the function."""
        parameters = inspect.signature(self.function, eval_str=True).parameters
        return {name: p for name, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}


def kind_of(option: inspect.Parameter) -> str:
    """What an option takes, in words: "a number", "one of harmonic, none"."""
    kind = option.annotation
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(str, get_args(kind)))}"
    kinds = [one for one in (get_args(kind) or (kind,)) if one is not NoneType]
    words = {int: "a whole number", float: "a number", bool: "yes or no", str: "text"}
    return " or ".join(words.get(one, str(one)) for one in kinds)
