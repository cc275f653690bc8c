"""The compiled long-range terms, against the same terms in tiles, in float64."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.sharding import Mesh, PartitionSpec
from jax.test_util import check_grads

from helio.errors import HelioError
from helio.kernels import (
    available,
    long_range_atoms,
    long_range_backward,
    long_range_forward,
    long_range_with_gradients,
    why_unavailable,
)
from helio.neighbors import NeighborList, host_list
from helio.physics.compiled import compiled_atomic_energies, compiled_terms
from helio.physics.tiles import LongRangePair, tiled_atomic_energies
from helio.precision import numerics
from helio.rows import Rows

pytestmark = pytest.mark.skipif(not available(), reason=str(why_unavailable()))

PUBLISHED = LongRangePair(cutoff=12.0, sigma=4.0, dispersion_scale=1.2, switch_width=2.0)
SHORT = LongRangePair(cutoff=5.0, sigma=2.0, dispersion_scale=1.2, switch_width=1.5)
FREE = LongRangePair(cutoff=None, sigma=4.0, dispersion_scale=1.2)
CELL = np.array([[7.0, 0.2, 0.1], [-0.3, 7.5, 0.4], [0.5, -0.2, 6.0]])  # shorter than twice the cutoff


class Atoms(NamedTuple):
    """What the energies depend on."""

    atomic: dict[str, Any]
    positions: Any
    cell: Any


@pytest.fixture(autouse=True)
def in_float64() -> Iterator[None]:
    with numerics("float64"):
        yield


def random_atoms(
    positions: np.ndarray,
    cell: np.ndarray | None,
    cutoff: float | None,
    *,
    seed: int = 0,
    rows: int | None = None,
    columns: int | None = None,
) -> tuple[Atoms, NeighborList]:
    """Random values around given positions, and a list with a skin; free rows up to `rows` are padding."""
    rng, count, periodic = np.random.default_rng(seed), rows or len(positions), cell is not None
    cell = np.zeros((3, 3)) if cell is None else cell
    reach = None if cutoff is None else cutoff + 0.5
    pbc = (periodic, periodic, periodic)
    made = jax.tree.map(jnp.asarray, host_list(positions, cell, pbc, cutoff=reach, rows=count, half=False))
    if columns is not None:
        free = columns - made.index.shape[1]
        shift = None if made.shift is None else jnp.pad(made.shift, ((0, 0), (0, free), (0, 0)))
        index = jnp.pad(made.index, ((0, 0), (0, free)), constant_values=count)
        made = NeighborList(index=index, shift=shift, half=None, overflow=made.overflow)
    padding = count - len(positions)
    atomic = {
        "charge": jnp.asarray(np.append(rng.normal(size=len(positions)), np.zeros(padding))),
        "polarizability": jnp.asarray(np.append(rng.uniform(0.5, 30, len(positions)), np.ones(padding))),
        "c6": jnp.asarray(np.append(rng.uniform(1, 200, len(positions)), np.ones(padding))),
    }
    placed = np.concatenate([positions, np.zeros((padding, 3))])
    return Atoms(atomic, jnp.asarray(placed), jnp.asarray(cell)), made


def weights(atoms: Atoms) -> dict[str, jax.Array]:
    """Cotangents that tell the energies of single atoms apart."""
    made = np.random.default_rng(5).normal(size=(2, len(atoms.positions)))
    return {
        name: jnp.asarray(w, atoms.positions.dtype)
        for name, w in zip(("electrostatics", "dispersion"), made, strict=True)
    }


def energies(pair: LongRangePair, compiled: bool, atoms: Atoms, neighbors: NeighborList) -> dict[str, jax.Array]:
    if compiled:
        return compiled_atomic_energies(pair, *atoms, neighbors)
    return tiled_atomic_energies(pair, *atoms, neighbors, cutoff=pair.cutoff)


@partial(jax.jit, static_argnums=(0, 1))
def results(pair: LongRangePair, compiled: bool, atoms: Atoms, neighbors: NeighborList) -> Any:
    """Energies, and the gradients of their weighted sum in everything that they depend on."""
    found, pullback = jax.vjp(lambda a: energies(pair, compiled, a, neighbors), atoms)
    given = weights(atoms)
    return found, pullback({name: given[name] for name in found})[0]


def assert_equal(first: Any, second: Any, tolerance: float) -> None:
    """Relative to the largest number of each array."""
    assert jax.tree.structure(first) == jax.tree.structure(second)
    for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        scale = max(float(jnp.abs(a).max()), 1e-6)
        assert float(jnp.abs(a - b).max()) <= tolerance * scale


@pytest.mark.parametrize(
    ("pair", "periodic"),
    [(PUBLISHED, True), (SHORT, True), (SHORT, False), (FREE, False), (PUBLISHED, False)],
)
def test_equals_tiles(pair: LongRangePair, periodic: bool):
    positions = np.random.default_rng(1).uniform(0, 7 if periodic else 14, size=(30, 3))
    case = random_atoms(positions, CELL if periodic else None, pair.cutoff, rows=34)
    assert_equal(results(pair, False, *case), results(pair, True, *case), 1e-12)


@pytest.mark.parametrize("cutoff", [None, 5.0])
@pytest.mark.parametrize("left_out", ["sigma", "dispersion_scale"])
def test_one_term_alone(left_out: str, cutoff: float | None):
    kept: dict[str, Any] = {"sigma": 4.0, "dispersion_scale": 1.2} | {left_out: None}
    pair = LongRangePair(cutoff=cutoff, switch_width=1.5, **kept)
    case = random_atoms(np.random.default_rng(2).uniform(0, 8, size=(20, 3)), None, cutoff)
    plain, compiled = (results(pair, which, *case) for which in (False, True))
    assert len(compiled[0]) == 1
    assert_equal(plain, compiled, 1e-12)


def test_no_cutoff_far_away():
    """Pairs up to a micrometre: nothing overflows, and what is left is Coulomb's law."""
    positions = np.array([[0.0, 0, 0], [3, 0, 0], [0, 200, 0], [0, 0, 1e4]])
    case = random_atoms(positions, None, None)
    plain, compiled = (results(FREE, which, *case) for which in (False, True))
    assert_equal(plain, compiled, 1e-12)
    for leaf in jax.tree.leaves(results(FREE, True, *single(case))):
        assert bool(jnp.isfinite(leaf).all())


