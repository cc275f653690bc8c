"""Diffusivity and transference of random walks, with and without drift and correlation."""

from __future__ import annotations

import numpy as np
import pytest

from helio.coarse.evaluation.displacement import Window, diffusion, without_drift
from helio.coarse.evaluation.estimate import Estimate
from helio.coarse.evaluation.ions import ideal_transport, transport
from helio.errors import HelioError


def random_walk(diffusivity: float, interval: float, frames: int, particles: int, seed: int) -> np.ndarray:
    steps = np.random.default_rng(seed).normal(size=(frames, particles, 3))
    return np.cumsum(np.sqrt(2 * diffusivity * interval) * steps, axis=0)


@pytest.mark.parametrize("particles", [1, 40])
def test_random_walk(particles):
    found = [diffusion(random_walk(0.3, 2.0, 2000, particles, seed), 2.0) for seed in range(30)]
    pulls = np.array([(f.diffusivity.value - 0.3) / f.diffusivity.error for f in found])
    assert abs(pulls.mean()) < 0.6 and 0.6 < pulls.std() < 1.6
    assert np.mean([f.diffusivity.error for f in found]) < (0.12 if particles == 1 else 0.02)
    one = found[0]
    inside = one.times < one.times[-1] / 10
    assert np.allclose(one.squares[inside], 6 * 0.3 * one.times[inside], rtol=0.3 if particles == 1 else 0.08)


def test_window_leaves_out_what_is_not_diffusive():
    """Rattling about places that diffuse: MSD = 2 D t + 2 s^2 per direction, whose exponent is 0.9 at t = 9 s^2 / D."""
    rattling = random_walk(0.01, 1.0, 8000, 30, 5) + 0.3 * np.random.default_rng(4).normal(size=(8000, 30, 3))
    found = diffusion(rattling, 1.0)
    assert found.window.linear and 50 < found.window.begin < 150
    assert abs(found.diffusivity.value - 0.01) < 4 * found.diffusivity.error < 0.004
    forced = diffusion(rattling, 1.0, window=(2.0, 15.0))
    assert forced.window == Window(2.0, 15.0, True)


def test_a_window_beyond_the_data_moves_into_it():
    found = diffusion(random_walk(1.0, 1.0, 60, 20, 6), 1.0, window=(500.0, 900.0))
    assert not found.window.linear and found.window.end <= 15
    assert abs(found.diffusivity.value - 1) < 4 * found.diffusivity.error


def test_a_window_below_the_lags_is_that_of_the_data():
    walk = random_walk(1.0, 100.0, 1000, 1, 7)
    found = diffusion(walk, 100.0, window=(15.0, 150.0))
    assert found.window == diffusion(walk, 100.0).window and found.window.linear
    assert found.diffusivity.value == pytest.approx(1.0, rel=0.15)


def test_drift_is_removed():
    """A common motion is gone, and what remains does not depend on how fast it was."""
    walk, masses = random_walk(0.5, 1.0, 400, 12, 7), np.linspace(1, 3, 12)
    drifting = walk + np.arange(400)[:, None, None] * np.array([3.0, -1.0, 0.5])
    still = without_drift(drifting, masses)
    assert np.allclose(still, without_drift(walk, masses), atol=1e-9)
    assert np.allclose(np.diff(np.tensordot(still, masses, axes=(1, 0)), axis=0), 0, atol=1e-9)
    assert np.allclose(still[0], drifting[0])


def test_too_few_frames():
    with pytest.raises(HelioError, match="40 frames or more, not 39"):
        diffusion(np.zeros((39, 2, 3)), 1.0)


def test_transference_of_independent_ions():
    """t = n+ q+^2 D+ / sum, from single ions and from collective displacements; the conductivity, too."""
    cations, anions = random_walk(0.4, 1.0, 6000, 30, 8), random_walk(0.1, 1.0, 6000, 30, 9)
    moved = [diffusion(series, 1.0, window=(1, 20)) for series in (cations, anions)]
    ideal = ideal_transport(moved[0], moved[1], numbers=(30, 30), charges=(1, -1), volume=100.0)
    assert abs(ideal.transference.value - 0.8) < 4 * ideal.transference.error < 0.05
    assert abs(ideal.conductivity.value - 0.15) < 4 * ideal.conductivity.error
    charges = np.repeat([1.0, -1.0], 30)
    real = transport(np.concatenate([cations, anions], axis=1), charges, 1.0, window=(1, 20), volume=100.0)
    assert abs(real.transference.value - 0.8) < 4 * real.transference.error < 0.4
    assert abs(real.conductivity.value - 0.15) < 4 * real.conductivity.error


def test_pairs_of_ions_carry_no_current():
    """Anions bound to cations: the collective conductivity is zero, where single ions suggest a large one."""
    cations = random_walk(0.4, 1.0, 3000, 10, 10)
    bound = cations + 0.1 * np.random.default_rng(1).normal(size=cations.shape)
    charges = np.repeat([1.0, -1.0], 10)
    real = transport(np.concatenate([cations, bound], axis=1), charges, 1.0, window=(5, 50), volume=100.0)
    ideal = ideal_transport(
        *(diffusion(series, 1.0, window=(5, 50)) for series in (cations, bound)),
        numbers=(10, 10),
        charges=(1, -1),
        volume=100.0,
    )
    assert abs(real.conductivity.value) < 0.01 * ideal.conductivity.value
    assert ideal.transference.value == pytest.approx(0.5, abs=0.01)


def test_transference_needs_both_signs():
    with pytest.raises(HelioError, match="ions of both signs"):
        transport(np.zeros((100, 4, 3)), np.ones(4), 1.0, window=(1, 5), volume=1.0)
    with pytest.raises(HelioError, match="too few lags"):
        transport(np.zeros((20, 2, 3)), np.array([1.0, -1.0]), 1.0, window=(8, 9), volume=1.0)


def test_errors_of_ideal_transference():
    """By hand: with D+ and D- of 10 % error each, dt = t (1 - t) 0.1 sqrt(2)."""
    flat = diffusion(random_walk(1.0, 1.0, 100, 4, 0), 1.0)
    ions = [flat._replace(diffusivity=Estimate(value, 0.1 * value)) for value in (3.0, 1.0)]
    found = ideal_transport(ions[0], ions[1], numbers=(5, 5), charges=(1, -1), volume=1.0)
    assert found.transference == pytest.approx((0.75, 0.75 * 0.25 * 0.1 * 2**0.5))
