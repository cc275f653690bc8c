"""The attention for GPUs: interpreted in float64 on small systems, lowered for a GPU, and run where there is one."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helio.force_field import ForceField
from helio.kernels import attention_backward, attention_forward, supports_on_gpu, tabulated_attention
from helio.network.harmonics import spherical_harmonics
from helio.precision import numerics
from helio.system import System
from tests.conftest import reference_case
from tests.kernels.layers import Nodes, Sizes, plain, random_filters, random_nodes, table_filters, tables

TINY, TINIER = Sizes(8, 2, (1, 2), 4, 3), Sizes(8, 2, (1,), 4, 3)
WIDE, PUBLISHED = Sizes(32, 2, (1, 2), 8, 16), Sizes(128, 4, (1, 2, 3, 4), 32, 32)
CELL = np.array([[7.0, 0.2, 0.1], [-0.3, 7.5, 0.4], [0.5, -0.2, 6.0]])  # shorter than twice the cutoff
ROWS = 14  # of which the last have no atom

needs_gpu = pytest.mark.skipif("jax.default_backend() != 'gpu'", reason="needs a GPU")


@cache
def made_tables(sizes: Sizes, first_layer: bool, dtype: str) -> Any:
    made = tables(random_filters(sizes, 3), sizes, first_layer=first_layer, knots=128)
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), made)


def system(sizes: Sizes, *, periodic: bool, first_layer: bool, dtype: str = "float64", atoms: int = 12) -> Nodes:
    """Atoms that see their own images, or one of them alone far away; rows in more than one block."""
    positions = np.random.default_rng(1).uniform(0, 6, size=(atoms, 3))
    if not periodic:
        positions[3] += 50
    cell = CELL if periodic else None
    return random_nodes(sizes, positions, cell, first_layer=first_layer, rows=atoms + ROWS - 12, dtype=dtype)


def cotangents(nodes: Nodes, sizes: Sizes) -> tuple[jax.Array, ...]:
    rng, shape = np.random.default_rng(5), (sizes.features, sizes.components)
    return tuple(jnp.asarray(rng.normal(size=(len(nodes.value), n)), nodes.value.dtype) for n in shape)


@partial(jax.jit, static_argnames="on")
def gradients(filters: Any, arguments: Any, start: jax.Array, weights: Any, on: Any = None) -> Any:
    """The sums and their gradients, of the rows from `start` on."""
    everything: Any = (filters, *arguments, start)
    dx, dc = weights
    sums = attention_forward(*everything, on=on)
    return sums, attention_backward(*everything, features_cotangent=dx, euclidean_cotangent=dc, on=on)


def expected(filters: Any, nodes: Nodes, sizes: Sizes) -> Any:
    """By automatic differentiation of the plain attention."""
    read = table_filters(filters, first_layer=nodes.chi is None)
    forward = jax.jit(lambda *values: plain(read, filters, nodes, (*values, None, None)))
    sums, pullback = jax.vjp(forward, *nodes.arguments[:6])
    return sums, pullback(cotangents(nodes, sizes))


def assert_equal(first: Any, second: Any, tolerance: float) -> None:
    """Relative to the largest number of each array."""
    for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        assert float(jnp.abs(a - b).max()) <= tolerance * max(float(jnp.abs(a).max()), 1e-3)


@pytest.mark.parametrize(
    ("sizes", "periodic", "owners"), [pytest.param(TINY, True, 1, marks=pytest.mark.slow), (TINIER, False, 2)]
)
def test_equals_plain(sizes: Sizes, periodic: bool, owners: int):
    """With images, an atom without neighbours, free rows, several blocks; the first row of an owner is traced."""
    with numerics("float64"):
        filters, count = made_tables(sizes, not periodic, "float64"), ROWS // owners
        nodes = system(sizes, periodic=periodic, first_layer=not periodic)
        assert nodes.index.shape[1] > 16 or not periodic
        parts = []
        for start in range(0, ROWS, count):
            own = slice(start, start + count)
            shift = None if nodes.shift is None else nodes.shift[own]
            arguments = *nodes.arguments[:6], nodes.index[own], shift
            weights = cotangents(nodes, sizes)
            parts.append(gradients(filters, arguments, jnp.asarray(start, jnp.int32), weights, on="interpreted"))
        cell = jnp.sum(jnp.stack([found.cell for _, found in parts]), axis=0)
        rows = [(sums, tuple(found)[:-1]) for sums, found in parts]
        sums, found = jax.tree.map(lambda *pieces: jnp.concatenate(pieces), *rows)
        assert_equal(expected(filters, nodes, sizes), (sums, (*found, cell)), 1e-11)


def test_gradients_against_finite_differences_in_a_batch():
    with numerics("float64"):
        filters, nodes = made_tables(TINY, False, "float64"), system(TINY, periodic=True, first_layer=False)
        weights, start = cotangents(nodes, TINY), jnp.asarray(0, jnp.int32)
        rng, step = np.random.default_rng(9), 1e-5
        leaves, structure = jax.tree.flatten(nodes.arguments[:6])
        directions = [jnp.asarray(rng.normal(size=leaf.shape)) for leaf in leaves]
        # Of each array on its own, forth and back.
        moves = [
            jnp.stack([sign * step * (n == place) * direction for n in range(len(leaves)) for sign in (1.0, -1.0)])
            for place, direction in enumerate(directions)
        ]

        @jax.jit
        @jax.vmap
        def losses(moves: list[jax.Array]) -> jax.Array:
            moved = jax.tree.unflatten(structure, [a + b for a, b in zip(leaves, moves, strict=True)])
            everything: Any = (filters, *moved, nodes.index, nodes.shift)
            sums = attention_forward(*everything, on="interpreted")
            return jnp.vdot(sums[0], weights[0]) + jnp.vdot(sums[1], weights[1])

        slopes = np.asarray(losses(moves)).reshape(-1, 2) @ [1, -1] / (2 * step)
        _, found = gradients(filters, nodes.arguments, start, weights, on="interpreted")
        for slope, gradient, direction in zip(slopes, jax.tree.leaves(found), directions, strict=True):
            assert slope == pytest.approx(float(jnp.vdot(gradient, direction)), rel=1e-6, abs=1e-6)


def test_list_without_places():
    with numerics("float64"):
        filters, nodes = made_tables(TINY, True, "float64"), system(TINY, periodic=False, first_layer=True)
        arguments = *nodes.arguments[:6], jnp.zeros((2, 0), jnp.int32), None
        found = gradients(filters, arguments, jnp.asarray(0, jnp.int32), cotangents(nodes, TINY), on="interpreted")
        assert all(not np.any(leaf) for leaf in jax.tree.leaves(found))


def test_harmonics_and_their_gradients():
    from helio.kernels.gpu_pairs import Harmonics

    degrees, rng = (1, 2, 3, 4), np.random.default_rng(2)
    with numerics("float64"):
        unit, weights = jnp.asarray(rng.normal(size=(5, 3))), jnp.asarray(rng.normal(size=(5, 24)))
        harmonics, values, gradient, begin = Harmonics(list(unit.T), 4), [], 0.0, 0
        for degree in degrees:
            values += harmonics.values(degree)
            end = begin + 2 * degree + 1
            gradient += jnp.stack(harmonics.gradient(degree, list(weights[:, begin:end].T)), axis=1)
            begin = end
        same, pullback = jax.vjp(lambda unit: spherical_harmonics(unit, degrees), unit)
        assert_equal((same, *pullback(weights)), (jnp.stack(values, axis=1), gradient), 1e-13)


@pytest.mark.skipif(jax.__version_info__ > (0, 10, 1), reason="later versions compile while lowering: that takes a GPU")
def test_programs_are_accepted_by_triton():
    """Every operation has a counterpart on GPUs, all shapes are powers of two."""
    with numerics("float32"):
        filters = made_tables(WIDE, False, "float32")
        nodes = system(WIDE, periodic=True, first_layer=False, dtype="float32")
        arguments = filters, nodes.arguments, jnp.asarray(0, jnp.int32), cotangents(nodes, WIDE)
        text = gradients.trace(*arguments, on="gpu").lower(lowering_platforms=("cuda",)).as_text()
        assert text.count("xla.gpu.triton") == 2


def test_sizes_for_triton():
    assert supports_on_gpu(128, 4, (1, 2, 3, 4), 32)
    assert supports_on_gpu(32, 2, (1, 2), 8)  # padded to 16
    assert not supports_on_gpu(96, 4, (1, 2, 3, 4), 32)  # heads of 24
    assert not supports_on_gpu(32, 4, (1, 2), 32)  # heads of 8
    assert not supports_on_gpu(128, 4, (1, 2, 3, 4), 40)  # padded to 48
    assert not supports_on_gpu(128, 4, (1, 2, 3, 5), 32)


@needs_gpu
@pytest.mark.gpu
@pytest.mark.parametrize("sizes", [WIDE, PUBLISHED])
@pytest.mark.parametrize(("periodic", "first_layer"), [(True, False), (False, True)])
def test_float32_on_a_gpu(sizes: Sizes, periodic: bool, first_layer: bool):
    arrays: list[Any] = []
    for dtype in ("float64", "float32"):
        with numerics(dtype):
            filters = made_tables(sizes, first_layer, dtype)
            nodes = system(sizes, periodic=periodic, first_layer=first_layer, dtype=dtype, atoms=60)
            if dtype == "float64":
                arrays.append(expected(filters, nodes, sizes))
                continue
            arguments = filters, nodes.arguments, jnp.asarray(0, jnp.int32), cotangents(nodes, sizes)
            sums, found = gradients(*arguments)
            arrays.append(jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), (sums, tuple(found))))
    assert_equal(arrays[0], arrays[1], 3e-5)


@needs_gpu
@pytest.mark.gpu
def test_batches_on_a_gpu():
    with numerics("float32"):
        filters = made_tables(PUBLISHED, False, "float32")
        nodes = system(PUBLISHED, periodic=True, first_layer=False, dtype="float32")
        query, key, value, chi, positions, cell, index, shift = nodes.arguments

        def loss(positions: jax.Array, factor: jax.Array) -> jax.Array:
            sums = tabulated_attention(filters, query, key, factor * value, chi, positions, cell, index, shift)
            dx, dc = cotangents(nodes, PUBLISHED)
            return jnp.vdot(sums[0], dx) + jnp.vdot(sums[1], dc)

        moved = jnp.stack([positions, positions * 1.01, positions * 0.99])
        factors, both = jnp.asarray([0.5, 1.0, 2.0]), jax.value_and_grad(loss, argnums=(0, 1))
        one = [jax.jit(both)(*arguments) for arguments in zip(moved, factors, strict=True)]
        assert_equal(
            jax.tree.map(lambda *leaves: jnp.stack(leaves), *one), jax.jit(jax.vmap(both))(moved, factors), 1e-4
        )


@needs_gpu
@pytest.mark.gpu
@pytest.mark.parametrize("name", ["docosahexaenoic_acid_lr12", "water_64_triclinic_lr12"])
def test_published_model_on_a_gpu(so3lr: ForceField, name: str):
    case = reference_case(name)
    one = System.from_ase(case.atoms)
    force_field = so3lr.with_options(long_range_cutoff=case.long_range_cutoff, kernels="compiled")
    assert force_field.tables is not None
    with numerics("float32"):
        lists = jax.tree.map(jnp.asarray, force_field.neighbors(one))
        evaluate = eqx.filter_jit(lambda f, s, n: f(s, n))
        found = evaluate(force_field.astype("float32"), one.astype("float32"), lists)
        plain_one = force_field.with_options(long_range_cutoff=case.long_range_cutoff, kernels="plain")
        same = evaluate(plain_one.astype("float32"), one.astype("float32"), lists)
    assert float(jnp.abs(found.energy - same.energy)) < 1e-6 * len(one)
    assert np.abs(np.asarray(found.forces) - case.values["forces"]).max() < 1e-4
