"""One block of the pairs of an atom inside a program for GPUs: geometry, filters, harmonics.

A value per pair of the block is a vector (J,), a value per pair and feature of a head an array (J, W); J and W are
powers of two, as Triton demands. What has several components is a list of such vectors, since programs cannot slice
arrays. Lanes without a pair within the cutoff have the program's own atom as neighbour and an envelope of zero: all
they add is zero.

| symbol | variable |
|---|---|
| u, 1/d | `unit`, `inverse` |
| c/n, c'/n | `envelope`, `envelope_slope` |
| R, R'(d) of the features `columns` | `radial`, `radial_slope` |
| inv_l(chi_j - chi_i) | `invariants` |
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jaxtyping import Array, Bool, Float, Int

from helio.kernels.settings import AttentionSettings

Vector = Float[Array, " J"]


class Operands(NamedTuple):
    """Arrays of all atoms, the own rows of the list and the filters; references to them inside a program."""

    positions: Any
    cell: Any
    index: Any
    shift: Any  # None where nothing is periodic
    row_start: Any  # (1,)
    table: Any
    first: Any
    bias: Any
    second: Any
    second_transposed: Any
    query: tuple[Any, Any]
    key: tuple[Any, Any]
    value: Any
    chi: Any  # None in the first layer

    @classmethod
    def of(cls, *arrays: Array) -> Operands:
        """From arrays as the compiled library takes them, where what there is none of is empty."""
        positions, cell, index, shift, row_start, table, first, bias, second, transposed = arrays[:10]
        query1, query2, key1, key2, value, chi = arrays[10:]
        return cls(
            positions,
            cell,
            index,
            shift if shift.shape[-1] else None,
            row_start.reshape(1),
            table,
            first,
            bias,
            second,
            transposed,
            (query1, query2),
            (key1, key2),
            value,
            chi if chi.shape[-1] else None,
        )


@dataclass(frozen=True)
class Block:
    """Up to J pairs of one atom."""

    neighbor: Int[Array, " J"]
    inside: Bool[Array, " J"]
    turns: list[Vector] | None  # the shift along each vector of the cell
    unit: list[Vector]
    inverse: Vector
    envelope: Vector
    envelope_slope: Vector
    knot: Int[Array, " J"]
    weights: list[Vector]  # of value, slope, next value, next slope in the table
    slope_weights: list[Vector]  # likewise, for the derivative in the distance

    def of_neighbors(self, values: Any, begin: int, width: int) -> Float[Array, "J W"]:
        """Some columns of the neighbours' rows of a reference (N, F)."""
        return values[self.neighbor, pl.ds(begin, width)]

    def radial(self, table: Any, begin: int, width: int) -> Float[Array, "J W"]:
        """The part of filters that the table holds."""
        return self._from_table(self.weights, table, begin, width)

    def radial_slope(self, table: Any, begin: int, width: int) -> Float[Array, "J W"]:
        """Its derivative in the distance (1/A)."""
        return self._from_table(self.slope_weights, table, begin, width)

    def _from_table(self, weights: list[Vector], table: Any, begin: int, width: int) -> Float[Array, "J W"]:
        columns = pl.ds(begin, width)
        entries = [table[self.knot + (k // 2), k % 2, columns] for k in range(4)]
        return total([weight[:, None] * entry for weight, entry in zip(weights, entries, strict=True)])


def measure(settings: AttentionSettings, refs: Operands, row: Array, atom: Array, begin: Array, size: int) -> Block:
    """The pairs at places `begin` to `begin + size - 1` of a row that belongs to `atom`."""
    atoms, places = refs.positions.shape[0], refs.index.shape[1]
    place = begin + jnp.arange(size, dtype=jnp.int32)
    readable = jnp.minimum(place, places - 1)
    listed = refs.index[row, readable]
    there = (place < places) & (listed >= 0) & (listed < atoms)
    neighbor = jnp.where(there, listed, atom)
    dtype = refs.positions.dtype
    vector = [refs.positions[neighbor, axis] - refs.positions[atom, axis] for axis in range(3)]
    turns = None
    if refs.shift is not None:
        turns = [refs.shift[row, readable, a].astype(dtype) for a in range(3)]
        vector = [vector[axis] + total([turns[a] * refs.cell[a, axis] for a in range(3)]) for axis in range(3)]
    square = total([r * r for r in vector])
    inside = there & (square < settings.cutoff**2)
    vector = [jnp.where(inside, r, 0.0 if axis else settings.cutoff) for axis, r in enumerate(vector)]
    # Two atoms in one place have no direction, but nothing becomes infinite.
    tiny = 1e-12 if dtype == jnp.float32 else 1e-24
    distance = jnp.sqrt(jnp.maximum(total([r * r for r in vector]), tiny))
    inverse = 1 / distance
    envelope, envelope_slope = _envelope(settings, distance, inside)
    return Block(
        jnp.where(inside, neighbor, atom),
        inside,
        turns,
        [r * inverse for r in vector],
        inverse,
        envelope,
        envelope_slope,
        *_place_in_table(settings, refs.table.shape[0], distance),
    )


def _envelope(settings: AttentionSettings, distance: Vector, inside: Array) -> tuple[Vector, Vector]:
    """Returns c / n and c' / n; c = 1 - 10 s^3 + 15 s^4 - 6 s^5 with s = d / cutoff."""
    s = distance * (1 / settings.cutoff)
    rest, scale = 1 - s, 1 / settings.average_neighbors
    value = scale * (1 + s * s * s * (-10 + s * (15 - 6 * s)))
    slope = (-30 * scale / settings.cutoff) * s * s * rest * rest
    return jnp.where(inside, value, 0.0), jnp.where(inside, slope, 0.0)


def _place_in_table(
    settings: AttentionSettings, knots: int, distance: Vector
) -> tuple[Int[Array, " J"], list[Vector], list[Vector]]:
    """The knot before each distance and the weights of cubic Hermite pieces, see `helio.kernels.tables`."""
    last = math.exp(-settings.decay * settings.cutoff)
    per_y = (knots - 1) / (1 - last)
    y = jnp.exp(distance * -settings.decay)
    t = jnp.maximum((y - last) * per_y, 0.0)
    knot = jnp.minimum(t, knots - 1.5).astype(jnp.int32)
    t = t - knot.astype(t.dtype)
    u, slope = 1 - t, y * (-settings.decay * per_y)  # dt / dd
    weights = [u * u * (1 + 2 * t), t * u * u, t * t * (3 - 2 * t), -t * t * u]
    slopes = [-6 * t * u, u * (1 - 3 * t), 6 * t * u, t * (3 * t - 2)]
    return knot, weights, [slope * weight for weight in slopes]


def differences(refs: Operands, block: Block, atom: Array) -> list[Vector]:
    """chi_j - chi_i, one vector per component."""
    return [refs.chi[block.neighbor, c] - refs.chi[atom, c] for c in range(refs.chi.shape[1])]


def invariants(settings: AttentionSettings, difference: list[Vector]) -> list[Vector]:
    """One vector per degree."""
    return [
        total([difference[c] * difference[c] for c in columns]) * (1 / math.sqrt(len(columns)))
        for columns in components_by_degree(settings.degrees)
    ]


def hidden(refs: Operands, g: int, inv: list[Vector]) -> tuple[Float[Array, "J D"], Float[Array, "J D"]]:
    """The hidden layer of the spherical network of attention `g` (0 or 1), silu(x), and silu'(x)."""
    width = refs.second.shape[1]
    columns = pl.ds(g * width, width)
    x = refs.bias[columns][None, :] + total([s[:, None] * refs.first[d, columns][None, :] for d, s in enumerate(inv)])
    sigmoid = 1 / (1 + jnp.exp(-x))
    silu = x * sigmoid
    return silu, sigmoid + silu * (1 - sigmoid)


def product(a: Float[Array, "J D"], b: Float[Array, "D W"]) -> Float[Array, "J W"]:
    """A matrix product in full precision: TF32 would keep three digits."""
    return jnp.dot(a, b, precision=lax.Precision.HIGHEST, preferred_element_type=a.dtype)


def components_by_degree(degrees: tuple[int, ...]) -> list[range]:
    """Where each degree's 2l + 1 components stand."""
    ends = [sum(2 * degree + 1 for degree in degrees[:count]) for count in range(len(degrees) + 1)]
    return [range(begin, end) for begin, end in pairwise(ends)]


class Harmonics:
    """Y_lm of unit vectors, and their gradients as polynomials of three independent variables.

    The polynomials of `helio.network.harmonics`: Y_lm = norm P_l^(|m|)(z) times the real or imaginary part of
    (x + i y)^|m|, where P_l^(m) is the m-th derivative of the Legendre polynomial.
    """

    def __init__(self, unit: list[Vector], highest: int):
        x, y, z = unit
        self.cosine, self.sine = [jnp.ones_like(x)], [jnp.zeros_like(x)]
        for _ in range(highest):
            cosine, sine = self.cosine[-1], self.sine[-1]
            self.cosine.append(x * cosine - y * sine)
            self.sine.append(x * sine + y * cosine)
        self.legendre: dict[tuple[int, int], Vector] = {}
        for m in range(highest + 1):
            self.legendre[m, m] = jnp.full_like(z, math.prod(range(1, 2 * m, 2)))
            self.legendre[m, m + 1] = jnp.zeros_like(z)
            for degree in range(m + 1, highest + 1):
                term = (2 * degree - 1) * z * self.legendre[degree - 1, m]
                if degree > m + 1:
                    term = term - (degree + m - 1) * self.legendre[degree - 2, m]
                self.legendre[degree, m] = term * (1 / (degree - m))

    def values(self, degree: int) -> list[Vector]:
        """Y_lm for m = -l..l."""
        return [
            _norm(degree, abs(m)) * self.legendre[degree, abs(m)] * (self.sine if m < 0 else self.cosine)[abs(m)]
            for m in range(-degree, degree + 1)
        ]

    def gradient(self, degree: int, weights: list[Vector]) -> list[Vector]:
        """Three vectors: the sum over m of weights times dY_lm / d(x, y, z)."""
        along = [jnp.zeros_like(weights[0]) for _ in range(3)]
        for m, weight in zip(range(-degree, degree + 1), weights, strict=True):
            order, scaled = abs(m), _norm(degree, abs(m)) * weight
            along[2] += scaled * self.legendre[degree, order + 1] * (self.sine if m < 0 else self.cosine)[order]
            if order == 0:
                continue
            plane = order * scaled * self.legendre[degree, order]
            real, imaginary = self.cosine[order - 1], self.sine[order - 1]
            along[0] += plane * (imaginary if m < 0 else real)
            along[1] += plane * (real if m < 0 else -imaginary)
        return along


def _norm(degree: int, order: int) -> float:
    ratio = math.factorial(degree - order) / math.factorial(degree + order)
    return math.sqrt((2 * degree + 1) / (4 * math.pi) * ratio * (2 if order else 1))


def total(terms: list[jax.Array]) -> jax.Array:
    """Their sum; there is at least one."""
    sum_ = terms[0]
    for term in terms[1:]:
        sum_ = sum_ + term
    return sum_
