"""Contact maps: how often groups of one system are near each other."""

from __future__ import annotations

import numpy as np

from helio.errors import HelioError

_PAIRS = 5_000_000  # distances kept at once


def contact_map(centers: np.ndarray, *, cutoff: float, box: np.ndarray | None = None) -> np.ndarray:
    """The share of frames (G, G) in which the centres (T, G, 3) of two groups are within `cutoff`; diagonal 1.

    In a box of edges (3,), distances are those of the nearest images.
    """
    total = np.zeros((centers.shape[1],) * 2)
    step = max(1, _PAIRS // total.size)
    for begin in range(0, len(centers), step):
        total += (_distances(centers[begin : begin + step], box) < cutoff).sum(axis=0)
    return total / len(centers)


def bond_length(centers: np.ndarray, bonds: np.ndarray) -> float:
    """Root mean square distance of bonded groups, a length to count contacts within; `bonds` are pairs (Q, 2).

    Raises:
        HelioError: there are no bonds between groups.
    """
    if len(bonds) == 0:
        raise HelioError("the groups have no bonds between them, so give the distance of a contact")
    vectors = centers[:, bonds[:, 0]].astype(float) - centers[:, bonds[:, 1]]
    return float(np.sqrt(np.square(vectors).sum(axis=2).mean()))


def contact_error(first: np.ndarray, second: np.ndarray, bonds: np.ndarray) -> float:
    """Mean absolute difference of two maps (G, G) over pairs of groups that no bond joins; NaN if there are none."""
    others = np.triu(np.ones(first.shape, bool), 1)
    others[bonds[:, 0], bonds[:, 1]] = False
    return float(np.abs(first - second)[others].mean()) if others.any() else float("nan")


def _distances(centers: np.ndarray, box: np.ndarray | None) -> np.ndarray:
    vectors = centers[:, :, None].astype(float) - centers[:, None]
    if box is not None:
        vectors -= box * np.rint(vectors / box)
    return np.sqrt(np.square(vectors).sum(axis=3))