def single(case: tuple[Atoms, NeighborList]) -> tuple[Atoms, NeighborList]:
    atoms, neighbors = case
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, "float32"), atoms), neighbors


@pytest.mark.parametrize("pair", [PUBLISHED, SHORT, FREE])
def test_float32(pair: LongRangePair):
    """As close to float64 as the tiles are."""
    rng = np.random.default_rng(1)
    grid = np.stack(np.meshgrid(*[np.arange(4)] * 3), axis=-1).reshape(-1, 3)
    case = random_atoms(2.5 * grid + rng.uniform(-0.6, 0.6, size=grid.shape), None, pair.cutoff)
    case[0].atomic["charge"] *= 0.5
    exact = results(pair, False, *case)
    found = results(pair, True, *single(case))
    assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {np.dtype("float32")}
    found = jax.tree.map(lambda leaf: leaf.astype("float64"), found)
    for name, values in exact[0].items():
        assert float(jnp.abs(values - found[0][name]).mean()) < 1e-6  # eV
    assert_equal(exact, found, 3e-6)


ROWS, COLUMNS = 16, 70


@settings(max_examples=30, deadline=None)
@given(
    count=st.integers(1, ROWS),
    extent=st.sampled_from([1.0, 4.0, 12.0, 60.0]),
    periodic=st.booleans(),
    columns=st.sampled_from([COLUMNS, 80]),
    seed=st.integers(0, 2**16),
)
def test_any_list(count: int, extent: float, periodic: bool, columns: int, seed: int):
    """Empty rows, isolated atoms, atoms that see their own images, padding, any number of free places."""
    rng = np.random.default_rng(seed)
    positions = rng.uniform(0, extent, size=(count, 3))
    cell = (np.eye(3) * max(extent, 9.0) + rng.normal(size=(3, 3))) if periodic else None
    if periodic and count <= 2:
        cell = np.eye(3) * 4.3  # shorter than the cutoff
    with numerics("float64"):
        case = random_atoms(positions, cell, SHORT.cutoff, rows=ROWS, columns=columns, seed=seed)
        assert_equal(results(SHORT, False, *case), results(SHORT, True, *case), 1e-10)


