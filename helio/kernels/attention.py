"""Attention of one layer as compiled operations; what it computes stands in `helio.network.attention`.

On CPUs the library runs (`csrc/`), on GPUs what JAX compiles from `gpu_forward` and `gpu_backward`: the default backend
of JAX decides while a program is traced.

`attention_forward` and `attention_backward` are the bare operations on the rows of a list that one device owns: atoms
`row_start` to `row_start + R - 1` of N. What they read of neighbours are arrays of all N atoms, and the backward
operation reads the cotangents of all N atoms: lists are full, so the gradient of an atom gathers over its own row and
nothing is scattered to other devices. `tabulated_attention` is the differentiable operation, on one device or several.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from helio.kernels.derivatives import constants, numbers, refuse, values
from helio.kernels.library import call
from helio.kernels.settings import AttentionSettings
from helio.kernels.tables import TabulatedFilters
from helio.rows import ALL_ROWS, Rows

Two = tuple[Float[Array, "N F"], Float[Array, "N F"]]
Runner = Literal["cpu", "gpu", "interpreted"]


class AttentionGradients(NamedTuple):
    """Gradients of the own rows, and their part of the gradient of the cell."""

    query: tuple[Float[Array, "R F"], Float[Array, "R F"]]
    key: tuple[Float[Array, "R F"], Float[Array, "R F"]]
    value: Float[Array, "R F"]
    chi: Float[Array, "R M"] | None
    positions: Float[Array, "R 3"]
    cell: Float[Array, "3 3"]


def attention_forward(
    filters: TabulatedFilters,
    query: Two,
    key: Two,
    value: Float[Array, "N F"],
    chi: Float[Array, "N M"] | None,
    positions: Float[Array, "N 3"],
    cell: Float[Array, "3 3"],
    index: Int[Array, "R K"],
    shift: Int[Array, "R K 3"] | None,
    row_start: Int[Array, ""] | int = 0,
    *,
    on: Runner | None = None,
) -> tuple[Float[Array, "R F"], Float[Array, "R M"]]:
    """The two sums over neighbours, X and C of the own rows.

    Args:
        filters: of this layer, in the precision of the other arrays.
        query: q^1 and q^2 of all atoms.
        key: k^1 and k^2 of all atoms.
        value: v of all atoms.
        chi: Euclidean variables of all atoms; None in the first layer.
        positions: of all atoms, in A.
        cell: row vectors in A.
        index: int32, the own rows of a full list; N stands for no neighbour.
        shift: int16, periodic shifts of the own rows; None where nothing is periodic.
        row_start: number of the own first atom; may be traced.
        on: "cpu" the library, "gpu" the programs for GPUs, "interpreted" the same on any machine, slowly, to test them;
            by default as JAX's default backend demands.
    """
    operands = _operands(filters, query, key, value, chi, positions, cell, index, shift, row_start)
    return _forward(on or _runner(), AttentionSettings.of(filters), *operands)


def attention_backward(
    filters: TabulatedFilters,
    query: Two,
    key: Two,
    value: Float[Array, "N F"],
    chi: Float[Array, "N M"] | None,
    positions: Float[Array, "N 3"],
    cell: Float[Array, "3 3"],
    index: Int[Array, "R K"],
    shift: Int[Array, "R K 3"] | None,
    row_start: Int[Array, ""] | int = 0,
    *,
    features_cotangent: Float[Array, "N F"],
    euclidean_cotangent: Float[Array, "N M"],
    on: Runner | None = None,
) -> AttentionGradients:
    """Gradients of the own rows from the cotangents dL/dX and dL/dC of all atoms; arguments as in the forward."""
    operands = _operands(filters, query, key, value, chi, positions, cell, index, shift, row_start)
    settings, cotangents = AttentionSettings.of(filters), (features_cotangent, euclidean_cotangent)
    q1, q2, k1, k2, v, c, r, h = _backward(on or _runner(), settings, *operands, *cotangents)
    return AttentionGradients((q1, q2), (k1, k2), v, None if chi is None else c, r, h)


def _runner() -> Runner:
    return "cpu" if jax.default_backend() == "cpu" else "gpu"


def _operands(
    filters: TabulatedFilters,
    query: Two,
    key: Two,
    value: Array,
    chi: Array | None,
    positions: Array,
    cell: Array,
    index: Array,
    shift: Array | None,
    row_start: Array | int,
) -> tuple[Array, ...]:
    """In the order of the compiled operations and in one precision; what there is none of is empty."""
    filters = jax.tree.map(lambda leaf: jnp.asarray(leaf, value.dtype), filters)
    return (
        positions,
        cell,
        index,
        jnp.zeros((0, 0, 0), jnp.int16) if shift is None else shift,
        jnp.asarray(row_start, jnp.int32),
        filters.table,
        filters.first,
        filters.bias,
        filters.second,
        filters.second_transposed,
        *query,
        *key,
        value,
        jnp.zeros((0, 0), value.dtype) if chi is None else chi,
    )


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _forward(on: Runner, settings: AttentionSettings, *operands: Array) -> tuple[Array, Array]:
    if on != "cpu":
        from helio.kernels import gpu_forward  # takes long to import, and only GPUs need it

        arguments = gpu_forward.Operands.of(*operands)
        return gpu_forward.forward(settings, arguments, interpret=on == "interpreted")
    index, value = operands[2], operands[14]
    widths = value.shape[1], settings.components
    shapes = [jax.ShapeDtypeStruct((index.shape[0], width), value.dtype) for width in widths]
    features, euclidean = call("helio_attention_forward", shapes, operands, settings.attributes())
    return features, euclidean


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _backward(on: Runner, settings: AttentionSettings, *operands: Array) -> tuple[Array, ...]:
    if on != "cpu":
        from helio.kernels import gpu_backward

        arguments = gpu_backward.Operands.of(*operands[:-2])
        return gpu_backward.backward(settings, arguments, *operands[-2:], interpret=on == "interpreted")
    index, value, chi = operands[2], operands[14], operands[15]
    rows = index.shape[0]
    features = (rows, value.shape[1])
    shapes = [*(features,) * 5, (rows if chi.size else 0, chi.shape[1]), (rows, 3), (3, 3)]
    results = [jax.ShapeDtypeStruct(shape, value.dtype) for shape in shapes]
    return tuple(call("helio_attention_backward", results, operands, settings.attributes()))


_forward.defjvp(refuse)
_backward.defjvp(refuse)


def tabulated_attention(
    filters: TabulatedFilters,
    query: tuple[Float[Array, "R F"], Float[Array, "R F"]],
    key: tuple[Float[Array, "R F"], Float[Array, "R F"]],
    value: Float[Array, "R F"],
    chi: Float[Array, "R M"] | None,
    positions: Float[Array, "N 3"],
    cell: Float[Array, "3 3"],
    index: Int[Array, "R K"],
    shift: Int[Array, "R K 3"] | None,
    rows: Rows = ALL_ROWS,
) -> tuple[Float[Array, "R F"], Float[Array, "R M"]]:
    """X and C of the rows here, differentiable once in all but `filters`.

    Arguments are those of `attention_forward`, with the own rows of values per atom: they are gathered from the owners
    of the others in the forward operation, and the cotangents in the backward operation.

    Raises:
        HelioError: where a second derivative, or one in the filters, is asked for.
    """
    return _attention(rows, filters, query, key, value, chi, positions, cell, index, shift)


def _sums(rows: Rows, filters: Any, *arguments: Any) -> tuple[Array, Array]:
    nodes, where = rows.gather(arguments[:4]), arguments[4:]
    everything: Any = (filters, *nodes, *where, rows.first(len(where[2])))
    return attention_forward(*everything)


_attention = jax.custom_vjp(_sums, nondiff_argnums=(0,))


def _attention_forward(rows: Rows, filters: Any, *arguments: Any) -> tuple[tuple[Array, Array], tuple]:
    plain = (constants(filters), *values(arguments))
    return _sums(rows, *plain), plain


def _attention_backward(rows: Rows, residuals: tuple, cotangents: tuple) -> tuple:
    filters, arguments = residuals[0], residuals[1:]
    nodes, where = rows.gather(arguments[:4]), arguments[4:]
    features, euclidean = rows.gather(tuple(map(numbers, cotangents)))
    everything: Any = (filters, *nodes, *where, rows.first(len(where[2])))
    gradients = attention_backward(*everything, features_cotangent=features, euclidean_cotangent=euclidean)
    gradients = gradients._replace(positions=rows.placed(gradients.positions))
    return (jax.tree.map(lambda _: None, filters), *gradients, None, None)


_attention.defvjp(_attention_forward, _attention_backward, symbolic_zeros=True)
