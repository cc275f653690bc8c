"""Functions of small 3 x 3 matrices, as series: a strain per time step is far below one."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

# Terms of the series: the first that is left out is below 1e-18 for matrices of norm 0.05.
_TERMS = 10


def exponential(matrix: Float[Array, "3 3"]) -> Float[Array, "3 3"]:
    """exp(M) = sum M^k / k!."""
    one = jnp.eye(3, dtype=matrix.dtype)
    return one + matrix @ mean_exponential(matrix)


def mean_exponential(matrix: Float[Array, "3 3"]) -> Float[Array, "3 3"]:
    """The integral of exp(s M) over s from 0 to 1: sum M^k / (k + 1)!."""
    one = jnp.eye(3, dtype=matrix.dtype)
    result = one
    for k in range(_TERMS, 0, -1):
        result = one + matrix @ result / (k + 1)
    return result
