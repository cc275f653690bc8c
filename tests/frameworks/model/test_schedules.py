"""Both kinds of noise: ends, and steps back where the answer is known."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from helio.frameworks.model.schedules import Schedule, clean_embedding, embedding_step, place_step
from helio.precision import numerics

SCHEDULE = Schedule(50, 0.002, 1.5)


def test_ends_of_both_kinds_of_noise() -> None:
    assert SCHEDULE.sigmas[[0, -1]].tolist() == pytest.approx([0.002, 1.5])
    assert np.diff(np.log(SCHEDULE.sigmas)) == pytest.approx(np.log(1.5 / 0.002) / 50)
    assert SCHEDULE.alpha_bars[0] == 1 and 0 < SCHEDULE.alpha_bars[-1] < 1e-5
    assert (np.diff(SCHEDULE.alpha_bars) < 0).all()
    assert SCHEDULE.betas[0] == 0 and SCHEDULE.betas[-1] == 0.999 and (SCHEDULE.betas[1:] > 0).all()
    half = np.cos(0.5 * np.pi * (0.5 + 1e-4) / (1 + 1e-4)) ** 2 / np.cos(0.5 * np.pi * 1e-4 / (1 + 1e-4)) ** 2
    assert SCHEDULE.alpha_bars[25] == pytest.approx(half)


def test_places_of_one_framework_come_back_with_the_noise_of_each_level() -> None:
    """All data at one point: the expected displacement is known, and noise must fall exactly as scheduled."""
    random = np.random.default_rng(0)
    target, count = 0.3, 20_000
    with numerics("float64"):
        x = target + SCHEDULE.sigmas[-1] * random.normal(size=(count, 3))
        for t in range(SCHEDULE.steps, 0, -1):
            sigma, before = (jnp.asarray(SCHEDULE.sigmas[n]) for n in (t, t - 1))
            noise = jnp.asarray(random.normal(size=x.shape))
            x = x + np.asarray(place_step(jnp.asarray(x - target), noise, sigma, before))
            if t % 10 == 1:
                assert x.std() == pytest.approx(SCHEDULE.sigmas[t - 1], rel=0.02)
    assert x.mean() == pytest.approx(target, abs=1e-4)


def test_embeddings_of_one_framework_come_back_exactly() -> None:
    random = np.random.default_rng(0)
    target = np.array([[1.5, -0.7]])
    with numerics("float64"):
        h = jnp.asarray(random.normal(size=(5000, 2)))
        for t in range(SCHEDULE.steps, 0, -1):
            alpha_bar, beta = (
                jnp.asarray(SCHEDULE.alpha_bars[t]),
                jnp.asarray(min(SCHEDULE.betas[t], SCHEDULE.betas[-2])),
            )
            noise = (h - jnp.sqrt(alpha_bar) * target) / jnp.sqrt(1 - alpha_bar)
            assert clean_embedding(h, noise, alpha_bar) == pytest.approx(np.tile(target, (5000, 1)), abs=1e-6)
            h = embedding_step(h, noise, jnp.asarray(random.normal(size=h.shape)), beta, alpha_bar)
            if t == 26:  # halfway the spread is that of the noise that is left
                assert float(h[:, 0].std()) == pytest.approx((1 - SCHEDULE.alpha_bars[25]) ** 0.5, rel=0.03)
    assert np.asarray(h) == pytest.approx(np.tile(target, (5000, 1)), abs=1e-6)
