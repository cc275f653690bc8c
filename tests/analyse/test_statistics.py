"""Errors of correlated series whose exact errors are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from helio.analyse.statistics import (
    Blocks,
    bootstrap,
    correlated_error,
    equilibration,
    inefficiency,
    mean_and_error,
    spread_error,
)

RHO = 0.9  # x' = RHO x + noise: g = (1 + RHO) / (1 - RHO) = 19


def correlated(count: int, seed: int, width: int = 1) -> np.ndarray:
    """Series (count, width) of variance 1."""
    noise = np.random.default_rng(seed).normal(size=(count + 200, width))
    return np.asarray(lfilter([np.sqrt(1 - RHO**2)], [1, -RHO], noise, axis=0))[200:]


def test_inefficiency_of_a_known_process() -> None:
    found = [inefficiency(correlated(20_000, seed)[:, 0]) for seed in range(10)]
    assert np.mean(found) == pytest.approx(19, rel=0.1)
    assert inefficiency(np.random.default_rng(0).normal(size=5000)) == pytest.approx(1, abs=0.2)
    assert inefficiency(np.full(100, 3.0)) == 1


@pytest.mark.parametrize("count", [4096, 20_000])
def test_errors_are_those_of_the_means(count: int) -> None:
    """Over many series, means are as far from zero as their errors say."""
    series = correlated(count, 1, width=200)
    exact = np.sqrt(19 / count)
    single = np.array([mean_and_error(column) for column in series.T])
    blocks = Blocks()
    for row in series:
        blocks.add(row)
    np.testing.assert_allclose(blocks.mean(), series.mean(axis=0), atol=1e-12)
    assert single[:, 1].mean() == pytest.approx(exact, rel=0.1)
    assert blocks.error().mean() == pytest.approx(exact, rel=0.15)
    assert correlated_error(series).mean() == pytest.approx(exact, rel=0.15)
    assert np.std(single[:, 0] / single[:, 1]) == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize(("samples", "least"), [(3, 0.54), (5, 0.59), (10, 0.62), (50, 0.63)])
def test_errors_cover_the_truth_however_few_samples_there_are(samples: int, least: float) -> None:
    """A mean is within its error in 68 of 100 cases; without Student's factor and the mean's own part, 40 to 55."""
    series = correlated(samples * 19, 5, width=1500)
    blocks = Blocks()
    for row in series:
        blocks.add(row)
    far = np.abs(series.mean(axis=0))
    jackknife = blocks.jackknife(lambda mean: mean)[1]
    for error in (correlated_error(series), blocks.error(), jackknife):
        assert least < (far < error).mean() < 0.75
    assert bool(blocks.notes()) == (samples < 10)


def test_what_is_known_beyond_the_series_limits_its_samples() -> None:
    series = np.random.default_rng(0).normal(size=400)
    _, free = mean_and_error(series)
    _, bound = mean_and_error(series, most_samples=4)
    assert bound > 8 * free and np.isnan(mean_and_error(series, most_samples=1.5)[1])


def test_spread_of_two_runs_allows_for_two() -> None:
    pairs = np.random.default_rng(0).normal(size=(2, 4000))
    assert (np.abs(pairs.mean(axis=0)) < spread_error(pairs)).mean() == pytest.approx(0.683, abs=0.02)
    assert np.isnan(spread_error(pairs[:1])).all()


def test_jackknife_of_a_ratio() -> None:
    random = np.random.default_rng(0)
    blocks = Blocks()
    x, y = 2 + random.normal(size=(2, 4000)) * 0.5
    for pair in zip(x, y, strict=True):
        blocks.add(np.array(pair))
    value, error = blocks.jackknife(lambda mean: mean[0] / mean[1], blocks=20)
    assert value == pytest.approx(x.mean() / y.mean())
    assert error == pytest.approx(0.5 * np.sqrt(2) / 2 / np.sqrt(4000), rel=0.4)


def test_bootstrap_of_a_mean() -> None:
    samples = np.random.default_rng(0).normal(size=(50, 2))
    np.testing.assert_allclose(bootstrap(samples), samples.std(axis=0) / np.sqrt(50), rtol=0.15)


def test_equilibration_is_found() -> None:
    series = correlated(5000, 3)[:, 0]
    begin, _ = equilibration(series)
    assert begin < 1000
    series += 20 * np.exp(-np.arange(5000) / 200)
    begin, g = equilibration(series)
    assert 500 < begin < 1600 and g == pytest.approx(19, rel=0.4)
