"""How well predictions for many systems agree with their references."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

from helio.coarse.evaluation.estimate import Estimate

_DRAWS = 500
_MIDDLE = (0.1587, 0.8413)  # of a Gaussian distribution, one standard deviation to either side


class Scores(NamedTuple):
    """Over the systems; errors by resampling them."""

    mae: Estimate  # mean absolute error
    bias: Estimate  # mean of prediction minus reference
    r_squared: Estimate  # 1 - sum of squared errors / sum of squares about the mean of the references
    rank: Estimate  # Spearman's correlation
    systems: int


def scores(predicted: np.ndarray, reference: np.ndarray, *, seed: int = 0) -> Scores:
    """Of predictions (S,) for systems with references (S,); R^2 and rank are NaN for fewer than 3 systems."""
    pairs = np.column_stack([predicted, reference]).astype(float)
    pairs = pairs[np.isfinite(pairs).all(axis=1)]
    random = np.random.default_rng(seed)
    drawn = pairs[random.integers(len(pairs), size=(_DRAWS, len(pairs)))] if len(pairs) > 2 else pairs[None]

    def one(function: Callable[[np.ndarray], np.ndarray]) -> Estimate:
        if len(pairs) == 0:
            return Estimate(np.nan, np.nan)
        again = function(drawn)
        again = again[np.isfinite(again)]
        # R^2 has long tails where few systems are drawn: half the width of the middle 68 % says more than a deviation.
        error = float(np.diff(np.quantile(again, _MIDDLE))[0] / 2) if len(again) > 1 else np.nan
        return Estimate(float(function(pairs[None])[0]), error)

    return Scores(
        mae=one(lambda p: np.abs(p[..., 0] - p[..., 1]).mean(axis=1)),
        bias=one(lambda p: (p[..., 0] - p[..., 1]).mean(axis=1)),
        r_squared=one(_r_squared),
        rank=one(_rank),
        systems=len(pairs),
    )


def _r_squared(pairs: np.ndarray) -> np.ndarray:
    """Of sets of pairs (n, S, 2), (n,)."""
    squares = np.square(pairs[..., 0] - pairs[..., 1]).sum(axis=1)
    about = np.square(pairs[..., 1] - pairs[..., 1].mean(axis=1, keepdims=True)).sum(axis=1)
    # The references are not all the same but for round-off.
    usable = (about > 1e-18 * np.square(pairs[..., 1]).sum(axis=1)) & (pairs.shape[1] > 2)
    return np.where(usable, 1 - squares / np.where(usable, about, 1), np.nan)


def _rank(pairs: np.ndarray) -> np.ndarray:
    """Of sets of pairs (n, S, 2), (n,)."""
    ranks = rankdata(pairs, axis=1)
    away = ranks - ranks.mean(axis=1, keepdims=True)
    norm = np.sqrt(np.square(away).sum(axis=1).prod(axis=1))
    usable = (norm > 0) & (pairs.shape[1] > 2)
    return np.where(usable, away.prod(axis=2).sum(axis=1) / np.where(usable, norm, 1), np.nan)
