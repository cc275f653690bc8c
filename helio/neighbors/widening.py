"""Lists made wider than they need be, so that different systems share one shape and one compiled program."""

from __future__ import annotations

import numpy as np

from helio.neighbors.padded import NeighborList, Neighbors

# Multiple of the first reciprocal vector that stands in free places: exp(-k^2 sigma^2 / 4) is zero there for any
# cell shorter than 10^5 A.
_FAR = 2**20


def sizes(neighbors: Neighbors) -> tuple[int, int, int]:
    """Columns of the short and of the long list, and number of reciprocal vectors (0 without)."""
    reciprocal = 0 if neighbors.reciprocal is None else len(neighbors.reciprocal)
    return neighbors.short.index.shape[1], neighbors.long.index.shape[1], reciprocal


def widened(neighbors: Neighbors, size: tuple[int, int, int]) -> Neighbors:
    """The same lists (numpy arrays) with at least as many columns and reciprocal vectors as `size` says.

    Free places of the lists hold no atom; free reciprocal vectors are so long that they weigh nothing.
    """
    short, long, count = size
    reciprocal = neighbors.reciprocal
    if reciprocal is not None and len(reciprocal) < count:
        far = np.tile(np.array([_FAR, 0, 0], reciprocal.dtype), (count - len(reciprocal), 1))
        reciprocal = np.concatenate([np.asarray(reciprocal), far])
    return Neighbors(
        short=_widened_list(neighbors.short, short),
        long=_widened_list(neighbors.long, long),
        reciprocal=reciprocal,  # pyright: ignore
    )


def _widened_list(pairs: NeighborList, width: int) -> NeighborList:
    rows, columns = pairs.index.shape
    extra = width - columns
    if extra <= 0:
        return pairs
    index = np.pad(np.asarray(pairs.index), ((0, 0), (0, extra)), constant_values=rows)
    shift = None if pairs.shift is None else np.pad(np.asarray(pairs.shift), ((0, 0), (0, extra), (0, 0)))
    return NeighborList(index=index, shift=shift, overflow=pairs.overflow)  # pyright: ignore
