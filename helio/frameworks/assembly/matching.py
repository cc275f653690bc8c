"""Which connection meets which: the assignment of smallest total misfit (Hungarian method)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from helio.frameworks.periodic import nearest_images

TIP_WEIGHT = 0.25  # w of the misfit: directions count less than places


@dataclass(frozen=True)
class Matching:
    """A one-to-one assignment of P connections of nodes to P of linkers."""

    linker: np.ndarray  # (P,) int: the linkers' connection that meets each of the nodes'
    shifts: np.ndarray  # (P, 3) float64, A: whole cell vectors to add to the linker's
    gaps: np.ndarray  # (P,) float64, A: distance of the two midpoints
    misfits: np.ndarray  # (P,) float64, A: m of the pairs, with the directions


def misfits(nodes: np.ndarray, linkers: np.ndarray, cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Misfit m of every pair (P, Q), and the whole cell vectors (P, Q, 3) that bring b nearest to a.

    Args:
        nodes: point, tip and docking atom of each, (P, 3, 3), A.
        linkers: likewise (Q, 3, 3).
        cell: reduced, (3, 3): then the nearest of 27 images is the nearest of all.
    """
    between, images = nearest_images(nodes[:, None, 0] - linkers[None, :, 0], cell)
    shifts = -images @ cell
    points = (between**2).sum(-1)
    tips = ((nodes[:, None, 1] - linkers[None, :, 2] - shifts) ** 2).sum(-1)
    tips += ((nodes[:, None, 2] - linkers[None, :, 1] - shifts) ** 2).sum(-1)
    return np.sqrt(points + TIP_WEIGHT / 2 * tips), shifts


def matched(nodes: np.ndarray, linkers: np.ndarray, cell: np.ndarray) -> Matching:
    """The assignment of smallest summed misfit; arguments as in `misfits`, as many linkers' as nodes'."""
    costs, shifts = misfits(nodes, linkers, cell)
    rows, columns = linear_sum_assignment(costs)
    chosen = shifts[rows, columns]
    gaps = np.linalg.norm(nodes[:, 0] - linkers[columns, 0] - chosen, axis=1)
    return Matching(columns, chosen, gaps, costs[rows, columns])
