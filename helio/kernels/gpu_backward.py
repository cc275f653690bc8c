"""Attention of one layer on GPUs, backward, derived by hand; formulas and symbols as in `csrc/backward.h`."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jaxtyping import Array

from helio.kernels import gpu_pairs
from helio.kernels.gpu_pairs import Block, Harmonics, Operands, Vector
from helio.kernels.gpu_rows import DEFAULT, Launch, over_row, run_programs, store_components, store_heads, weights
from helio.kernels.settings import AttentionSettings

_Towards = tuple[list[Vector], list[Vector]]  # A_ij and A_ji


def backward(
    settings: AttentionSettings,
    operands: Operands,
    features_cotangent: Array,
    euclidean_cotangent: Array,
    *,
    launch: Launch = DEFAULT,
    interpret: bool = False,
) -> tuple[Array, ...]:
    """Gradients of the own rows in query (2), key (2), value, chi, positions, and their part of that in the cell."""
    rows, features, dtype = len(operands.index), operands.value.shape[1], operands.value.dtype

    def result(*shape: int) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((rows, *shape), dtype)

    shapes = _Gradients(
        query=(result(features), result(features)),
        key=(result(features), result(features)),
        value=result(features),
        chi=None if operands.chi is None else result(settings.components),
        positions=result(3),
        cell=None if operands.shift is None else result(3, 3),
    )
    arguments = operands, features_cotangent, euclidean_cotangent
    found = run_programs(_backward_program, settings, arguments, shapes, launch=launch, interpret=interpret)
    chi = jnp.zeros((0, 0), dtype) if found.chi is None else found.chi
    cell = jnp.zeros((3, 3), dtype) if found.cell is None else found.cell.sum(axis=0)
    return *found.query, *found.key, found.value, chi, found.positions, cell


class _Gradients(NamedTuple):
    """Results of the backward program, those of the cell for each row."""

    query: Any
    key: Any
    value: Any
    chi: Any
    positions: Any
    cell: Any


class _BackwardSums(NamedTuple):
    query: list[list[Any]]  # per attention and head, (W,)
    key: list[list[Any]]
    value: list[Any]
    chi: list[Any]  # per component, (J,), as all below
    positions: list[Any]
    cell: list[Any]


def _backward_program(
    settings: AttentionSettings, size: int, refs: Operands, dx: Any, dc: Any, gradients: _Gradients
) -> None:
    row, dtype = pl.program_id(0), refs.value.dtype
    heads, features = (settings.heads, len(settings.degrees)), refs.value.shape[1]

    def per_head(g: int) -> list[Array]:
        return [jnp.zeros(features // heads[g], dtype) for _ in range(heads[g])]

    def per_pair(count: int) -> list[Array]:
        return [jnp.zeros(size, dtype) for _ in range(count)]

    empty = _BackwardSums(
        query=[per_head(0), per_head(1)],
        key=[per_head(0), per_head(1)],
        value=per_head(0),
        chi=per_pair(0 if refs.chi is None else settings.components),
        positions=per_pair(3),
        cell=per_pair(0 if refs.shift is None else 9),
    )
    add = partial(_add_gradients, settings, refs, dx, dc, row + refs.row_start[0])
    found = over_row(settings, size, refs, add, empty)
    for g in range(2):
        store_heads(gradients.query[g], row, found.query[g])
        store_heads(gradients.key[g], row, found.key[g])
    store_heads(gradients.value, row, found.value)
    store_components(gradients.positions, row, found.positions)
    if gradients.chi is not None:
        store_components(gradients.chi, row, found.chi)
    if gradients.cell is not None:
        for place, parts in enumerate(found.cell):
            gradients.cell[row, place // 3, place % 3] = jnp.sum(parts)


def _add_gradients(
    settings: AttentionSettings, refs: Operands, dx: Any, dc: Any, atom: Array, block: Block, sums: _BackwardSums
) -> _BackwardSums:
    """The sums with those of a block; dx and dc are references to x' and c' of all atoms."""
    difference = [] if refs.chi is None else gpu_pairs.differences(refs, block, atom)
    inner: Any = (None, None)
    if difference:
        invariants = gpu_pairs.invariants(settings, difference)
        inner = [gpu_pairs.hidden(refs, g, invariants) for g in range(2)]
    harmonics = Harmonics(block.unit, max(settings.degrees))
    turned = _turned(settings, dc, block, atom)
    towards = _towards_features(settings, refs, dx, block, atom), _towards_harmonics(settings, harmonics, turned)
    found = [_through_scores(refs, block, atom, g, towards[g], inner[g], sums.query[g], sums.key[g]) for g in range(2)]
    width = refs.value.shape[1] // settings.heads
    value = [
        total + jnp.sum((a * block.envelope)[:, None] * block.of_neighbors(dx, head * width, width), axis=0)
        for head, (total, a) in enumerate(zip(sums.value, found[0].back, strict=True))
    ]
    along = found[0].distance + found[1].distance
    force = _force(settings, block, harmonics, turned, found[1], along)
    return _BackwardSums(
        query=[part.query for part in found],
        key=[part.key for part in found],
        value=value,
        chi=_chi_sums(settings, refs, sums.chi, difference, [part.filter for part in found]),
        positions=[total - part for total, part in zip(sums.positions, force, strict=True)],
        cell=_cell_sums(sums.cell, block, force),
    )


def _towards_features(settings: AttentionSettings, refs: Operands, dx: Any, block: Block, atom: Array) -> _Towards:
    """A^1_ij and A^1_ji, per head."""
    width = refs.value.shape[1] // settings.heads
    there, back = [], []
    for begin in range(0, width * settings.heads, width):
        own = pl.ds(begin, width)
        there.append(jnp.sum(dx[atom, own][None, :] * block.of_neighbors(refs.value, begin, width), axis=1))
        back.append(jnp.sum(refs.value[atom, own][None, :] * block.of_neighbors(dx, begin, width), axis=1))
    return there, back


def _turned(settings: AttentionSettings, dc: Any, block: Block, atom: Array) -> tuple[list[Array], list[Vector]]:
    """c'_i, numbers, and (-1)^l c'_j, as j sees the harmonics of the opposite direction."""
    own, other = [], []
    for degree, columns in zip(settings.degrees, gpu_pairs.components_by_degree(settings.degrees), strict=True):
        own += [dc[atom, c] for c in columns]
        other += [dc[block.neighbor, c] * (-1) ** degree for c in columns]
    return own, other


def _towards_harmonics(settings: AttentionSettings, harmonics: Harmonics, turned: Any) -> _Towards:
    """A^2_ij and A^2_ji, per degree."""
    sums: _Towards = [], []
    for degree, columns in zip(settings.degrees, gpu_pairs.components_by_degree(settings.degrees), strict=True):
        values = harmonics.values(degree)
        for total, cotangent in zip(sums, turned, strict=True):
            total.append(gpu_pairs.total([cotangent[c] * y for c, y in zip(columns, values, strict=True)]))
    return sums


class _ScoreGradients(NamedTuple):
    """What the gradients of the scores of one attention make."""

    query: list[Array]  # sums over pairs, per head
    key: list[Array]
    there: list[Vector]  # a_ij without c/n, per head
    back: list[Vector]  # a_ji, likewise
    distance: Vector  # d'
    filter: Any  # (J, D), gradient of the hidden layer's input; None in the first layer


def _through_scores(
    refs: Operands, block: Block, atom: Array, g: int, towards: _Towards, inner: Any, query: Any, key: Any
) -> _ScoreGradients:
    """Per head, q' and k' of the atom, w', and what follows from it; `query` and `key` are the sums so far."""
    features, heads = refs.value.shape[1], len(query)
    width = features // heads
    queries, keys, there, back = [], [], [], []
    distance, upstream = jnp.zeros_like(block.inverse), None
    for head in range(heads):
        begin = head * width
        own = pl.ds(begin, width)
        a_there, a_back = towards[0][head], towards[1][head]
        p_there, p_back = (a_there * block.envelope)[:, None], (a_back * block.envelope)[:, None]
        weight = weights(refs, block, g, begin, width, None if inner is None else inner[0])
        other_key = block.of_neighbors(refs.key[g], begin, width)
        other_query = block.of_neighbors(refs.query[g], begin, width)
        queries.append(query[head] + jnp.sum(p_there * weight * other_key, axis=0))
        keys.append(key[head] + jnp.sum(p_back * weight * other_query, axis=0))
        product_there = refs.query[g][atom, own][None, :] * other_key
        product_back = refs.key[g][atom, own][None, :] * other_query
        there.append(jnp.sum(product_there * weight, axis=1))
        back.append(jnp.sum(product_back * weight, axis=1))
        gradient = p_there * product_there + p_back * product_back
        slope = block.radial_slope(refs.table, g * features + begin, width)
        distance += jnp.sum(gradient * slope, axis=1)
        distance += block.envelope_slope * (a_there * there[-1] + a_back * back[-1])
        if inner is not None:
            part = gpu_pairs.product(gradient, refs.second_transposed[g, own, :])
            upstream = part if upstream is None else upstream + part
    return _ScoreGradients(queries, keys, there, back, distance, None if inner is None else upstream * inner[1])


