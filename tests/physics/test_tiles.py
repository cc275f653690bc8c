"""Pair terms in tiles, against the same terms over the half list, in float64."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helio.neighbors import NeighborList, half_pairs, host_list
from helio.physics import pair
from helio.physics.tiles import LongRangePair, tiled_atomic_energies
from helio.precision import numerics

SIGMA, SCALE, WIDTH = 2.0, 1.2, 1.5
CELLS = {
    "triclinic": np.array([[5.0, 0, 0], [2.4, 5, 0], [-2.2, 2.0, 6]]),
    "flat": np.diag([9.0, 8.0, 1.9]),  # an atom is its own neighbour
    "free": None,
}
CASES = {"triclinic": 4.5, "flat": 4.5, "free": None, "free, with a cutoff": 4.0}
Terms = Callable[..., dict[str, jax.Array]]
compiled = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})  # soon rather than fast


class Case:
    """Random atoms, two of them padding, with their list and both ways to their energies."""

    def __init__(self, name: str, *, count: int = 11, padding: int = 2):
        rng = np.random.default_rng(4)
        self.cutoff, cell = CASES[name], CELLS[name.split(",")[0]]
        self.periodic = cell is not None
        self.count = count + padding
        cell = np.eye(3) if cell is None else cell
        positions = rng.uniform(size=(count, 3)) @ (cell if self.periodic else 6 * cell)
        made = host_list(
            positions,
            cell,
            (self.periodic, self.periodic, self.periodic),
            cutoff=None if self.cutoff is None else self.cutoff + 0.5,
            rows=self.count,
        )
        self.neighbors: NeighborList = jax.tree.map(jnp.asarray, made)
        self.atomic = {
            "charge": jnp.asarray(np.append(rng.normal(size=count), [0, 0])),
            "polarizability": jnp.asarray(rng.uniform(1, 12, self.count)),
            "c6": jnp.asarray(rng.uniform(2, 60, self.count)),
        }
        self.positions = jnp.asarray(np.concatenate([positions, np.zeros((padding, 3))]))
        self.cell = jnp.asarray(cell)
        self.cotangents = jnp.asarray(rng.normal(size=(2, self.count)))  # of the two terms

    @property
    def arguments(self) -> tuple:
        return self.atomic, self.positions, self.cell

    def over_half_list(self, atomic: dict, positions: jax.Array, cell: jax.Array) -> dict[str, jax.Array]:
        reach = float("inf") if self.cutoff is None else self.cutoff
        long = pair.measure(half_pairs(self.neighbors, positions, cell), reach)
        charge, polarizability, c6 = atomic["charge"], atomic["polarizability"], atomic["c6"]
        coulomb = pair.coulomb_energies(charge, long, sigma=SIGMA, cutoff=self.cutoff)
        dispersion = pair.dispersion_energies(
            polarizability, c6, long, scale=SCALE, cutoff=self.cutoff, switch_width=WIDTH
        )
        return {
            "electrostatics": pair.per_atom(coulomb, long, self.count),
            "dispersion": pair.per_atom(dispersion, long, self.count),
        }

    def in_tiles(self, atomic: dict, positions: jax.Array, cell: jax.Array, *, rows: int = 4) -> dict[str, jax.Array]:
        terms = LongRangePair(cutoff=self.cutoff, sigma=SIGMA, dispersion_scale=SCALE, switch_width=WIDTH)
        return tiled_atomic_energies(terms, atomic, positions, cell, self.neighbors, cutoff=self.cutoff, tile_rows=rows)

    def weighted(self, terms: Terms, *arguments: object) -> jax.Array:
        """A sum of the energies with a weight of its own for each atom and term."""
        energies = terms(*arguments)
        weights = self.cotangents
        return jnp.sum(weights[0] * energies["electrostatics"] + weights[1] * energies["dispersion"] ** 2)


@pytest.fixture(params=["triclinic", "flat", "free"])
def case(request: pytest.FixtureRequest):
    with numerics("float64"):
        yield Case(request.param)


def assert_close(found: object, expected: object, *, relative: float = 1e-12):
    scale = max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(expected))
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=relative * scale)


@pytest.mark.parametrize("rows", [5, 128])
def test_energies_equal_those_over_the_half_list(case: Case, rows: int):
    found = compiled(partial(case.in_tiles, rows=rows))(*case.arguments)
    expected = case.over_half_list(*case.arguments)
    assert all(float(jnp.abs(energies).max()) > 1e-3 for energies in expected.values())
    assert_close(found, expected)


def test_gradients_of_each_atoms_energy(case: Case):
    # With weights of their own the energies of single atoms are told apart: in one sum, errors could cancel.
    gradient = jax.grad(case.weighted, argnums=(1, 2, 3))
    found, expected = (
        compiled(partial(gradient, terms))(*case.arguments) for terms in (case.in_tiles, case.over_half_list)
    )
    assert_close(found, expected)
    if case.periodic:
        assert float(jnp.abs(expected[2]).max()) > 1e-2


@pytest.mark.parametrize("case", ["flat", "free"], indirect=True)
def test_gradient_of_the_forces(case: Case):
    # What training on forces needs: forces of the plain sum, differentiated in all that they depend on.
    direction = jnp.asarray(np.random.default_rng(1).normal(size=case.positions.shape))

    def work(terms: Terms, *arguments: object) -> jax.Array:
        forces = jax.grad(case.weighted, argnums=2)(terms, *arguments)
        return jnp.sum(direction * forces + forces**2)

    gradient = jax.grad(work, argnums=(1, 2, 3))
    found, expected = (
        compiled(partial(gradient, terms))(*case.arguments) for terms in (case.in_tiles, case.over_half_list)
    )
    assert_close(found, expected)


def test_forces_equal_differences_of_energies():
    with numerics("float64"):
        case = Case("triclinic")
        energy = jax.jit(lambda r: case.weighted(case.in_tiles, case.atomic, r, case.cell))
        direction = jnp.asarray(np.random.default_rng(2).normal(size=case.positions.shape))
        step = 1e-5
        numeric = (energy(case.positions + step * direction) - energy(case.positions - step * direction)) / (2 * step)
        exact = jnp.sum(direction * jax.grad(energy)(case.positions))
        assert float(exact) == pytest.approx(float(numeric), rel=1e-8)


def test_any_pair_energy_and_any_result():
    with numerics("float64"):
        case = Case("triclinic")

        def spring(distance: jax.Array, stiffness_i: jax.Array, stiffness_j: jax.Array) -> jax.Array:
            return stiffness_i * stiffness_j * (distance - 2) ** 2

        stiffness = case.atomic["polarizability"]
        found = tiled_atomic_energies(
            spring, stiffness, case.positions, case.cell, case.neighbors, cutoff=3.0, tile_rows=3
        )
        long = pair.measure(half_pairs(case.neighbors, case.positions, case.cell), 3.0)
        energies = jnp.where(long.inside, spring(long.distance, *long.ends(stiffness)), 0)
        assert_close(found, pair.per_atom(energies, long, case.count))


@pytest.mark.parametrize("left_out", ["electrostatics", "dispersion"])
def test_one_term_alone(left_out: str):
    with numerics("float64"):
        case = Case("triclinic")
        terms = LongRangePair(
            cutoff=case.cutoff,
            sigma=None if left_out == "electrostatics" else SIGMA,
            dispersion_scale=None if left_out == "dispersion" else SCALE,
            switch_width=WIDTH,
        )
        found = tiled_atomic_energies(terms, case.atomic, case.positions, case.cell, case.neighbors, cutoff=case.cutoff)
        expected = case.over_half_list(*case.arguments)
        del expected[left_out]
        assert_close(found, expected)


def test_gradients_are_finite_in_float32_where_nothing_is_near():
    case = Case("free")
    case.cutoff = 1e-3
    arguments = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), case.arguments)
    value, gradient = jax.value_and_grad(lambda *a: case.in_tiles(*a)["electrostatics"].sum(), argnums=(0, 1))(
        *arguments
    )
    assert float(value) == 0
    assert all(np.all(np.asarray(leaf) == 0) for leaf in jax.tree.leaves(gradient))
