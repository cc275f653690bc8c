"""Periodic cells: fractional coordinates on the torus, nearest images, and a cell's canonical form.

The nearest of 27 images is the nearest of all only where the cell is reduced: `reduced` makes it so, once, on the host.
"""

from __future__ import annotations

import itertools
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

# The cell itself and all that touch it.
IMAGES = np.array(list(itertools.product((0, -1, 1), repeat=3)), np.float32)


def wrap(fractional: Float[Array, "... 3"]) -> Float[Array, "... 3"]:
    """The same places in [0, 1)."""
    wrapped = fractional - jnp.floor(fractional)
    return jnp.where(wrapped < 1, wrapped, 0.0)  # a rounding error below zero is rounded up to one


def minimum_image(
    difference: Float[Array, "... 3"], cell: Float[Array, "3 3"]
) -> tuple[Float[Array, "... 3"], Float[Array, "... 3"]]:
    """The shortest vector that a fractional difference stands for, Cartesian, and its fractional form.

    Args:
        difference: fractional.
        cell: reduced, rows are vectors.
    """
    images = jnp.asarray(IMAGES, difference.dtype)
    candidates = (difference - jnp.round(difference))[..., None, :] + images
    vectors = candidates @ cell
    nearest = jnp.argmin(jnp.sum(vectors**2, axis=-1), axis=-1)[..., None, None]
    chosen = jnp.take_along_axis(candidates, nearest, axis=-2)[..., 0, :]
    return jnp.take_along_axis(vectors, nearest, axis=-2)[..., 0, :], chosen


def widths(cell: Float[Array, "3 3"]) -> Float[Array, "3"]:
    """Distances between the three pairs of opposite faces: V / |b x c| and so on."""
    faces = jnp.stack([jnp.cross(cell[(i + 1) % 3], cell[(i + 2) % 3]) for i in range(3)])
    return volume(cell) / jnp.sqrt(jnp.sum(faces**2, axis=-1))


def volume(cell: Float[Array, "... 3 3"]) -> Float[Array, "..."]:
    """Of the cell."""
    return jnp.abs(jnp.sum(cell[..., 0, :] * jnp.cross(cell[..., 1, :], cell[..., 2, :]), axis=-1))


def length_unit(cell: Float[Array, "... 3 3"]) -> Float[Array, "..."]:
    """The cube root of the volume: the unit of length inside the networks."""
    return volume(cell) ** (1 / 3)


def reduced(cell: np.ndarray, fractional: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Niggli's form of the same lattice, turned as `cell` is, and the same places in it, fractional in [0, 1)."""
    from ase.build.niggli import niggli_reduce_cell

    change = np.asarray(niggli_reduce_cell(cell)[1], np.float64).T
    places = fractional @ np.linalg.inv(change)
    places -= np.floor(places)
    return change @ cell, np.where(places < 1, places, 0.0)


def cell_parameters(cell: np.ndarray) -> np.ndarray:
    """Lengths a, b, c in A and angles alpha, beta, gamma in degrees, (6,)."""
    lengths = np.linalg.norm(cell, axis=1)
    unit = cell / lengths[:, None]
    cosines = [unit[1] @ unit[2], unit[0] @ unit[2], unit[0] @ unit[1]]
    return np.concatenate([lengths, np.degrees(np.arccos(np.clip(cosines, -1, 1)))])


def cell_matrix(parameters: Any) -> np.ndarray:
    """The cell (3, 3) of these lengths and angles: a along x, b in the xy plane.

    Raises:
        ValueError: no cell has such angles.
    """
    a, b, c, alpha, beta, gamma = np.asarray(parameters, np.float64)
    x, y, z = np.cos(np.radians([alpha, beta, gamma]))
    sine = np.sqrt(1 - z**2)
    second = (x - y * z) / sine
    third = 1 - y**2 - second**2
    if min(a, b, c) <= 0 or third <= 1e-6:
        raise ValueError(f"there is no cell with the parameters {np.round(parameters, 4)}")
    return np.array([[a, 0, 0], [b * z, b * sine, 0], [c * y, c * second, c * np.sqrt(third)]])
