"""Real spherical harmonics of any degree, as polynomials of a unit vector."""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float


def num_components(degrees: Sequence[int]) -> int:
    """M = sum of 2l + 1."""
    return sum(2 * degree + 1 for degree in degrees)


def spread_over_components(degrees: Sequence[int], dtype: DTypeLike) -> Float[Array, "L M"]:
    """The matrix that repeats one value per degree for each of its 2l + 1 components.

    A product with it is much cheaper than indexing, whose derivative is a scatter.
    """
    return jnp.asarray(np.repeat(np.eye(len(degrees)), [2 * degree + 1 for degree in degrees], axis=1), dtype)


def spherical_harmonics(unit: Float[Array, "... 3"], degrees: Sequence[int]) -> Float[Array, "... M"]:
    """Orthonormal real harmonics Y_lm(u), degrees one after the other, m = -l..l inside each.

    Y_1 = sqrt(3 / 4 pi) (y, z, x). Products of the polynomials C_m + i S_m = (x + i y)^m and the associated Legendre
    polynomials of z divided by sin^m, both by recursion; no Condon-Shortley phase.
    """
    x, y, z = unit[..., 0], unit[..., 1], unit[..., 2]
    highest = max(degrees)
    cosine, sine = [jnp.ones_like(x)], [jnp.zeros_like(x)]
    for _ in range(highest):
        cosine.append(x * cosine[-1] - y * sine[-1])
        sine.append(x * sine[-1] + y * cosine[-2])
    legendre = _legendre(z, highest)

    components = []
    for degree in degrees:
        for m in range(-degree, degree + 1):
            order = abs(m)
            norm = math.sqrt(
                (2 * degree + 1) / (4 * math.pi) * math.factorial(degree - order) / math.factorial(degree + order)
            )
            azimuthal = 1.0 if m == 0 else math.sqrt(2) * (sine[order] if m < 0 else cosine[order])
            components.append(norm * legendre[degree, order] * azimuthal)
    return jnp.stack(components, axis=-1)


def _legendre(z: Float[Array, "..."], highest: int) -> dict[tuple[int, int], Array]:
    """P_l^m(z) / (1 - z^2)^(m/2) for all 0 <= m <= l <= highest."""
    table = {}
    for m in range(highest + 1):
        table[m, m] = jnp.full_like(z, math.prod(range(1, 2 * m, 2)))
        if m < highest:
            table[m + 1, m] = z * (2 * m + 1) * table[m, m]
        for degree in range(m + 2, highest + 1):
            table[degree, m] = (
                (2 * degree - 1) * z * table[degree - 1, m] - (degree + m - 1) * table[degree - 2, m]
            ) / (degree - m)
    return table


def invariants(chi: Float[Array, "... M"], degrees: Sequence[int]) -> Float[Array, "... L"]:
    """inv_l(chi) = sum_m chi_lm^2 / sqrt(2l + 1), one value per degree."""
    norms = jnp.asarray([[1 / math.sqrt(2 * degree + 1)] for degree in degrees], chi.dtype)
    return (chi * chi) @ (norms * spread_over_components(degrees, chi.dtype)).T
