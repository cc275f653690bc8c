"""Radial distribution functions of groups in a periodic box."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from helio.analyse.statistics import Blocks
from helio.errors import HelioError


class PairDistribution(NamedTuple):
    """g(r) of two kinds of groups."""

    r: np.ndarray  # (n,) middles of bins
    g: np.ndarray  # (n,)
    error: np.ndarray  # (n,)


def pair_distribution(
    centers: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    boxes: np.ndarray,
    *,
    reach: float,
    bins: int = 100,
    molecules: np.ndarray | None = None,
) -> PairDistribution:
    """g(r) = V n(r) / (P 4 pi r^2 dr), 1 without interaction; errors by blocking.

    n(r) is the mean number of groups of the second kind around one of the first, of P there are.

    Args:
        centers: (T, G, 3), wrapped or not.
        first: numbers of groups of one kind.
        second: numbers of groups of another kind, or of the same.
        boxes: edges (3,), or of each frame (T, 3).
        reach: largest distance, at most half of the shortest edge.
        bins: number of bins up to there.
        molecules: of the groups (G,); with it, pairs of one molecule do not count.

    Raises:
        HelioError: `reach` is beyond half of the box, there are fewer than 8 frames, or no pairs.
    """
    edges_of_box = np.broadcast_to(boxes, (len(centers), 3))
    if reach > edges_of_box.min() / 2 * (1 + 1e-6):
        raise HelioError(f"a distance of {reach:g} is beyond half of the box, {edges_of_box.min() / 2:g}")
    counted = first[:, None] != second
    if molecules is not None:
        counted &= molecules[first][:, None] != molecules[second]
    if not counted.any():
        raise HelioError("there are no pairs of these groups")
    edges = np.linspace(0, reach, bins + 1)
    blocks = Blocks(most=64)
    for frame, box in zip(centers, edges_of_box, strict=True):
        vectors = frame[first][:, None].astype(float) - frame[second]
        vectors -= box * np.rint(vectors / box)
        distances = np.sqrt(np.square(vectors).sum(axis=2))[counted]
        blocks.add(np.histogram(distances, edges)[0] * (box.prod() / counted.sum()))
    blocks.means(8)
    shells = 4 / 3 * np.pi * np.diff(edges**3)
    return PairDistribution((edges[1:] + edges[:-1]) / 2, blocks.mean() / shells, blocks.error() / shells)


def pair_distribution_error(found: PairDistribution, exact: PairDistribution) -> float:
    """Mean of |g - g'| over distances, from 0 to the largest; 0 for the same structure."""
    return float(np.abs(found.g - exact.g).mean())
