"""Lists made wider than they need be, so that different systems share one shape and one compiled program."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Int

from helio.neighbors.padded import NeighborList, Neighbors

# Multiple of the first reciprocal vector that stands in free places: exp(-k^2 sigma^2 / 4) is zero there for any
# cell shorter than 10^5 A.
_FAR = 2**20


class Sizes(NamedTuple):
    """The shape of `Neighbors`, apart from its rows."""

    short_columns: int
    short_pairs: int
    long_columns: int
    reciprocal: int  # number of reciprocal vectors, 0 without

    def union(self, other: Sizes) -> Sizes:
        """Sizes that suffice for both."""
        return Sizes(*(max(a, b) for a, b in zip(self, other, strict=True)))


def sizes(neighbors: Neighbors) -> Sizes:
    """The sizes of `neighbors`."""
    return Sizes(
        neighbors.short.index.shape[-1],
        _half(neighbors.short).shape[-2],
        neighbors.long.index.shape[-1],
        0 if neighbors.reciprocal is None else neighbors.reciprocal.shape[-2],
    )


def widened(neighbors: Neighbors, size: Sizes) -> Neighbors:
    """The same lists (numpy arrays) with at least as many columns, pairs and reciprocal vectors as `size` says.

    Free places of the lists hold no atom; free reciprocal vectors are so long that they weigh nothing.
    """
    reciprocal = neighbors.reciprocal
    if reciprocal is not None and len(reciprocal) < size.reciprocal:
        far = np.tile(np.array([_FAR, 0, 0], np.int32), (size.reciprocal - len(reciprocal), 1))
        reciprocal = np.concatenate([np.asarray(reciprocal), far])
    return Neighbors(
        short=_widened_list(neighbors.short, size.short_columns, size.short_pairs),
        long=_widened_list(neighbors.long, size.long_columns, 0),
        reciprocal=reciprocal,  # pyright: ignore
        order=neighbors.order,
        short_within=neighbors.short_within,
        mesh=neighbors.mesh,
    )


def _widened_list(pairs: NeighborList, columns: int, half: int) -> NeighborList:
    rows = pairs.index.shape[0]
    free_columns = np.array([[0, 0], [0, max(0, columns - pairs.index.shape[1])], [0, 0]])
    free_half = None
    if pairs.half is not None:
        free_half = np.zeros((max(0, half - len(pairs.half)), 2), np.int32)
        free_half[:, 0] = rows
    return NeighborList(
        index=np.pad(np.asarray(pairs.index), free_columns[:2], constant_values=rows),  # pyright: ignore
        shift=None if pairs.shift is None else np.pad(np.asarray(pairs.shift), free_columns),  # pyright: ignore
        half=None if free_half is None else np.concatenate([np.asarray(pairs.half), free_half]),  # pyright: ignore
        overflow=pairs.overflow,
    )


def _half(pairs: NeighborList) -> Int[Array, "P 2"]:
    assert pairs.half is not None  # the host makes it for the short list
    return pairs.half
