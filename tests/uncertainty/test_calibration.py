"""Scales, ranks and bins of errors that are drawn."""

from __future__ import annotations

import numpy as np
import pytest

from helio.uncertainty import rank_correlation, reliability, scale_of
from helio.uncertainty.calibration import surprise


def test_the_scale_is_recovered() -> None:
    rng = np.random.default_rng(0)
    deviations = np.exp(rng.normal(size=20_000))
    errors = 2.5 * deviations * rng.normal(size=20_000)
    assert scale_of(errors, deviations) == pytest.approx(2.5, rel=0.02)
    # The true deviations are more likely than any others of the same mean, at their best scale.
    assert surprise(errors, deviations) < surprise(errors, deviations**1.3)
    assert surprise(errors, deviations) < surprise(errors, np.ones_like(deviations))
    assert surprise(errors, 7 * deviations) == pytest.approx(surprise(errors, deviations))


def test_bins_are_equally_filled_and_lie_on_the_diagonal() -> None:
    rng = np.random.default_rng(1)
    deviations = np.exp(rng.normal(size=12_000))
    found = reliability(deviations * rng.normal(size=12_000), deviations, bins=10)
    assert found.predicted.shape == (10,) and np.all(np.diff(found.predicted) > 0)
    np.testing.assert_allclose(found.observed, found.predicted, rtol=0.1)
    np.testing.assert_allclose(np.mean(found.predicted**2), np.mean(deviations**2))
    assert reliability(np.ones(3), np.ones(3)).observed.tolist() == [1, 1, 1]


def test_ranks() -> None:
    assert rank_correlation(np.array([-1.0, 2, -3]), np.array([1.0, 5, 7])) == pytest.approx(1)
    assert np.isnan(rank_correlation(np.array([1.0, 2]), np.array([1.0, 2])))
