"""Lists made on the device against vesin's, for the cells that break neighbour lists."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path

import ase.io
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from helio.neighbors import NeighborList, Plan, cell_order, device_list, host_list, plan_list
from helio.neighbors.bins import heights
from helio.precision import numerics

REFERENCE = Path(__file__).parents[1] / "reference"
GENERATOR = np.random.default_rng(0)
PADDING = 3
EVERYWHERE = (True, True, True)
Pair = tuple[int, int, int, int, int]


def random(count: int, low: float, high: float) -> np.ndarray:
    return GENERATOR.uniform(low, high, (count, 3))


SYSTEMS = {
    "triclinic": Atoms("H90", random(90, 0, 9), cell=[[9, 0, 0], [4.4, 9, 0], [-4.2, 4.0, 10]], pbc=True),
    "flat, outside the cell": Atoms("H6", random(6, -90, 90), cell=[9, 8, 1.1], pbc=True),
    "one atom, many images": Atoms("H", cell=[2.0, 2.1, 1.9], pbc=True),
    "slab": Atoms("H60", random(60, 0, 12), cell=[[12, 0, 0], [5, 10, 0], [0, 0, 30]], pbc=(True, True, False)),
    "wire": Atoms("H40", random(40, -9, 9), cell=[0, 0, 4], pbc=(False, False, True)),
    "molecule, isolated atom": Atoms("H101", np.concatenate([random(100, -7, 7), [[0, 70, 0]]])),
    "single": Atoms("H"),
}


def periodic(atoms: Atoms) -> tuple[bool, bool, bool]:
    return bool(atoms.pbc[0]), bool(atoms.pbc[1]), bool(atoms.pbc[2])


def complete(atoms: Atoms) -> np.ndarray:
    return atoms.cell.new(atoms.cell.array * atoms.pbc[:, None]).complete().array


def water() -> Atoms:
    atoms = ase.io.read(REFERENCE / "water_64.extxyz")
    assert isinstance(atoms, Atoms)
    return atoms


@cache
def compiled(pbc: tuple[bool, bool, bool], plan: Plan):
    # Few systems are worth the compiler's effort here; those below without this option are compiled as usual.
    quickly = {"xla_backend_optimization_level": 0}
    return jax.jit(partial(device_list, pbc=pbc, plan=plan), compiler_options=quickly)


def made(
    positions: np.ndarray, cell: np.ndarray, pbc: tuple[bool, bool, bool], plan: Plan, *, real: int | None = None
) -> NeighborList:
    """The list of the first `real` atoms in float64, with padding atoms in their way."""
    rows = len(positions) + PADDING
    padded = np.concatenate([positions, np.broadcast_to(positions[0] + 0.1, (PADDING, 3))])
    mask = jnp.arange(rows) < (real or len(positions))
    with numerics("float64"):
        return jax.device_get(compiled(pbc, plan)(jnp.asarray(padded), jnp.asarray(cell), mask))


def pairs_of(found: NeighborList) -> list[Pair]:
    rows, columns = np.nonzero(np.asarray(found.mask))
    shifts = np.zeros((len(rows), 3), int) if found.shift is None else np.asarray(found.shift)[rows, columns]
    return sorted(map(tuple, np.column_stack([rows, np.asarray(found.index)[rows, columns], shifts]).tolist()))


def half_of(found: NeighborList) -> list[Pair]:
    index, half = np.asarray(found.index), np.asarray(found.half)
    row, column = half[half[:, 0] < len(index)].T
    assert np.all(np.diff(half[:, 0]) >= 0)
    shifts = np.zeros((len(row), 3), int) if found.shift is None else np.asarray(found.shift)[row, column]
    return sorted(map(tuple, np.column_stack([row, index[row, column], shifts]).tolist()))


def assert_same(found: NeighborList, expected: NeighborList, *, half: bool):
    assert not found.overflow
    assert pairs_of(found) == pairs_of(expected)
    free = ~np.asarray(found.mask)
    assert np.all(np.asarray(found.index)[free] == len(found.index))
    assert found.shift is None or not np.any(np.asarray(found.shift)[free])
    if half:
        assert half_of(found) == half_of(expected)
    else:
        assert found.half is None


@pytest.mark.parametrize("name", SYSTEMS)
def test_equal_vesin(name: str):
    atoms, cutoff = SYSTEMS[name], 4.5
    cell, pbc = complete(atoms), periodic(atoms)
    plan = plan_list(atoms.positions, cell, pbc, cutoff=cutoff, half=True)
    found = made(atoms.positions, cell, pbc, plan)
    rows = len(atoms) + PADDING
    assert_same(found, host_list(atoms.positions, cell, pbc, cutoff=cutoff, rows=rows), half=True)
    assert (found.shift is None) == (not any(pbc))
    assert found.index.dtype == np.int32
    assert found.half is not None and found.half.dtype == np.int32


# Room for all twelve atoms anywhere; reaches 4.0 A as long as the cell's heights are 2.7 A or more.
ROOMY = Plan(
    cutoff=4.0,
    bins=(2, 2, 2),
    reach=(3, 3, 3),
    bin_capacity=12,
    candidates=1024,
    columns=320,
    half_pairs=2048,
    rows=8,
)


@pytest.mark.parametrize("pbc", [(True, True, True), (True, False, True)])
@settings(max_examples=30, deadline=None)
@given(
    lengths=st.tuples(*[st.floats(2.0, 11.0)] * 3),
    mirrored=st.booleans(),
    tilts=st.tuples(*[st.floats(-0.7, 0.7)] * 3),
    spread=st.sampled_from([0.0, 3.0, 50.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_random_cells_are_right_or_flagged(pbc, lengths, mirrored, tilts, spread, seed):
    a, b, c = lengths
    cell = np.array([[a, 0, 0], [tilts[0] * a, b, 0], [tilts[1] * a, tilts[2] * b, c]])
    cell = cell * (-1 if mirrored else 1)  # a left-handed one
    positions = np.random.default_rng(seed).uniform(-spread, spread + 2, (12, 3))
    found = made(positions, cell, pbc, ROOMY)
    expected = host_list(positions, cell, pbc, cutoff=ROOMY.cutoff, rows=12 + PADDING)
    narrow = np.any(heights(cell)[list(pbc)] * 3 / 2 < 1.0001 * ROOMY.cutoff)
    full = np.asarray(expected.mask).sum(axis=1).max() > 320 or np.asarray(expected.mask).sum() > 4096
    assert bool(found.overflow) == bool(narrow or full)
    if not found.overflow:
        assert_same(found, expected, half=True)


@pytest.fixture(scope="module")
def planned() -> tuple[Atoms, Plan]:
    """Water, and a plan for it."""
    atoms = water()
    return atoms, plan_list(atoms.positions, atoms.cell.array, EVERYWHERE, cutoff=4.0, half=True, rows=64)


@pytest.mark.parametrize("size", ["bin_capacity", "candidates", "columns", "half_pairs"])
def test_too_small_a_size_is_flagged(planned: tuple[Atoms, Plan], size: str):
    atoms, plan = planned
    smaller = plan._replace(**{size: getattr(plan, size) * 3 // 4})
    assert made(atoms.positions, atoms.cell.array, EVERYWHERE, smaller).overflow


def test_a_cell_that_shrinks_too_far_is_flagged(planned: tuple[Atoms, Plan]):
    atoms, plan = planned
    cell = atoms.cell.array
    assert not made(atoms.positions, cell, EVERYWHERE, plan).overflow
    limits = [n * plan.cutoff / (r * h) for n, r, h in zip(plan.bins, plan.reach, heights(cell), strict=True)]
    for axis, limit in enumerate(limits):
        # One atom alone fits everywhere: the reach is all that can fail.
        for factor, flagged in ((0.999 * limit, True), (1.001 * limit, False)):
            scaled = cell * np.where(np.arange(3) == axis, factor, 1.0)[:, None]
            assert bool(made(atoms.positions, scaled, EVERYWHERE, plan, real=1).overflow) == flagged


def test_an_atom_further_away_than_shifts_can_tell_is_flagged(planned: tuple[Atoms, Plan]):
    atoms, plan = planned
    positions = atoms.positions.copy()
    positions[5] += (2**13 + 2) * atoms.cell.array[0]
    assert made(positions, atoms.cell.array, EVERYWHERE, plan).overflow


@pytest.mark.parametrize(
    "strain",
    [np.eye(3), 0.97 * np.eye(3), 1.03 * np.eye(3), [[1.03, 0, 0], [0.02, 0.97, 0], [-0.02, 0.01, 1]]],
    ids=["as planned", "smaller", "larger", "sheared"],
)
def test_a_plan_outlives_the_barostat(planned: tuple[Atoms, Plan], strain):
    atoms, plan = planned
    strained = atoms.positions @ strain, atoms.cell.array @ strain
    expected = host_list(*strained, EVERYWHERE, cutoff=plan.cutoff, rows=len(atoms) + PADDING)
    assert_same(made(*strained, EVERYWHERE, plan), expected, half=True)


def test_single_precision_differs_at_the_edge_alone():
    atoms, cutoff, pbc = water(), 9.0, (True, True, True)
    positions = atoms.positions + GENERATOR.integers(-2, 3, (len(atoms), 3)) @ atoms.cell.array
    plan = plan_list(positions, atoms.cell.array, pbc, cutoff=cutoff, half=False)
    arrays = (jnp.asarray(x, jnp.float32) for x in (positions, atoms.cell.array))
    found = jax.jit(partial(device_list, pbc=pbc, plan=plan))(*arrays, jnp.ones(len(atoms), bool))
    pairs = set(pairs_of(found))
    inner, outer = (
        set(pairs_of(host_list(positions, atoms.cell.array, pbc, cutoff=cutoff + edge))) for edge in (-1e-4, 1e-4)
    )
    assert not found.overflow and found.half is None
    assert inner <= pairs <= outer
    assert all((j, i, -x, -y, -z) in pairs for i, j, x, y, z in pairs)


def test_does_not_depend_on_the_rows_made_at_once(planned: tuple[Atoms, Plan]):
    atoms, plan = planned
    one = made(atoms.positions, atoms.cell.array, EVERYWHERE, plan)
    other = made(atoms.positions, atoms.cell.array, EVERYWHERE, plan._replace(rows=1000))
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(a, b)


def test_refreshed_inside_a_compiled_loop(planned: tuple[Atoms, Plan]):
    atoms, plan = planned
    pbc, mask = (True, True, True), jnp.ones(len(atoms), bool)
    roomy = plan._replace(columns=plan.columns * 2, half_pairs=plan.half_pairs and plan.half_pairs * 2)

    @jax.jit
    def refreshed_twice(positions, cell):
        def refresh(positions):
            return device_list(positions, cell, mask, pbc, roomy)

        def body(step, carry):
            positions, made = carry
            positions = positions * 1.02
            return positions, lax.cond(step % 2 == 0, refresh, lambda _: made, positions)

        return lax.fori_loop(1, 4, body, (positions, refresh(positions)))

    with numerics("float64"):
        found = jax.device_get(refreshed_twice(jnp.asarray(atoms.positions), jnp.asarray(atoms.cell.array))[1])
    at_refresh = atoms.positions * 1.02**2
    assert_same(found, host_list(at_refresh, atoms.cell.array, pbc, cutoff=plan.cutoff), half=True)


def test_given_columns_are_kept():
    atoms = water()
    plan = plan_list(atoms.positions, atoms.cell.array, EVERYWHERE, cutoff=5.0, half=False, columns=96)
    assert plan.columns == 96 and plan.half_pairs is None


@pytest.mark.parametrize("name", ["triclinic", "slab", "wire", "single"])
def test_cell_order_keeps_bins_together(name: str):
    atoms = SYSTEMS[name]
    cell = complete(atoms)
    options = {"bins": (4, 4, 4), "atom_mask": np.ones(len(atoms), bool)}
    order = cell_order(atoms.positions, cell, periodic(atoms), **options)
    on_device = cell_order(jnp.asarray(atoms.positions), jnp.asarray(cell), periodic(atoms), **options)
    np.testing.assert_array_equal(on_device, order)
    assert sorted(order) == list(range(len(atoms)))
    if len(atoms) > 1:
        fractional = (atoms.positions @ np.linalg.inv(cell))[order]
        fractional -= np.floor(fractional) * atoms.pbc
        steps = np.linalg.norm(np.diff(fractional @ cell, axis=0), axis=1)
        unsorted = GENERATOR.permutation(fractional) @ cell
        assert steps.mean() < 0.75 * np.linalg.norm(np.diff(unsorted, axis=0), axis=1).mean()
        again = cell_order(atoms.positions[order], cell, periodic(atoms), **options)
        np.testing.assert_array_equal(again, np.arange(len(atoms)))