def _chi_sums(
    settings: AttentionSettings, refs: Operands, sums: list[Vector], difference: list[Vector], gradients: list[Any]
) -> list[Vector]:
    """chi'_i += -2 / sqrt(2l + 1) s'_l (chi_j - chi_i)."""
    if not difference:
        return sums
    hidden, added = refs.second.shape[1], []
    for degree, columns in enumerate(gpu_pairs.components_by_degree(settings.degrees)):
        slope = gpu_pairs.total(
            [
                jnp.sum(gradient * refs.first[degree, pl.ds(g * hidden, hidden)][None, :], axis=1)
                for g, gradient in enumerate(gradients)
            ]
        )
        factor = slope * (-2 / math.sqrt(len(columns)))
        added += [sums[c] + factor * difference[c] for c in columns]
    return added


def _force(
    settings: AttentionSettings, block: Block, harmonics: Harmonics, turned: Any, scores: _ScoreGradients, along: Vector
) -> list[Vector]:
    """dL/dr_ij, three vectors: d' u + (dY/dr)^T Y'."""
    gradient = [jnp.zeros_like(along) for _ in range(3)]
    for number, columns in enumerate(gpu_pairs.components_by_degree(settings.degrees)):
        there, back = scores.there[number] * block.envelope, scores.back[number] * block.envelope
        upstream = [there * turned[0][c] + back * turned[1][c] for c in columns]
        parts = harmonics.gradient(settings.degrees[number], upstream)
        gradient = [total + part for total, part in zip(gradient, parts, strict=True)]
    radial = gpu_pairs.total([u * part for u, part in zip(block.unit, gradient, strict=True)])
    return [along * u + block.inverse * (part - radial * u) for u, part in zip(block.unit, gradient, strict=True)]


def _cell_sums(sums: list[Vector], block: Block, force: list[Vector]) -> list[Vector]:
    """Half of each pair: the other half is in the row of the other atom."""
    if block.turns is None:
        return sums
    return [sums[3 * a + axis] + 0.5 * block.turns[a] * force[axis] for a in range(3) for axis in range(3)]
