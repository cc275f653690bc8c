from __future__ import annotations

import numpy as np
import pytest

from helio.evaluate.metrics import ErrorSums, PairSample, without_group_means


def test_sums_in_pieces_equal_the_whole():
    errors = np.random.default_rng(0).normal(size=(7, 3))
    sums = ErrorSums().including(errors[:2]).including(errors[2:])
    assert sums.count == 21
    assert sums.mae == pytest.approx(np.abs(errors).mean())
    assert sums.rmse == pytest.approx(np.sqrt((errors**2).mean()))
    assert ErrorSums().mae is None and ErrorSums().rmse is None


def test_group_means():
    values = np.array([1.0, 10.0, 3.0, 5.0, 20.0])
    relative = without_group_means(values, ["a", "b", "a", "c", "b"])
    np.testing.assert_allclose(relative, [-1, -5, 1, np.nan, 5])


def test_sample_is_bounded_and_fair():
    sample = PairSample(limit=1000)
    for start in range(0, 50_000, 700):
        values = np.arange(start, min(start + 700, 50_000))
        sample.add(values, -values)
    assert sample.seen == 50_000
    pairs = sample.pairs()
    assert pairs.shape == (1000, 2)
    np.testing.assert_array_equal(pairs[:, 0], -pairs[:, 1])
    assert pairs[:, 0].mean() == pytest.approx(25_000, abs=2_000)
    assert len(np.unique(pairs[:, 0])) == 1000
