"""Relaxation times of Ornstein-Uhlenbeck processes, whose autocorrelation is exponential."""

from __future__ import annotations

import numpy as np
import pytest

from helio.coarse.evaluation.correlation import autocorrelation, decay_time, integrated_time
from helio.errors import HelioError


def ornstein_uhlenbeck(tau: float, interval: float, frames: int, columns: int, seed: int) -> np.ndarray:
    """Columns (T, S) of variance 1 and autocorrelation exp(-t / tau)."""
    random = np.random.default_rng(seed)
    q = np.exp(-interval / tau)
    series = np.empty((frames, columns))
    series[0] = random.normal(size=columns)
    for t in range(1, frames):
        series[t] = q * series[t - 1] + np.sqrt(1 - q * q) * random.normal(size=columns)
    return series


def test_autocorrelation_is_exponential():
    series = ornstein_uhlenbeck(10.0, 2.0, 50_000, 4, seed=1)
    found = autocorrelation(series, mean="zero")
    lags = np.arange(20)
    assert found[0] == 1 and np.abs(found[:20] - np.exp(-0.2 * lags)).max() < 0.02


def test_autocorrelation_by_hand():
    x = np.array([1.0, -1.0, 2.0, 0.0, -2.0])
    assert x.mean() == 0
    products = [x[: 5 - k] @ x[k:] for k in range(5)]
    assert np.allclose(autocorrelation(x), np.array(products) / products[0])
    assert np.allclose(autocorrelation(x + 7), np.array(products) / products[0])
    assert np.allclose(autocorrelation(np.full(6, 3.0)), [1, 0, 0, 0, 0, 0])


@pytest.mark.parametrize("interval", [1.0, 12.0])
def test_integrated_time(interval):
    """dt/2 coth(dt / 2 T), also where frames are as far apart as the correlation lasts."""
    found = integrated_time(ornstein_uhlenbeck(12.0, interval, 40_000, 1, seed=3), interval)
    exact = interval / 2 / np.tanh(interval / 24)
    assert abs(found.value - exact) < 4 * found.error and found.error < 0.08 * exact


def test_error_is_the_spread():
    """Of 60 series the estimates spread as much as their errors say, and several columns are worth as many frames."""
    series = ornstein_uhlenbeck(8.0, 1.0, 3000, 60, seed=5)
    single = [integrated_time(column, 1.0) for column in series.T]
    spread, said = np.std([e.value for e in single]), np.mean([e.error for e in single])
    assert 0.7 < spread / said < 1.4
    together = integrated_time(series, 1.0)
    assert together.error < said / 6 and abs(together.value - 8.0) < 4 * together.error + 0.1


def test_decay_time():
    """The time constant, also where frames are as far apart as it is long; errors are as large as the spread."""
    series = ornstein_uhlenbeck(8.0, 1.0, 3000, 80, seed=6)
    single = [decay_time(column, 1.0) for column in series.T]
    spread, said = np.std([e.value for e in single]), np.mean([e.error for e in single])
    assert 0.75 < spread / said < 1.35 and said < 0.6 * np.mean([integrated_time(c, 1.0).error for c in series.T])
    for found in (decay_time(series, 1.0), decay_time(series, 1.0, mean="zero"), decay_time(series[::8], 8.0)):
        assert abs(found.value - 8.0) < 4 * found.error + 0.1 and found.error < 0.2


def test_decay_that_is_not_seen():
    found = decay_time(np.ones((10, 2)), 3.0, mean="zero")
    assert found.value == 15.0 and np.isnan(found.error)
    assert decay_time(np.tile([1.0, -1.0], 50), 2.0).value < 2


def test_no_correlation():
    noise = np.random.default_rng(0).normal(size=5000)
    found = integrated_time(noise, 3.0)
    assert found.value == pytest.approx(1.5, abs=4 * found.error)


def test_too_short():
    with pytest.raises(HelioError, match="4 frames or more, not 3"):
        autocorrelation(np.arange(3.0))
