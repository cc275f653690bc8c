"""Whether predicted standard deviations are those of the errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Reliability:
    """Root mean squares in bins of equally many values, by the standard deviation that was predicted."""

    predicted: Float[np.ndarray, " bins"]
    observed: Float[np.ndarray, " bins"]


def scale_of(errors: Float[np.ndarray, " S"], deviations: Float[np.ndarray, " S"]) -> float:
    """Alpha with which the deviations make Gaussian errors most likely: alpha^2 = mean of (error / deviation)^2.

    Where errors have several components, `errors` are root mean squares of equally many each.
    """
    return float(np.sqrt(np.mean((errors / deviations) ** 2)))


def surprise(errors: Float[np.ndarray, " S"], deviations: Float[np.ndarray, " S"]) -> float:
    """-2 log likelihood per value of Gaussian errors at the best alpha, but for a constant: less is better."""
    return float(np.log(np.mean((errors / deviations) ** 2)) + np.mean(np.log(deviations**2)))


def rank_correlation(errors: Float[np.ndarray, " S"], deviations: Float[np.ndarray, " S"]) -> float:
    """Spearman's coefficient of the sizes of errors and the deviations; NaN for fewer than three values."""
    if len(errors) < 3:
        return float("nan")
    from scipy.stats import rankdata

    return float(np.corrcoef(rankdata(np.abs(errors)), rankdata(deviations))[0, 1])


def reliability(errors: Float[np.ndarray, " S"], deviations: Float[np.ndarray, " S"], *, bins: int = 12) -> Reliability:
    """Errors against predicted deviations, in up to `bins` bins of equally many values."""
    groups = np.array_split(np.argsort(deviations, kind="stable"), min(bins, len(errors)))
    return Reliability(
        *(np.array([_root_mean_square(values[group]) for group in groups]) for values in (deviations, errors))
    )


def _root_mean_square(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
