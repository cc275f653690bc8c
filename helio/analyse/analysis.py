"""An entry of the catalogue of analyses."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

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
        parameters = inspect.signature(self.function).parameters
        return {name: p for name, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}
