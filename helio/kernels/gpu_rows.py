"""A program for GPUs per atom: how it is launched, goes through the atom's row, and leaves its sums.

Programs are written in Pallas and compiled by JAX (Triton) where they run, so no compiler is needed. Each goes through
its own row, some neighbours at a time (`helio.kernels.gpu_pairs`), head by head, with sums in registers. Nothing per
pair is written to memory. Lists are full, so gradients gather over own rows as well and no two programs write to one
place: a pair is computed from both sides.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton
from jaxtyping import Array, Float

from helio.kernels import gpu_pairs
from helio.kernels.gpu_pairs import Block, Operands, Vector
from helio.kernels.settings import AttentionSettings


class Launch(NamedTuple):
    """How a program is laid out; results do not depend on it but for rounding."""

    block: int = 16  # pairs at a time, a power of two; 16 at least, for matrix products
    warps: int = 4


DEFAULT = Launch()


def run_programs(
    program: Any, settings: AttentionSettings, arguments: Any, shapes: Any, launch: Launch, interpret: bool
) -> Any:
    """Results of these shapes by one program for each own row; where the list has no places, all are zero.

    The program gets the settings, the pairs at a time, references to the arguments, and one to the results.
    """
    rows, places = arguments[0].index.shape
    if rows == 0 or places == 0:
        return jax.tree.map(lambda shape: jnp.zeros(shape.shape, shape.dtype), shapes)
    count, structure = len(arguments), jax.tree.structure(shapes)

    def run(*refs: Any) -> None:
        program(settings, launch.block, *refs[:count], jax.tree.unflatten(structure, jax.tree.leaves(refs[count:])))

    return pl.pallas_call(
        run,
        out_shape=shapes,
        grid=(rows,),
        compiler_params=triton.CompilerParams(num_warps=launch.warps, num_stages=1),
        interpret=interpret,
    )(*arguments)


def over_row(settings: AttentionSettings, size: int, refs: Operands, add: Any, sums: Any) -> Any:
    """What `add(block, sums)` makes of the sums, block by block, but for blocks without a pair within the cutoff."""
    row = pl.program_id(0)
    atom = row + refs.row_start[0]

    def step(number: Array, sums: Any) -> Any:
        block = gpu_pairs.measure(settings, refs, row, atom, number.astype(jnp.int32) * size, size)
        some = jnp.max(block.inside.astype(jnp.int32)) > 0
        return lax.cond(some, partial(add, block), lambda unchanged: unchanged, sums)

    return lax.fori_loop(0, pl.cdiv(refs.index.shape[1], size), step, sums)


def weights(refs: Operands, block: Block, g: int, begin: int, width: int, hidden: Any) -> Float[Array, "J W"]:
    """The filter w of some features of attention `g`; `hidden` is its spherical network's, None in the first layer."""
    weight = block.radial(refs.table, g * refs.value.shape[1] + begin, width)
    if hidden is None:
        return weight
    return weight + gpu_pairs.product(hidden, refs.second[g, :, pl.ds(begin, width)])


def store_heads(result: Any, row: Array, heads: list[Array]) -> None:
    """Put the sums of all heads into a row (R, F)."""
    for head, values in enumerate(heads):
        result[row, pl.ds(head * len(values), len(values))] = values


def store_components(result: Any, row: Array, components: list[Vector]) -> None:
    """Put the sums of what each pair has into a row (R, M)."""
    for c, parts in enumerate(components):
        result[row, c] = jnp.sum(parts)
