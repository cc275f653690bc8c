"""Radial functions and directions of all pairs of blocks, summed over periodic images.

R_ijk = sum_S f_k(r_ijS),  V_ijxk = sum_S f_k(r_ijS) r_ijS / |r_ijS|

Functions f_k are Gaussians under an envelope that ends at a range R, the smallest of 4 w_1, w_2 and w_3 for a cell of
widths w whose first axis is the shortest. Images within four, one and one cells along the axes are counted: every other
one is further away than R, so both sums are smooth on the torus and do not depend on which image of a block is meant.
Distances are in units of R: scaling the cell changes nothing.
"""

from __future__ import annotations

import itertools

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from helio.frameworks.model.torus import widths

_CELLS = (4, 1, 1)  # along each axis, in both directions
_IMAGES = np.array(list(itertools.product(*(range(1 - n, n + 1) for n in _CELLS))), np.float32)
_NEAR = 1e-6  # of the range; a block and itself


class Pairs(eqx.Module):
    """What the network knows of places; row i, column j is about the vectors from i to j."""

    radial: Float[Array, "G G K"]
    directed: Float[Array, "G G 3 K"]
    real: Bool[Array, "G G"]


def make_pairs(
    fractional: Float[Array, "G 3"], cell: Float[Array, "3 3"], mask: Bool[Array, " G"], *, functions: int
) -> Pairs:
    """All pairs of the blocks that are real.

    Args:
        fractional: places.
        cell: reduced, in any unit.
        mask: which blocks are real.
        functions: K.
    """
    difference = fractional[None, :] - fractional[:, None]
    images = jnp.asarray(_IMAGES, fractional.dtype)
    between = (difference - jnp.floor(difference))[:, :, None] - images  # from -n to n along an axis
    vectors = between @ (cell / jnp.min(widths(cell) * jnp.asarray(_CELLS, cell.dtype)))
    square = jnp.sum(vectors**2, axis=-1)
    apart = square > _NEAR**2
    distance = jnp.sqrt(jnp.where(apart, square, 1.0))  # whose derivative exists for a block and itself
    real = mask[:, None] & mask[None, :]
    counted = apart & (distance < 1) & real[:, :, None]
    envelope = jnp.where(counted, (1 - distance) ** 2 * (1 + 2 * distance), 0.0)
    centres = jnp.linspace(0.0, 1.0, functions, dtype=fractional.dtype)
    values = envelope[..., None] * jnp.exp(-0.5 * ((distance[..., None] - centres) * functions) ** 2)
    directions = vectors / distance[..., None]
    directed = jnp.sum(values[..., None, :] * directions[..., None], axis=2)
    return Pairs(values.sum(axis=2), directed, real)
