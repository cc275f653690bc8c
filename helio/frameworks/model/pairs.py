"""What the networks see of places: waves of the fractional differences of all pairs of blocks.

S_ijk = sin 2 pi k.(f_j - f_i),  C_ijk = cos 2 pi k.(f_j - f_i)

for whole vectors k, one of each pair k and -k: all with components up to 2 and |k|^2 up to 6, and along the axes up to
`reach`. They are smooth on the torus and do not depend on which image of a block is meant, on the origin, nor on how
the crystal is turned or mirrored (Jiao et al., DiffCSP, NeurIPS 2023, take those along the axes). Which cell of the
lattice is used does matter: it is always the reduced one.
"""

from __future__ import annotations

import itertools
from functools import cache

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from helio.frameworks.model.torus import length_unit

_NEAR, _SQUARE = 2, 6  # largest component and |k|^2 of waves in all directions


class Pairs(eqx.Module):
    """What the network knows of places; row i, column j is about the vectors from i to j."""

    waves: Float[Array, "G G K"]
    cell: Float[Array, "3 3"]  # of volume 1
    real: Bool[Array, "G G"]


@cache
def wave_vectors(reach: int) -> np.ndarray:
    """The vectors k, (K / 2, 3), whose components along the axes go up to `reach`."""
    near = range(-_NEAR, _NEAR + 1)
    chosen = [k for k in itertools.product(near, repeat=3) if k > (0, 0, 0) and sum(n * n for n in k) <= _SQUARE]
    axes = [n * axis for n in range(_NEAR + 1, reach + 1) for axis in np.eye(3)]
    return np.array([*chosen, *axes], np.float32)


def make_pairs(
    fractional: Float[Array, "G 3"], cell: Float[Array, "3 3"], mask: Bool[Array, " G"], *, reach: int
) -> Pairs:
    """All pairs of the blocks that are real.

    Args:
        fractional: places.
        cell: reduced, in any unit.
        mask: which blocks are real.
        reach: of the waves along the axes.
    """
    phase = 2 * jnp.pi * fractional @ jnp.asarray(wave_vectors(reach), fractional.dtype).T
    s, c = jnp.sin(phase), jnp.cos(phase)
    odd = s[None] * c[:, None] - c[None] * s[:, None]
    even = c[None] * c[:, None] + s[None] * s[:, None]
    waves = jnp.concatenate([odd, even], axis=-1)
    return Pairs(waves, cell / length_unit(cell), mask[:, None] & mask[None, :])
