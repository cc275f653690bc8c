"""Attention of one layer on GPUs, forward.

a^g_h = c / n sum_(f in h) q_i w k_j,  X_i = sum_j a^1_ij v_j,  C_i = sum_j a^2_ij Y(u_ij)
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jaxtyping import Array

from helio.kernels import gpu_pairs
from helio.kernels.gpu_pairs import Block, Harmonics, Operands, Vector
from helio.kernels.gpu_rows import DEFAULT, Launch, over_row, run_programs, store_components, store_heads, weights
from helio.kernels.settings import AttentionSettings


def forward(
    settings: AttentionSettings, operands: Operands, *, launch: Launch = DEFAULT, interpret: bool = False
) -> tuple[Array, Array]:
    """X and C of the own rows."""
    rows, dtype = len(operands.index), operands.value.dtype
    shapes = [jax.ShapeDtypeStruct((rows, n), dtype) for n in (operands.value.shape[1], settings.components)]
    return run_programs(_forward_program, settings, (operands,), tuple(shapes), launch=launch, interpret=interpret)


class _ForwardSums(NamedTuple):
    features: list[Any]  # per head, (W,)
    euclidean: list[Any]  # per component, (J,)


def _forward_program(settings: AttentionSettings, size: int, refs: Operands, sums: tuple[Any, Any]) -> None:
    row, dtype = pl.program_id(0), refs.value.dtype
    atom = row + refs.row_start[0]
    width = refs.value.shape[1] // settings.heads

    def add(block: Block, sums: _ForwardSums) -> _ForwardSums:
        inner = _hidden_layers(settings, refs, block, atom)
        values = [
            total + jnp.sum(score[:, None] * block.of_neighbors(refs.value, head * width, width), axis=0)
            for head, (total, score) in enumerate(
                zip(sums.features, _scores(refs, block, atom, 0, settings.heads, inner), strict=True)
            )
        ]
        degrees = settings.degrees
        harmonics = Harmonics(block.unit, max(degrees))
        scores = _scores(refs, block, atom, 1, len(degrees), inner)
        parts = [s * y for degree, s in zip(degrees, scores, strict=True) for y in harmonics.values(degree)]
        return _ForwardSums(values, [total + part for total, part in zip(sums.euclidean, parts, strict=True)])

    empty = _ForwardSums(
        [jnp.zeros(width, dtype) for _ in range(settings.heads)],
        [jnp.zeros(size, dtype) for _ in range(settings.components)],
    )
    found = over_row(settings, size, refs, add, empty)
    store_heads(sums[0], row, found.features)
    store_components(sums[1], row, found.euclidean)


def _hidden_layers(settings: AttentionSettings, refs: Operands, block: Block, atom: Array) -> Any:
    """Those of both spherical networks; None in the first layer."""
    if refs.chi is None:
        return None
    invariants = gpu_pairs.invariants(settings, gpu_pairs.differences(refs, block, atom))
    return [gpu_pairs.hidden(refs, g, invariants)[0] for g in range(2)]


def _scores(refs: Operands, block: Block, atom: Array, g: int, heads: int, inner: Any) -> list[Vector]:
    """a_ij of every head of attention `g`."""
    features = refs.value.shape[1]
    width, scores = features // heads, []
    for head in range(heads):
        begin = head * width
        weight = weights(refs, block, g, begin, width, None if inner is None else inner[g])
        query = refs.query[g][atom, pl.ds(begin, width)][None, :]
        products = query * weight * block.of_neighbors(refs.key[g], begin, width)
        scores.append(jnp.sum(products, axis=1) * block.envelope)
    return scores