@pytest.mark.parametrize("pair", [SHORT, FREE])
def test_gradients_against_finite_differences(pair: LongRangePair):
    positions = np.random.default_rng(4).uniform(0, 6, size=(12, 3))
    atoms, neighbors = random_atoms(positions, None if pair.cutoff is None else CELL, pair.cutoff)

    @jax.jit
    def loss(atoms: Atoms) -> jax.Array:
        found = compiled_atomic_energies(pair, *atoms, neighbors)
        return jnp.sum(jnp.stack([jnp.sum(weights(atoms)[name] * found[name]) for name in found]))

    check_grads(loss, (atoms,), order=1, modes=["rev"], atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("pair", [SHORT, replace(SHORT, sigma=None), replace(SHORT, dispersion_scale=None)])
def test_gradients_found_with_the_energies(pair: LongRangePair):
    """Of the sum of all energies, scaled where cotangents are equal; not used where they are not."""
    positions = np.random.default_rng(8).uniform(0, 9, size=(30, 3))
    atoms, neighbors = random_atoms(positions, CELL + 3 * np.eye(3), pair.cutoff)
    values = atoms.atomic["charge"], atoms.atomic["polarizability"], atoms.atomic["c6"]
    terms, operands = compiled_terms(pair), long_range_atoms(values, *atoms[1:], neighbors.index, neighbors.shift)
    energies, known = long_range_with_gradients(terms, operands)
    assert_equal(energies, long_range_forward(terms, operands), 1e-13)
    useless, even = jax.tree.map(lambda leaf: leaf * jnp.nan, known), jnp.full(30, 2.5)
    uneven = even.at[7].add(1e-12)

    def gradients(cotangent: jax.Array, known: Any) -> Any:
        return long_range_backward(terms, operands, cotangent, cotangent, known=known)

    assert_equal(gradients(even, known), gradients(uneven, useless), 1e-10)


def test_rows_of_several_owners_join_to_the_whole():
    positions = np.random.default_rng(6).uniform(0, 9, size=(33, 3))
    atoms, neighbors = random_atoms(positions, CELL + 3 * np.eye(3), SHORT.cutoff)
    given = weights(atoms)
    values = atoms.atomic["charge"], atoms.atomic["polarizability"], atoms.atomic["c6"]
    assert neighbors.shift is not None

    def owned(begin: int, end: int) -> Any:
        """With a traced first row, as under a mesh of devices."""
        index, shift = neighbors.index[begin:end], neighbors.shift[begin:end]  # pyright: ignore[reportOptionalSubscript]

        @jax.jit
        def run(start: jax.Array) -> Any:
            terms, operands = compiled_terms(SHORT), long_range_atoms(values, *atoms[1:], index, shift, start)
            energies, known = long_range_with_gradients(terms, operands)
            cotangents = given["electrostatics"], given["dispersion"]
            return energies, long_range_backward(terms, operands, *cotangents, known=known)

        return run(jnp.asarray(begin, jnp.int32))

    whole, parts = owned(0, 33), [owned(0, 10), owned(10, 11), owned(11, 33)]
    assert_equal(whole[1].cell, jnp.sum(jnp.stack([gradients.cell for _, gradients in parts]), axis=0), 1e-12)
    rows = [(energies, gradients._replace(cell=None)) for energies, gradients in parts]
    joined = jax.tree.map(lambda *pieces: jnp.concatenate(pieces), *rows)
    assert_equal((whole[0], whole[1]._replace(cell=None)), joined, 1e-13)


def test_over_devices():
    """Each device owns a quarter of the rows and gathers what it reads of the others."""
    positions = np.random.default_rng(6).uniform(0, 9, size=(30, 3))
    atoms, neighbors = random_atoms(positions, CELL + 3 * np.eye(3), SHORT.cutoff, rows=32)
    mesh, rows = Mesh(np.array(jax.devices()[:4]), ("rows",)), Rows("rows", 4)
    own, whole = PartitionSpec("rows"), PartitionSpec()
    outputs = own, (own, whole, whole)

    @jax.jit
    @partial(jax.shard_map, mesh=mesh, in_specs=(own, whole, whole, own, own), out_specs=outputs, check_vma=False)
    def divided(atomic: Any, positions: jax.Array, cell: jax.Array, index: jax.Array, shift: jax.Array) -> Any:
        block = NeighborList(index=index, shift=shift, half=None, overflow=neighbors.overflow)
        found, pullback = jax.vjp(
            lambda a, r, h: compiled_atomic_energies(SHORT, a, r, h, block, rows=rows), atomic, positions, cell
        )
        to_atomic, *to_all = pullback(rows.own(weights(atoms)))
        return found, (to_atomic, *rows.sum(to_all))

    found, gradients = divided(*atoms, neighbors.index, neighbors.shift)
    assert_equal(results(SHORT, False, atoms, neighbors), (found, Atoms(*gradients)), 1e-12)


def test_many_atoms_on_several_threads():
    positions = np.random.default_rng(2).uniform(0, 15, size=(300, 3))
    case = random_atoms(positions, 15 * np.eye(3), SHORT.cutoff)
    assert_equal(results(SHORT, False, *case), results(SHORT, True, *case), 1e-12)
    assert_equal(results(SHORT, True, *case), results(SHORT, True, *case), 0)


def test_batches():
    """Nested batches, of which some operands vary along one axis only, equal one call after the other."""
    positions = np.random.default_rng(7).uniform(0, 8, size=(14, 3))
    atoms, neighbors = random_atoms(positions, CELL + 2 * np.eye(3), SHORT.cutoff)
    moves = jnp.asarray(0.05 * np.random.default_rng(8).normal(size=(3, *positions.shape)))
    factors = jnp.asarray([0.5, 1.0])

    def one(move: jax.Array, factor: jax.Array) -> Any:
        atomic = atoms.atomic | {"charge": factor * atoms.atomic["charge"]}
        return results(SHORT, True, Atoms(atomic, atoms.positions + move, atoms.cell), neighbors)

    batched = jax.jit(jax.vmap(jax.vmap(one, (0, None)), (None, 0)))(moves, factors)
    for b, factor in enumerate(factors):
        for a, move in enumerate(moves):
            assert_equal(one(move, factor), jax.tree.map(lambda leaf, b=b, a=a: leaf[b, a], batched), 1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_distances_down_to_zero_stay_finite(dtype: str):
    positions = np.array([[0.0, 0, 0], [0, 0, 0], [1e-4, 0, 0], [0, 0.05, 0], [0, 0, 5 - 1e-9]])
    atoms, neighbors = random_atoms(positions, None, SHORT.cutoff)
    atoms = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), atoms)
    for leaf in jax.tree.leaves(results(SHORT, True, atoms, neighbors)):
        assert bool(jnp.isfinite(leaf).all())


@pytest.mark.parametrize("pair", [SHORT, FREE])
def test_positions_that_are_not_numbers_are_seen_in_the_energies(pair: LongRangePair):
    atoms, neighbors = random_atoms(np.random.default_rng(0).uniform(0, 4, size=(5, 3)), None, pair.cutoff)
    atoms = atoms._replace(positions=atoms.positions.at[2, 1].set(jnp.nan))
    for values in results(pair, True, atoms, neighbors)[0].values():
        assert bool(jnp.isnan(values[2]))


def test_second_derivatives_are_an_error():
    atoms, neighbors = random_atoms(np.random.default_rng(0).uniform(0, 4, size=(4, 3)), None, SHORT.cutoff)

    def energy(positions: jax.Array) -> jax.Array:
        return compiled_atomic_energies(SHORT, atoms.atomic, positions, atoms.cell, neighbors)["dispersion"].sum()

    with pytest.raises(HelioError, match="plain"):
        jax.hessian(energy)(atoms.positions)
    with pytest.raises(HelioError, match="plain"):
        jax.grad(lambda p: jax.grad(energy)(p).sum())(atoms.positions)
