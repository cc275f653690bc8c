"""Smooth steps from one to zero."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def exponential_switch(s: Float[Array, "..."]) -> Float[Array, "..."]:
    """A step with all derivatives continuous: 1 for s <= 0, 0 for s >= 1.

    f(s) = g(1-s) / (g(1-s) + g(s)) with g(t) = exp(-1/t) for t > 0, else 0; written as a logistic function of
    1/s - 1/(1-s), which needs one exponential and cannot overflow.
    """
    margin = 1e-6  # the logistic function is exactly 0 or 1 here, in float64 too
    inside = jnp.clip(s, margin, 1 - margin)
    return jax.nn.sigmoid(1 / inside - 1 / (1 - inside))


def quintic_cutoff(distance: Float[Array, "..."], cutoff: float) -> Float[Array, "..."]:
    """c(d) = 1 - 6 s^5 + 15 s^4 - 10 s^3 with s = d / cutoff; 0 from the cutoff on."""
    s = distance / cutoff
    return jnp.where(s < 1, 1 + s**3 * (-10 + s * (15 - 6 * s)), 0)
