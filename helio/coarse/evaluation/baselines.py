"""Predictions that need no model of the dynamics: less simulation, the mean of what is known, and a regression."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from helio.coarse.evaluation.estimate import Estimate
from helio.coarse.evaluation.track import Track
from helio.errors import HelioError

_PENALTIES = np.geomspace(1e-3, 1e4, 29)


def short_simulations(track: Track, frames: int, *, most: int = 10) -> list[Track]:
    """Up to `most` pieces of a long simulation, `frames` long, that do not overlap and lie evenly in it.

    Raises:
        HelioError: the simulation is shorter than that.
    """
    if frames > len(track):
        raise HelioError(f"the simulation of {track.name} has {len(track)} frames, fewer than {frames} to compare with")
    count = min(most, len(track) // frames)
    begins = np.linspace(0, len(track) - frames, count).astype(int) if count > 1 else [0]
    return [track.part(begin, begin + frames) for begin in begins]


def static_mean(known: list[Estimate], *, log: bool) -> float:
    """The mean over known systems, geometric where `log`."""
    values = np.array([estimate.value for estimate in known])
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return float("nan")
    return float(np.exp(np.log(values).mean()) if log else values.mean())


def ridge_regression(features: np.ndarray, values: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A linear function of features (n, F), standardised, fitted to values (n,): maps features (m, F) to (m,).

    The penalty on the weights is the one of 29 with the smallest error when each system in turn is left out, which the
    fit to all of them gives in closed form: e_i / (1 - H_ii) (Golub, Heath and Wahba, Technometrics 21, 215 (1979)).

    Raises:
        HelioError: there are fewer than 5 systems.
    """
    if len(values) < 5:
        raise HelioError(f"a regression needs 5 systems or more to be fitted to, not {len(values)}")
    middle, scale = features.mean(axis=0), features.std(axis=0)
    scale = np.where(scale > 1e-9, scale, np.inf)  # what is the same for all says nothing
    x, mean = (features - middle) / scale, values.mean()
    u, s, v = np.linalg.svd(x, full_matrices=False)
    best, weights = np.inf, np.zeros(x.shape[1])
    for penalty in _PENALTIES:
        shrunk = s**2 / (s**2 + penalty)
        fitted = u @ (shrunk * (u.T @ (values - mean)))
        leverage = 1 / len(values) + np.square(u) @ shrunk
        error = np.square((values - mean - fitted) / np.maximum(1 - leverage, 1e-6)).sum()
        if error < best:
            best, weights = error, v.T @ ((shrunk / np.maximum(s, 1e-12)) * (u.T @ (values - mean)))
    return lambda new: mean + (new - middle) / scale @ weights
