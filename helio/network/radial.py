"""Radial basis: Bernstein polynomials in exp(-gamma d) (Unke et al., Nat. Commun. 2021)."""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


def bernstein_basis(distance: Float[Array, "..."], *, size: int, gamma: float) -> Float[Array, "... size"]:
    """b_k(d) = binom(n, k) x^k (1-x)^(n-k) with x = exp(-gamma d), n = size - 1, k = 0..n.

    Evaluated as the exponential of a sum of logarithms. `distance` in A, positive; gamma in 1/A.
    """
    n = size - 1
    k = np.arange(size)
    log_binomial = np.array([math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) for i in k])
    log_x = -gamma * distance[..., None]
    log_rest = jnp.log(-jnp.expm1(log_x))
    dtype = distance.dtype
    up, down = jnp.asarray(k, dtype), jnp.asarray(n - k, dtype)
    return jnp.exp(jnp.asarray(log_binomial, dtype) + up * log_x + down * log_rest)
