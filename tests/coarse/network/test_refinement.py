"""Langevin dynamics with the score of a known Gaussian ends in it; training targets are that score."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helio.coarse.network.architecture import RefinementChoice, spaced_levels
from helio.coarse.network.refinement import Score, eta_of, langevin_step
from helio.coarse.windows import rotation
from tests.coarse.conftest import random_model


def test_levels() -> None:
    assert spaced_levels(3, largest=1.0, smallest=0.01) == pytest.approx((1, 0.1, 0.01))
    assert spaced_levels(1, largest=2.0, smallest=0.01) == (2.0,)


def test_rules_of_the_step_length() -> None:
    choice = RefinementChoice(levels=3, largest=1.0, smallest=0.01, eta=5e-5)
    np.testing.assert_allclose(eta_of(choice), [5e-5] * 3)
    scaled = RefinementChoice(levels=3, largest=1.0, smallest=0.01, eta=5e-5, rule="scaled")
    np.testing.assert_allclose(eta_of(scaled), [0.5, 5e-3, 5e-5], rtol=1e-6)


def test_a_gaussian_is_reached() -> None:
    """Frames are normal around 2 with spread 0.5; at level sigma the score is (2 - x) / (0.25 + sigma^2)."""
    choice = RefinementChoice(levels=12, largest=3.0, smallest=0.02, inner_steps=60, eta=6e-5, rule="scaled")
    offsets, key = jnp.zeros((4000, 3)), jax.random.key(0)

    @jax.jit
    def level(offsets, key, sigma, eta):
        def once(number, x):
            net = sigma * (2 - x) / (0.25 + sigma**2)
            return langevin_step(x, net, sigma=sigma, eta=eta, key=jax.random.fold_in(key, number))

        return jax.lax.fori_loop(0, choice.inner_steps, once, offsets)

    for number, (sigma, eta) in enumerate(zip(choice.sigmas, eta_of(choice), strict=True)):
        offsets = level(offsets, jax.random.fold_in(key, 1000 + number), jnp.float32(sigma), jnp.float32(eta))
    assert float(offsets.mean()) == pytest.approx(2, abs=0.05)
    assert float(offsets.std()) == pytest.approx(0.5, abs=0.05)


def test_the_score_turns_with_the_positions(branched) -> None:
    model = random_model("equivariant", refined=True)
    assert isinstance(model.score, Score)
    nodes = jnp.asarray(np.random.default_rng(0).normal(size=(5, 8)), jnp.float32)
    turn = jnp.asarray(rotation(np.random.default_rng(1)), jnp.float32)
    found = [
        model.score(nodes, branched.topology, model.geometry(x, branched.topology, None))
        for x in (branched.newest, branched.newest @ turn.T)
    ]
    assert float(jnp.abs(found[0]).max()) > 1e-3
    np.testing.assert_allclose(found[1], found[0] @ turn.T, atol=1e-4)
