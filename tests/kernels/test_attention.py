"""The compiled attention, against the plain one with filters from the same table, in float64."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helio.errors import HelioError
from helio.kernels import attention_backward, attention_forward, available, tabulated_attention, why_unavailable
from helio.neighbors import NeighborList
from helio.precision import numerics
from tests.kernels.layers import CUTOFF, Nodes, Sizes, plain, random_filters, random_nodes, table_filters, tables

pytestmark = pytest.mark.skipif(not available(), reason=str(why_unavailable()))

SMALL, PUBLISHED = Sizes(), Sizes(128, 4, (1, 2, 3, 4), 32, 32)
ODD = Sizes(24, 6, (1, 3), 8, 5)  # heads narrower than a register, a hidden width that is padded
CELL = np.array([[7.0, 0.2, 0.1], [-0.3, 7.5, 0.4], [0.5, -0.2, 6.0]])  # shorter than twice the cutoff


@pytest.fixture(autouse=True)
def in_float64() -> Iterator[None]:
    with numerics("float64"):
        yield


@cache
def made_tables(sizes: Sizes, first_layer: bool) -> Any:
    return tables(random_filters(sizes, 3), sizes, first_layer=first_layer, knots=128)


def on_device(tree: Any, dtype: str = "float64") -> Any:
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), tree)


def cotangents(nodes: Nodes, sizes: Sizes) -> tuple[jax.Array, jax.Array]:
    rng, count = np.random.default_rng(5), len(nodes.value)
    dtype = nodes.value.dtype
    return tuple(jnp.asarray(rng.normal(size=(count, n)), dtype) for n in (sizes.features, sizes.components))  # pyright: ignore


def results(nodes: Nodes, sizes: Sizes, *, compiled: bool, neighbors: NeighborList | None = None) -> Any:
    """X, C and the gradients of a weighted sum of both in everything that they depend on."""
    first_layer = nodes.chi is None
    tabulated = made_tables(sizes, first_layer)
    weights = cotangents(nodes, sizes)

    def loss(values: Any) -> Any:
        query, key, value, chi, positions, cell = values
        if compiled:
            filters = on_device(tabulated, str(value.dtype))
            arrays = query, key, value, chi, positions, cell, nodes.index, nodes.shift
            sums = tabulated_attention(filters, *arrays)
        else:
            read = table_filters(tabulated, first_layer=first_layer)
            sums = plain(read, tabulated, nodes, (*values, None, None))
        return sum(jnp.sum(s * w) for s, w in zip(sums, weights, strict=True)), sums

    (_, sums), gradients = jax.jit(jax.value_and_grad(loss, has_aux=True))(nodes.arguments[:6])
    return sums, gradients


def assert_equal(first: Any, second: Any, tolerance: float) -> None:
    """Relative to the largest number of each array."""
    for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        scale = max(float(jnp.abs(a).max()), 1e-3)
        assert float(jnp.abs(a - b).max()) <= tolerance * scale


@pytest.mark.parametrize(
    ("sizes", "periodic", "first_layer"),
    [
        (PUBLISHED, True, False),
        (PUBLISHED, False, True),
        (SMALL, True, True),
        (SMALL, False, False),
        (ODD, True, False),
    ],
)
def test_equals_plain(sizes: Sizes, periodic: bool, first_layer: bool):
    positions = np.random.default_rng(1).uniform(0, 7 if periodic else 9, size=(30, 3))
    nodes = random_nodes(sizes, positions, CELL if periodic else None, first_layer=first_layer, rows=34)
    assert_equal(results(nodes, sizes, compiled=False), results(nodes, sizes, compiled=True), 1e-11)


def test_many_atoms_in_several_chunks():
    positions = np.random.default_rng(2).uniform(0, 26, size=(1100, 3))
    nodes = random_nodes(SMALL, positions, np.eye(3) * 26)
    assert_equal(results(nodes, SMALL, compiled=False), results(nodes, SMALL, compiled=True), 1e-11)


def test_float32():
    positions = np.random.default_rng(1).uniform(0, 8, size=(40, 3))
    exact = results(random_nodes(PUBLISHED, positions, None), PUBLISHED, compiled=True)
    single = results(random_nodes(PUBLISHED, positions, None, dtype="float32"), PUBLISHED, compiled=True)
    assert {leaf.dtype for leaf in jax.tree.leaves(single)} == {np.dtype("float32")}
    assert_equal(exact, jax.tree.map(lambda leaf: leaf.astype("float64"), single), 2e-5)


ROWS, COLUMNS = 16, 40


@cache
def programs(periodic: bool) -> Any:
    """Forward and backward of either version as one program, for lists of one shape."""
    tabulated = made_tables(SMALL, False)

    @jax.jit
    def both(nodes: Any, neighbors: NeighborList) -> Any:
        shift = neighbors.shift if periodic else None
        query, key, value, chi, positions, cell = nodes
        full = Nodes(query, key, value, chi, positions, cell, neighbors.index, shift, neighbors)
        return [results_in_trace(full, tabulated, compiled) for compiled in (False, True)]

    return both


def results_in_trace(nodes: Nodes, tabulated: Any, compiled: bool) -> Any:
    weights = cotangents(nodes, SMALL)

    def sums(*values: Any) -> Any:
        query, key, value, chi, positions, cell = values
        if compiled:
            arrays = query, key, value, chi, positions, cell, nodes.index, nodes.shift
            return tabulated_attention(on_device(tabulated), *arrays)
        return plain(table_filters(tabulated, first_layer=False), tabulated, nodes, (*values, None, None))

    result, pullback = jax.vjp(sums, *nodes.arguments[:6])
    return result, pullback(weights)


@settings(max_examples=20, deadline=None)
@given(
    count=st.integers(1, ROWS),
    extent=st.sampled_from([1.0, 4.0, 12.0, 60.0]),
    periodic=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_any_list(count: int, extent: float, periodic: bool, seed: int):
    """Empty rows, isolated atoms, atoms that see their own images, padding."""
    rng = np.random.default_rng(seed)
    positions = rng.uniform(0, extent, size=(count, 3))
    cell = (np.eye(3) * max(extent, 9.0) + rng.normal(size=(3, 3))) if periodic else None
    if periodic and count <= 2:
        cell = np.eye(3) * 4.3  # shorter than the cutoff
    with numerics("float64"):
        nodes = random_nodes(SMALL, positions, cell, rows=ROWS, seed=seed)
        neighbors = widened_list(nodes.neighbors, COLUMNS)
        expected, found = programs(periodic)(nodes.arguments[:6], neighbors)
        assert_equal(expected, found, 1e-10)


def widened_list(neighbors: NeighborList, columns: int) -> NeighborList:
    """One shape for all lists; `columns` must suffice."""
    free = columns - neighbors.index.shape[1]
    assert free >= 0 and neighbors.half is not None
    half = np.full((ROWS * columns // 2, 2), [ROWS, 0], np.int32)
    half[: len(neighbors.half)] = neighbors.half
    shift = neighbors.shift
    return NeighborList(
        index=jnp.pad(neighbors.index, ((0, 0), (0, free)), constant_values=ROWS),
        shift=None if shift is None else jnp.pad(shift, ((0, 0), (0, free), (0, 0))),
        half=jnp.asarray(half),
        overflow=neighbors.overflow,
    )


def test_gradients_against_finite_differences():
    positions = np.random.default_rng(4).uniform(0, 6, size=(12, 3))
    nodes = random_nodes(SMALL, positions, CELL)
    _, gradients = results(nodes, SMALL, compiled=True)
    filters, weights = on_device(made_tables(SMALL, False)), cotangents(nodes, SMALL)

    @jax.jit
    def loss(values: Any) -> jax.Array:
        query, key, value, chi, positions, cell = values
        sums = attention_forward(filters, query, key, value, chi, positions, cell, nodes.index, nodes.shift)
        return jnp.sum(jnp.stack([jnp.sum(s * w) for s, w in zip(sums, weights, strict=True)]))

    rng = np.random.default_rng(9)
    for place, (leaf, gradient) in enumerate(
        zip(jax.tree.leaves(nodes.arguments[:6]), jax.tree.leaves(gradients), strict=True)
    ):
        direction, step = jnp.asarray(rng.normal(size=leaf.shape)), 1e-5

        def moved(sign: float, place: int = place, direction: jax.Array = direction, step: float = step) -> float:
            leaves, structure = jax.tree.flatten(nodes.arguments[:6])
            leaves[place] += sign * step * direction
            return float(loss(jax.tree.unflatten(structure, leaves)))

        slope = (moved(1) - moved(-1)) / (2 * step)
        assert slope == pytest.approx(float(jnp.sum(gradient * direction)), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("first_layer", [True, False])
def test_rows_of_several_owners_join_to_the_whole(first_layer: bool):
    positions = np.random.default_rng(6).uniform(0, 9, size=(33, 3))
    nodes = random_nodes(SMALL, positions, CELL + 3 * np.eye(3), first_layer=first_layer)
    filters, (dx, dc) = on_device(made_tables(SMALL, first_layer)), cotangents(nodes, SMALL)

    def owned(begin: int, end: int) -> Any:
        """With a traced first row, as under a mesh of devices."""

        @jax.jit
        def run(start: jax.Array) -> Any:
            arguments: Any = (*nodes.arguments[:6], nodes.index[begin:end], nodes.shift[begin:end], start)
            sums = attention_forward(filters, *arguments)
            return sums, attention_backward(filters, *arguments, features_cotangent=dx, euclidean_cotangent=dc)

        return run(jnp.asarray(begin, jnp.int32))

    whole, parts = owned(0, 33), [owned(0, 10), owned(10, 11), owned(11, 33)]
    cells = jnp.sum(jnp.stack([gradients.cell for _, gradients in parts]), axis=0)
    assert_equal(whole[1].cell, cells, 1e-12)
    rows = [(sums, gradients._replace(cell=None)) for sums, gradients in parts]
    joined = jax.tree.map(lambda *pieces: jnp.concatenate(pieces), *rows)
    assert_equal((whole[0], whole[1]._replace(cell=None)), joined, 1e-12)


def test_batches():
    """Nested batches, of which some operands vary along one axis only, equal one call after the other."""
    positions = np.random.default_rng(7).uniform(0, 8, size=(14, 3))
    nodes = random_nodes(SMALL, positions, CELL + 2 * np.eye(3))
    filters, weights = on_device(made_tables(SMALL, False)), cotangents(nodes, SMALL)
    rng = np.random.default_rng(8)
    moves = jnp.asarray(0.05 * rng.normal(size=(3, *nodes.positions.shape)))
    factors = jnp.asarray([0.5, 1.0])
    query, key, value, chi, _, cell, index, shift = nodes.arguments

    def one(move: jax.Array, factor: jax.Array) -> Any:
        def sums(value: jax.Array, positions: jax.Array, cell: jax.Array) -> Any:
            return tabulated_attention(filters, query, key, value, chi, positions, cell, index, shift)

        result, pullback = jax.vjp(sums, factor * value, nodes.positions + move, cell * (1 + 0.01 * factor))
        return result, pullback(weights)

    batched = jax.jit(jax.vmap(jax.vmap(one, (0, None)), (None, 0)))(moves, factors)
    for b, factor in enumerate(factors):
        for a, move in enumerate(moves):
            assert_equal(one(move, factor), jax.tree.map(lambda leaf, b=b, a=a: leaf[b, a], batched), 1e-12)


def test_distances_down_to_zero_stay_finite():
    positions = np.array([[0.0, 0, 0], [0, 0, 0], [1e-4, 0, 0], [0, 0.05, 0], [0, 0, CUTOFF - 1e-9]])
    nodes = random_nodes(SMALL, positions, None)
    for leaf in jax.tree.leaves(results(nodes, SMALL, compiled=True)):
        assert bool(jnp.isfinite(leaf).all())


def test_what_it_cannot_differentiate_is_an_error():
    nodes = random_nodes(SMALL, np.random.default_rng(0).uniform(0, 4, size=(4, 3)), None)
    filters = on_device(made_tables(SMALL, False))

    def energy(filters: Any, positions: jax.Array) -> jax.Array:
        arguments = eqx.tree_at(lambda a: a[4], nodes.arguments, positions)
        return tabulated_attention(filters, *arguments)[0].sum()

    with pytest.raises(HelioError, match="plain"):
        jax.hessian(energy, argnums=1)(filters, nodes.positions)
    with pytest.raises(HelioError, match="plain"):
        jax.grad(lambda f: energy(f, nodes.positions))(filters)
    with pytest.raises(HelioError, match="plain"):
        jax.grad(lambda p: jax.grad(energy, argnums=1)(filters, p).sum())(nodes.positions)
