"""Distances in a periodic cell of any shape."""

from __future__ import annotations

from itertools import product

import numpy as np

_AROUND = np.array(list(product((-1, 0, 1), repeat=3)))


def nearest_images(vectors: np.ndarray, cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The shortest of all vectors that differ from those given by a whole number of cell vectors.

    Rounds fractional components and looks at the 27 cells around, which finds the shortest in any cell that is not
    extremely skewed, and in every cell any vector shorter than half the smallest width.

    Args:
        vectors: (..., 3), A.
        cell: (3, 3), rows are vectors.

    Returns:
        The vectors (..., 3) and the images (..., 3) int32 that were added: shortest = vector + image @ cell.
    """
    rounded = -np.round(vectors @ np.linalg.inv(cell))
    candidates = (vectors + rounded @ cell)[..., None, :] + _AROUND @ cell
    best = np.linalg.norm(candidates, axis=-1).argmin(axis=-1)
    shortest = np.take_along_axis(candidates, best[..., None, None], axis=-2)[..., 0, :]
    return shortest, (rounded + _AROUND[best]).astype(np.int32)


def reduced(cell: np.ndarray) -> np.ndarray:
    """The shortest vectors of the same lattice (Minkowski), right-handed and in the same place, (3, 3)."""
    from ase.geometry import minkowski_reduce

    shortest = np.asarray(minkowski_reduce(cell)[0], np.float64)
    return shortest if np.linalg.det(shortest) > 0 else -shortest
