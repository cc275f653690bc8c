"""Distributions of a quantity that fluctuates in time: mean, spread, and how far two of them are apart."""

from __future__ import annotations

import numpy as np
from scipy.stats import wasserstein_distance

from helio.analyse.statistics import mean_and_error
from helio.coarse.evaluation.estimate import Estimate, mean_of

_BLOCKS = 10


def mean(series: np.ndarray) -> Estimate:
    """Of a correlated series (T,), or of several alike (T, S)."""
    return mean_of([Estimate(*mean_and_error(column)) for column in _columns(series)])


def spread(series: np.ndarray) -> Estimate:
    """Standard deviation in time of a series (T,), or the mean of several (T, S), with a jackknife of ten blocks."""
    return mean_of([_spread(column) for column in _columns(series)])


def earth_mover_distance(first: np.ndarray, second: np.ndarray) -> float:
    """The least mean distance by which samples of one distribution are moved to become the other, in their unit.

    W = integral |F(x) - G(x)| dx, with F and G the cumulated distributions of samples of any number and shape. For two
    Gaussians of one width it is the distance of their means.
    """
    return float(wasserstein_distance(np.ravel(first), np.ravel(second)))


def histogram(samples: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Probability density in bins (n,) with the given edges (n + 1,); samples beyond count for the total."""
    counts = np.histogram(np.ravel(samples), edges)[0]
    return counts / (np.size(samples) * np.diff(edges))


def _columns(series: np.ndarray) -> np.ndarray:
    return np.asarray(series, float).reshape(len(series), -1).T


def _spread(column: np.ndarray) -> Estimate:
    if len(column) < 2 * _BLOCKS:
        return Estimate(float(column.std()), float("nan"))
    blocks = np.array_split(column, _BLOCKS)
    without = np.array([np.concatenate(blocks[:i] + blocks[i + 1 :]).std() for i in range(_BLOCKS)])
    variance = (_BLOCKS - 1) / _BLOCKS * np.square(without - without.mean()).sum()
    return Estimate(float(column.std()), float(np.sqrt(variance)))
