"""Means, spreads and distances of distributions that are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from helio.coarse.evaluation.distribution import earth_mover_distance, histogram, mean, spread


def test_earth_mover_distance_of_shifted_gaussians():
    """Of quantiles of one width: exactly the shift; of two widths, sqrt(2 / pi) times their difference."""
    quantiles = norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    assert earth_mover_distance(3 + 2 * quantiles, 4.5 + 2 * quantiles) == pytest.approx(1.5, rel=1e-9)
    assert earth_mover_distance(quantiles, 3 * quantiles) == pytest.approx(2 * np.sqrt(2 / np.pi), rel=1e-3)
    assert earth_mover_distance(np.zeros((5, 2)), np.ones(3)) == 1


def test_mean_and_spread_have_honest_errors():
    """Over 50 correlated series of variance 4, deviations from the truth are as large as the errors."""
    random = np.random.default_rng(2)
    series = np.empty((4000, 50))
    series[0] = random.normal(size=50)
    for t in range(1, 4000):
        series[t] = 0.9 * series[t - 1] + np.sqrt(1 - 0.81) * random.normal(size=50)
    series = 7 + 2 * series
    for function, exact in ((mean, 7.0), (spread, 2.0)):
        found = [function(column) for column in series.T]
        pulls = np.array([(value - exact) / error for value, error in found])
        assert 0.7 < pulls.std() < 1.5, function
        together = function(series)
        assert abs(together.value - exact) < 4 * together.error and together.error < found[0].error / 4


def test_short_series_have_no_error():
    assert np.isnan(mean(np.array([1.0, 2.0, 3.0])).error)
    assert np.isnan(spread(np.arange(10.0)).error)


def test_histogram_is_a_density():
    samples = np.array([0.1, 0.2, 0.3, 1.5, 9.0])
    found = histogram(samples, np.array([0.0, 1.0, 3.0]))
    assert np.allclose(found, [3 / 5, 1 / 10])
