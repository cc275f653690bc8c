"""Numbers of the command line are finite: NaN is no limit, and no program waits for infinity."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

from helio.errors import HelioError

_CHECKED = "_numbers_are_checked"


def with_finite_numbers(command: Any) -> Any:
    """The command, and those below it, which raises `HelioError` for an option or argument of NaN or infinity."""
    callback = getattr(command, "callback", None)
    if callback is not None and not hasattr(callback, _CHECKED):
        command.callback = _checked(callback)
    for child in getattr(command, "commands", {}).values():
        with_finite_numbers(child)
    return command


def _checked(callback: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(callback)
    def call(*args: Any, **values: Any) -> Any:
        for name, value in values.items():
            for number in value if isinstance(value, list | tuple) else (value,):
                if isinstance(number, float) and not math.isfinite(number):
                    raise HelioError(f"{name.replace('_', '-')} is {number}: give a finite number")
        return callback(*args, **values)

    setattr(call, _CHECKED, True)
    return call
