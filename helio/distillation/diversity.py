"""The most diverse of many structures."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int


def farthest_points(points: Float[np.ndarray, "M D"], count: int) -> Int[np.ndarray, " K"]:
    """Numbers of `count` points, ascending, each the farthest from those chosen before; the first is chosen first.

    Gonzalez, Theor. Comput. Sci. 38, 293 (1985): no choice of as many points covers the set more than twice as well.
    Directions are scaled to equal variance along the principal axes that hold nearly all of it.
    """
    if count >= len(points):
        return np.arange(len(points))
    scaled = _whitened(np.asarray(points, np.float64))
    chosen = [0]
    distance = np.linalg.norm(scaled - scaled[0], axis=1)
    while len(chosen) < count:
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(scaled - scaled[chosen[-1]], axis=1))
    return np.sort(np.array(chosen))


def _whitened(points: Float[np.ndarray, "M D"]) -> Float[np.ndarray, "M E"]:
    centred = points - points.mean(axis=0)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    share = np.cumsum(singular**2) / max(float(np.sum(singular**2)), 1e-300)
    axes = int(np.searchsorted(share, 0.999)) + 1
    return left[:, :axes]
