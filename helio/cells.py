"""Determinants and inverses of cells, written out.

Calls of LAPACK for 3 x 3 matrices cannot be fused with anything: those of a step took 20 atoms longer than a layer
of their network.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float


def determinant(matrix: Float[Array, "3 3"]) -> Float[Array, ""]:
    """The signed volume that the rows span."""
    return jnp.sum(matrix[0] * jnp.cross(matrix[1], matrix[2]))


def inverse(matrix: Float[Array, "3 3"]) -> Float[Array, "3 3"]:
    """The inverse, of which row k are the k-th components of the reciprocal vectors; infinite for flat cells."""
    a, b, c = matrix
    reciprocal = jnp.stack([jnp.cross(b, c), jnp.cross(c, a), jnp.cross(a, b)], axis=1)
    return reciprocal / determinant(matrix)
