"""Spherical harmonics of any degree."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import sph_harm_y

from helio.network.harmonics import invariants, spherical_harmonics
from helio.precision import numerics

DEGREES = (1, 2, 3, 4, 5)


def unit_vectors(count: int = 40) -> np.ndarray:
    vectors = np.random.default_rng(0).normal(size=(count, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_equal_scipy_up_to_the_condon_shortley_phase():
    unit = unit_vectors()
    theta, phi = np.arccos(unit[:, 2]), np.arctan2(unit[:, 1], unit[:, 0])
    expected = []
    for degree in DEGREES:
        for m in range(-degree, degree + 1):
            complex_harmonic = sph_harm_y(degree, abs(m), theta, phi) * (-1) ** m
            real = complex_harmonic.real if m >= 0 else complex_harmonic.imag
            expected.append(real * (1 if m == 0 else np.sqrt(2)))
    with numerics("float64"):
        found = np.asarray(spherical_harmonics(jnp.asarray(unit), DEGREES))
    np.testing.assert_allclose(found, np.stack(expected, axis=1), atol=1e-13)


def test_degree_one_is_y_z_x():
    unit = unit_vectors(5)
    with numerics("float64"):
        found = np.asarray(spherical_harmonics(jnp.asarray(unit), (1,)))
    np.testing.assert_allclose(found, np.sqrt(3 / (4 * np.pi)) * unit[:, [1, 2, 0]], atol=1e-14)


def test_invariants_of_harmonics():
    # sum_m Y_lm^2 = (2l + 1) / 4 pi for every direction.
    with numerics("float64"):
        found = np.asarray(invariants(spherical_harmonics(jnp.asarray(unit_vectors()), DEGREES), DEGREES))
    expected = [np.sqrt(2 * degree + 1) / (4 * np.pi) for degree in DEGREES]
    np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), rtol=1e-12)


@pytest.mark.parametrize("degree", DEGREES)
def test_parity(degree: int):
    unit = unit_vectors(5)
    with numerics("float64"):
        there, back = (np.asarray(spherical_harmonics(jnp.asarray(v), (degree,))) for v in (unit, -unit))
    np.testing.assert_allclose(back, (-1) ** degree * there, atol=1e-13)
