"""Least root-mean-square deviations of structures over all rotations and translations.

With centred coordinates a, b (n, 3) and H = a^T b = U S V^T, the best rotation leaves
RMSD^2 = (|a|^2 + |b|^2 - 2 (s_1 + s_2 + d s_3)) / n with d = sign det(H) (Kabsch, Acta Cryst. A 32, 922 (1976)).
"""

from __future__ import annotations

import numpy as np


def rmsd(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """RMSD (...,) of structures (..., n, 3), all atoms counting alike; leading axes broadcast."""
    a, b = centred(a), centred(b)
    covariance = np.swapaxes(a, -1, -2) @ b
    singular = np.linalg.svd(covariance, compute_uv=False)
    sign = np.where(np.linalg.det(covariance) < 0, -1.0, 1.0)
    overlap = singular[..., 0] + singular[..., 1] + sign * singular[..., 2]
    squared = (np.square(a).sum(axis=(-1, -2)) + np.square(b).sum(axis=(-1, -2)) - 2 * overlap) / a.shape[-2]
    return np.sqrt(np.maximum(squared, 0.0))


def superposed(moving: np.ndarray, onto: np.ndarray) -> np.ndarray:
    """Structures (..., n, 3) centred and turned onto one (n, 3), which should be centred."""
    moving = centred(moving)
    u, _, vt = np.linalg.svd(np.swapaxes(moving, -1, -2) @ onto)
    u[..., :, 2] *= np.where(np.linalg.det(u @ vt) < 0, -1.0, 1.0)[..., None]
    return moving @ (u @ vt)


def mean_structure(structures: np.ndarray, *, rounds: int = 20, tolerance: float = 1e-4) -> np.ndarray:
    """The mean (n, 3) of structures (T, n, 3) superposed onto it, by iteration until it moves less than that, in A."""
    mean = centred(structures[0])
    for _ in range(rounds):
        last, mean = mean, superposed(structures, mean).mean(axis=0)
        if np.abs(mean - last).max() < tolerance:
            break
    return mean


def centred(structures: np.ndarray) -> np.ndarray:
    """Structures (..., n, 3) in float64 with their centres at the origin."""
    structures = np.asarray(structures, np.float64)
    return structures - structures.mean(axis=-2, keepdims=True)
