"""Limits, derivatives and single values of the bare pair formulas."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helio.physics.coulomb import shifted_coulomb, smeared_coulomb
from helio.physics.dispersion import atoms_in_molecules
from helio.physics.dispersion import pair_energy as dispersion
from helio.physics.switching import exponential_switch, quintic_cutoff
from helio.physics.zbl import ZBL
from helio.precision import numerics
from helio.units import BOHR, HARTREE


@pytest.mark.parametrize("step", [exponential_switch, lambda s: quintic_cutoff(s, 1.0)])
def test_steps_are_smooth_and_monotonic(step):
    with numerics("float64"):
        s = jnp.linspace(1e-3, 1.2, 500)
        values, slopes = step(s), jax.vmap(jax.grad(step))(s)
        assert float(values[0]) == pytest.approx(1, abs=1e-6)
        assert np.all(np.asarray(values[s >= 1]) == 0)
        assert np.all(np.asarray(slopes) <= 0) and np.all(np.isfinite(slopes))
        assert float(jax.grad(step)(0.9999)) == pytest.approx(0, abs=1e-6)


def test_exponential_switch_at_its_middle():
    with numerics("float64"):
        assert float(exponential_switch(jnp.asarray(0.5))) == 0.5
        g = np.exp(-1 / 0.75) / (np.exp(-1 / 0.75) + np.exp(-1 / 0.25))
        assert float(exponential_switch(jnp.asarray(0.25))) == pytest.approx(g, abs=1e-15)


def test_coulomb_limits():
    with numerics("float64"):
        far, near = jnp.asarray(60.0), jnp.asarray(1e-4)
        assert float(smeared_coulomb(far, 4.0)) == pytest.approx(1 / 60, rel=1e-12)
        assert float(smeared_coulomb(near, 4.0)) == pytest.approx(2 / np.sqrt(np.pi) / 4, rel=1e-8)


@pytest.mark.parametrize("cutoff", [10.0, 12.0])
def test_shifted_coulomb_vanishes_with_its_slope(cutoff: float):
    with numerics("float64"):
        end = jnp.asarray(cutoff - 1e-7)
        potential = lambda r: shifted_coulomb(r, 4.0, cutoff)  # noqa: E731
        assert float(potential(end)) == pytest.approx(0, abs=1e-12)
        assert float(jax.grad(potential)(end)) == pytest.approx(0, abs=1e-7)
        # Inside the onset only the value is shifted.
        inner = jnp.asarray(0.3 * cutoff)
        shift = smeared_coulomb(jnp.asarray(cutoff), 4.0)
        assert float(potential(inner)) == pytest.approx(float(smeared_coulomb(inner, 4.0) - shift), abs=1e-15)


def test_dispersion_far_away_is_c6():
    with numerics("float64"):
        r = jnp.asarray(60.0)
        one = [jnp.asarray(v) for v in (12.0, 12.0, 46.6, 46.6)]
        energy = float(dispersion(r, *one, scale=1.2))
        assert energy == pytest.approx(-HARTREE * 46.6 * (BOHR / 60) ** 6, rel=0.02)
        assert np.isfinite(float(jax.grad(lambda d: dispersion(d, *one, scale=1.2))(jnp.asarray(1e-2))))


def test_dispersion_stays_finite_in_float32_at_any_distance():
    one = [jnp.asarray(v, jnp.float32) for v in (25.0, 4.5, 185.0, 6.5)]
    slope = jax.grad(lambda d: dispersion(d, *one, scale=1.2))
    for distance in (0.3, 30.0, 1e4, 1e5):
        assert np.isfinite(float(slope(jnp.asarray(distance, jnp.float32))))


def test_universal_zbl_at_a_known_point():
    # Z = 1 and 8 at 0.5 A, by hand from the universal screening function.
    with numerics("float64"):
        zbl = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), ZBL.universal())
        one, eight, d = jnp.asarray(1.0), jnp.asarray(8.0), jnp.asarray(0.5)
        energy = float(zbl(d, one, eight, cutoff=1e6, reach=1e6))
    x = 0.5 * (1 + 8**0.23) / 0.46850
    weights = np.array([0.18175, 0.50986, 0.28022, 0.02817])
    screening = np.sum(weights / weights.sum() * np.exp(-np.array([3.19980, 0.94229, 0.40290, 0.20162]) * x))
    assert energy == pytest.approx(14.399645 * 8 / 0.5 * screening, rel=1e-5)


def test_dispersion_of_vanishing_atoms_can_be_differentiated_twice():
    """Hirshfeld ratios of zero, as untrained models predict them, give finite slopes; all others are untouched."""

    def energy(ratios: jax.Array) -> jax.Array:
        alpha, c6 = atoms_in_molecules(jnp.asarray([12.0, 4.5]), jnp.asarray([46.6, 6.5]), ratios)
        return dispersion(jnp.asarray(3.0), alpha[0], alpha[1], c6[0], c6[1], scale=1.2)

    for ratios in ([0.0, 0.0], [1e-30, 0.5], [0.002, 0.001]):
        x = jnp.asarray(ratios, jnp.float32)
        assert np.isfinite(jax.grad(energy)(x)).all() and np.isfinite(jax.hessian(energy)(x)).all()
    alpha, c6 = atoms_in_molecules(jnp.asarray(12.0), jnp.asarray(46.6), jnp.asarray(0.7))
    assert (alpha, c6) == (jnp.asarray(12.0) * jnp.asarray(0.7), jnp.asarray(46.6) * jnp.asarray(0.7) ** 2)
