"""The likelihood of known Gaussians, and samples that have their moments."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from helio.coarse.network.forecast import Forecast, draw, negative_log_likelihood
from helio.coarse.network.graph_network import Pairs

RANDOM = np.random.default_rng(0)
LEAST = 0.2
MEAN, TARGET = RANDOM.normal(size=(2, 4, 3))
MIXING = 0.4 * RANDOM.normal(size=(4, 4)) * (1 - np.eye(4))
ONES = jnp.ones(4, jnp.float32)


def forecast(spread: np.ndarray, mixing: np.ndarray | None) -> Forecast:
    as_array = [None if x is None else jnp.asarray(x, jnp.float32) for x in (MEAN, spread, mixing)]
    return Forecast(*as_array, nodes=jnp.zeros((4, 1)))  # pyright: ignore[reportArgumentType]


def geometry(sender: Any = None) -> Any:
    return SimpleNamespace(pairs=Pairs(sender, jnp.ones((4, 4), bool)))


def likelihood(found: Forecast, pairs: Any, mask=ONES) -> float:
    return float(negative_log_likelihood(found, pairs, jnp.asarray(TARGET, jnp.float32), least_spread=LEAST, mask=mask))


def test_independent_noise() -> None:
    spread = RANDOM.uniform(0.5, 2, size=(4, 3))
    known = -stats.norm.logpdf(TARGET, MEAN, spread)
    assert likelihood(forecast(spread, None), geometry()) == pytest.approx(known.sum(), rel=1e-5)
    mask = jnp.asarray([1, 1, 0, 1], jnp.float32)
    assert likelihood(forecast(spread, None), geometry(), mask) == pytest.approx(known[[0, 1, 3]].sum(), rel=1e-5)


def covariance(spread: np.ndarray) -> np.ndarray:
    root = spread[:, None] * (np.eye(4) + MIXING)
    return root @ root.T + LEAST**2 * np.eye(4)


@pytest.mark.parametrize("axes", [1, 3])
def test_shared_noise(axes: int) -> None:
    spread = RANDOM.uniform(0.5, 2, size=(4, axes))
    known = 0.0
    for axis in range(3):
        matrix: Any = covariance(spread[:, min(axis, axes - 1)])
        known -= float(stats.multivariate_normal.logpdf(TARGET[:, axis], MEAN[:, axis], matrix))
    assert likelihood(forecast(spread, MIXING), geometry()) == pytest.approx(known, rel=1e-4)
    order = np.array([[2, 1, 0, 3], [3, 2, 1, 0], [0, 1, 2, 3], [1, 0, 3, 2]])
    listed = forecast(spread, np.take_along_axis(MIXING, order, axis=1))
    assert likelihood(listed, geometry(jnp.asarray(order, jnp.int32))) == pytest.approx(known, rel=1e-4)


def test_samples_have_the_covariance() -> None:
    spread = RANDOM.uniform(0.5, 2, size=(4, 1))
    keys = jax.random.split(jax.random.key(0), 40_000)
    found = forecast(spread, MIXING)
    samples = np.asarray(jax.vmap(lambda key: draw(found, geometry(), key, least_spread=LEAST))(keys), float)
    np.testing.assert_allclose(samples.mean(axis=0), MEAN, atol=0.06)
    for axis in range(3):
        np.testing.assert_allclose(np.cov(samples[:, :, axis].T), covariance(spread[:, 0]), atol=0.12)


def test_padding_does_not_change_a_sample() -> None:
    spread = np.ones((4, 3))
    few, key = forecast(spread, None), jax.random.key(3)
    many = jax.tree.map(lambda leaf: jnp.pad(leaf, ((0, 3), (0, 0))), few)
    drawn = draw(many, geometry(), key, least_spread=LEAST)[:4]
    assert np.array_equal(drawn, draw(few, geometry(), key, least_spread=LEAST))
