"""Scores by hand, regressions that must find a law, and pieces of a trajectory."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from helio.coarse.evaluation.baselines import ridge_regression, short_simulations, static_mean
from helio.coarse.evaluation.composition import composition
from helio.coarse.evaluation.estimate import Estimate, mean_of, of_samples
from helio.coarse.evaluation.scores import scores
from helio.coarse.evaluation.track import Track, finite_frames
from helio.coarse.system import fine_system
from helio.errors import HelioError


def test_scores_by_hand():
    found = scores(np.array([1.0, 2.0, 4.0, 3.0]), np.array([1.0, 3.0, 3.0, 5.0]))
    assert found.mae.value == 1.0 and found.bias.value == -0.5
    assert found.r_squared.value == pytest.approx(1 - 6 / 8)
    random = np.random.default_rng(0)
    x, y = random.normal(size=(2, 30))
    assert scores(x, x + y).rank.value == pytest.approx(float(spearmanr(x, x + y)[0]))  # pyright: ignore
    assert scores(x, x).r_squared == pytest.approx((1.0, 0.0))
    # The mean of the references explains nothing.
    assert scores(np.full(30, x.mean()), x).r_squared.value == pytest.approx(0, abs=1e-12)
    assert np.isnan(scores(np.full(30, x.mean()), x).rank.value)


def test_errors_of_scores():
    """The error of the bias is that of a mean."""
    random = np.random.default_rng(1)
    noise = random.normal(size=200)
    assert scores(noise, np.zeros(200)).bias.error == pytest.approx(1 / 200**0.5, rel=0.15)


def test_few_systems():
    found = scores(np.array([1.0, np.nan, 3.0]), np.array([1.5, 2.0, 3.5]))
    assert found.systems == 2 and found.mae.value == 0.5
    assert np.isnan(found.r_squared.value) and np.isnan(found.rank.value) and np.isnan(found.mae.error)
    assert np.isnan(scores(np.array([np.nan]), np.array([1.0])).mae.value)


def test_regression_finds_a_line():
    random = np.random.default_rng(2)
    x = random.normal(size=(40, 5))
    x[:, 4] = 7.0  # the same for all
    values = 3 + x[:, 0] - 2 * x[:, 1] + 0.01 * random.normal(size=40)
    predict = ridge_regression(x, values)
    new = random.normal(size=(10, 5))
    assert np.allclose(predict(new), 3 + new[:, 0] - 2 * new[:, 1], atol=0.05)


def test_regression_of_noise_is_the_mean():
    """More features than systems: the penalty found by leaving out keeps it from fitting noise."""
    random = np.random.default_rng(3)
    errors = []
    for _ in range(20):
        predict = ridge_regression(random.normal(size=(20, 30)), 5 + random.normal(size=20))
        errors.append(np.std(predict(random.normal(size=(50, 30)))))
    assert np.median(errors) < 0.5
    with pytest.raises(HelioError, match="5 systems or more to be fitted to, not 4"):
        ridge_regression(np.ones((4, 2)), np.ones(4))


def test_composition():
    """A chain 0-0-1 with a branch of type 2 at its middle."""
    system = fine_system([0, 0, 1, 2], np.ones(4), [(0, 1), (1, 2), (1, 3)])
    found = composition(system, 3)
    assert found[0] == np.log(4) and np.allclose(found[1:4], [0.5, 0.25, 0.25])
    assert np.allclose(found[4:10], [1 / 3, 1 / 3, 1 / 3, 0, 0, 0])  # 00, 01, 02, 11, 12, 22
    assert np.allclose(found[10:], [0, 1 / 3, 1 / 3, 0, 1 / 3, 0])


def test_short_simulations():
    centers = np.arange(100.0)[:, None, None] * np.ones((1, 2, 3))
    track = Track("a", centers, 2.0, np.ones(2), np.array([[0, 1]]), np.zeros(2, int), ("chain",), None, None)
    pieces = short_simulations(track, 30)
    assert [piece.centers[0, 0, 0] for piece in pieces] == [0, 35, 70] and {len(piece) for piece in pieces} == {30}
    assert pieces[0].time == 58
    assert len(short_simulations(track, 4)) == 10
    with pytest.raises(HelioError, match="has 100 frames, fewer than 101"):
        short_simulations(track, 101)


def test_means():
    known = [Estimate(1.0, 0.1), Estimate(4.0, 0.1), Estimate(np.nan, np.nan)]
    assert static_mean(known, log=False) == 2.5 and static_mean(known, log=True) == pytest.approx(2.0)
    assert np.isnan(static_mean([], log=False))
    assert mean_of(known[:2]) == pytest.approx((2.5, 0.1 / 2**0.5))
    assert of_samples(np.array([1.0, 3.0])) == pytest.approx((2.0, 1.0))
    assert np.isnan(of_samples(np.array([1.0])).error)


def test_finite_frames():
    centers = np.zeros((6, 2, 3))
    assert finite_frames(centers) == 6
    centers[4, 1, 2] = np.inf
    assert finite_frames(centers) == 4
