"""Building a network for its shapes alone, from settings that a file claims."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import equinox as eqx
import numpy as np

Network = TypeVar("Network")


class TooManyParameters(ValueError):
    """Settings ask for more parameters than there are."""


class _CountingGenerator(np.random.Generator):
    """Gives zeros in the place of random numbers, up to a number of them in all."""

    def __init__(self, limit: int) -> None:
        super().__init__(np.random.PCG64(0))
        self._left = limit

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        return self._zeros(size)

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        return self._zeros(size)

    def _zeros(self, size: Any) -> np.ndarray:
        self._left -= math.prod(size)
        if self._left < 0:
            raise TooManyParameters
        return np.zeros(size)


def template(build: Callable[[np.random.Generator], Network], *, parameters: int) -> Network:
    """The tree that `build` makes, with shapes and types for arrays.

    Args:
        build: draws all its parameters from the generator that it is given.
        parameters: that there are, in a file; building ends as soon as it has drawn more.

    Raises:
        TooManyParameters: it draws more.
    """
    return eqx.filter_eval_shape(lambda: build(_CountingGenerator(parameters)))
