"""The engine's lists: what happens when they no longer suffice."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms

from helio.neighbors import NeighborPlans
from helio.precision import numerics
from helio.simulate import ActiveLists, Freedom, State, advance, make_lists, start
from helio.simulate.ensembles import constant_energy
from helio.simulate.lists import blank_lists
from helio.system import System
from helio.units import BOLTZMANN, FS


@pytest.fixture(scope="module")
def run(soft_spheres: Any) -> Any:
    """A short run of particles in a cell, from lists with the plans given: the last state and lists."""
    positions = np.random.default_rng(3).random((40, 3)) * [6.0, 6.5, 7.0]
    atoms = Atoms("Ne40", positions=positions, cell=[6.0, 6.5, 7.0], pbc=True)

    def simulate(change: Any) -> tuple[State, ActiveLists]:
        with numerics("float64"):
            potential = soft_spheres(jnp.asarray(0.2))
            system = System.from_ase(atoms).astype("float64")
            lists = make_lists(potential, system, skin=0.3)
            lists = blank_lists(potential, system, change(lists.plans))
            integrator = constant_energy(jnp.asarray(2 * FS), Freedom())
            key = jax.random.PRNGKey(0)
            state, lists = start(potential, integrator, system, lists, key=key, thermal_energy=600 * BOLTZMANN)
            return advance(potential, integrator, state, lists, until=41)

    return simulate


@pytest.fixture(scope="module")
def expected(run: Any) -> np.ndarray:
    return np.asarray(run(lambda plans: plans)[0].system.positions)


def with_plan(plans: NeighborPlans, name: str, **changes: Any) -> NeighborPlans:
    return dataclasses.replace(plans, **{name: getattr(plans, name)._replace(**changes)})


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        pytest.param("short", {"columns": 2, "half_pairs": 4}, marks=pytest.mark.slow),
        ("long", {"columns": 4, "bin_capacity": 2, "candidates": 4}),
    ],
)
def test_lists_that_do_not_fit_are_given_more(run: Any, expected: np.ndarray, name: str, changes: dict) -> None:
    state, lists = run(lambda plans: with_plan(plans, name, **changes))
    plan = getattr(lists.plans, name)
    assert all(getattr(plan, size) > value for size, value in changes.items())
    np.testing.assert_allclose(np.asarray(state.system.positions), expected, rtol=0, atol=1e-12)


def test_pairs_that_outgrow_their_room_are_given_more(run: Any, expected: np.ndarray) -> None:
    state, lists = run(lambda plans: dataclasses.replace(plans, short_within=4))
    assert lists.plans.short_within > 4
    np.testing.assert_allclose(np.asarray(state.system.positions), expected, rtol=0, atol=1e-12)


def test_skins_do_not_change_the_numbers(run: Any, expected: np.ndarray) -> None:
    def narrow(plans: NeighborPlans) -> NeighborPlans:
        plans = with_plan(plans, "short", cutoff=plans.short.cutoff - 0.15)
        return dataclasses.replace(plans, short_skin=0.15)

    state, lists = run(narrow)
    np.testing.assert_allclose(np.asarray(state.system.positions), expected, rtol=0, atol=1e-12)
    # The lists were made at different times.
    assert (np.asarray(lists.short.reference) != np.asarray(lists.long.reference)).any()
