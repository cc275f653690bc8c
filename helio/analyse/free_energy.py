"""Free energies from how often places in a plane were visited.

F = -k_B T ln(p / p_max), p the share of frames in a bin; its error is k_B T sigma_p / p, with sigma_p from the spread
of p between ten parts of the trajectory.
"""

from __future__ import annotations

import numpy as np

from helio.analyse.statistics import spread_error

_PARTS = 10


def free_energy(
    x: np.ndarray, y: np.ndarray, x_edges: np.ndarray, y_edges: np.ndarray, *, thermal: float
) -> tuple[np.ndarray, np.ndarray]:
    """F and its error in the unit of k_B T (`thermal`), (ny, nx), NaN where no frame was.

    `x` and `y` are (T,), or (T, Q) of Q that count alike. With fewer frames than parts all errors are NaN.
    """
    share = _share(x, y, x_edges, y_edges)
    with np.errstate(divide="ignore", invalid="ignore"):
        energy = np.where(share > 0, -thermal * np.log(share / share.max()), np.nan)
        error = np.where(share > 0, thermal * _error(x, y, x_edges, y_edges) / share, np.nan)
    return energy, error


def _share(x: np.ndarray, y: np.ndarray, x_edges: np.ndarray, y_edges: np.ndarray) -> np.ndarray:
    counts, _, _ = np.histogram2d(y.ravel(), x.ravel(), bins=(y_edges, x_edges))
    return counts / x.size


def _error(x: np.ndarray, y: np.ndarray, x_edges: np.ndarray, y_edges: np.ndarray) -> np.ndarray:
    if len(x) < _PARTS:
        return np.full((len(y_edges) - 1, len(x_edges) - 1), np.nan)
    parts = zip(np.array_split(x, _PARTS), np.array_split(y, _PARTS), strict=True)
    shares = np.stack([_share(*part, x_edges, y_edges) for part in parts])
    return spread_error(shares)
