"""Determinants and inverses of cells."""

from __future__ import annotations

import jax
import numpy as np
from jax.test_util import check_grads

from helio.cells import determinant, inverse
from helio.precision import numerics


def test_equal_those_of_numpy() -> None:
    with numerics("float64"):
        for matrix in np.random.default_rng(0).normal(size=(20, 3, 3)) * 10:
            np.testing.assert_allclose(determinant(matrix), np.linalg.det(matrix), rtol=1e-12)
            np.testing.assert_allclose(inverse(matrix), np.linalg.inv(matrix), rtol=1e-10, atol=1e-12)


def test_derivatives() -> None:
    with numerics("float64"):
        matrix = np.eye(3) * 5 + np.random.default_rng(1).normal(size=(3, 3))
        check_grads(jax.jit(inverse), (matrix,), order=2)
        check_grads(jax.jit(determinant), (matrix,), order=2)
