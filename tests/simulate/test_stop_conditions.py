"""Overlapping atoms and broken bonds are seen, and nothing else is."""

from __future__ import annotations

import re
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from helio.neighbors import device_list
from helio.simulate.engine import blank_state, make_lists
from helio.simulate.ensembles import constant_energy
from helio.simulate.freedom import Freedom
from helio.simulate.lists import ActiveLists
from helio.simulate.state import State
from helio.simulate.stop_conditions import StopConditions, closest_pair
from helio.system import System

CELL = np.array([[6.0, 0, 0], [1.0, 6.0, 0], [0, 0.5, 7.0]])


@pytest.fixture
def ethanol() -> Atoms:
    atoms = molecule("CH3CH2OH")
    atoms.set_cell(CELL)
    atoms.pbc = True
    atoms.positions[2] += CELL[0]  # the O-H and C-O bonds cross a boundary
    return atoms


def at(potential: Any, atoms: Atoms, positions: np.ndarray) -> tuple[State, ActiveLists]:
    """A state and its lists there."""
    moved = atoms.copy()
    moved.positions = positions
    arrays = System.from_ase(moved).astype("float32")
    integrator = constant_energy(jnp.asarray(0.1), Freedom(fixed_center=False))
    blank = make_lists(potential, arrays, skin=0.3)
    pairs = device_list(arrays.positions, arrays.cell, arrays.atom_mask, arrays.pbc, blank.plans.short)
    lists = eqx.tree_at(lambda lists: lists.short.pairs, blank, pairs)
    state = blank_state(
        potential, integrator, arrays, lists, key=jax.random.PRNGKey(0), momenta=jnp.zeros_like(arrays.positions)
    )
    return state, lists


@pytest.fixture
def potential(soft_spheres: Any) -> Any:
    return soft_spheres(stiffness=jnp.asarray(1.0))


def test_closest_pair(ethanol: Atoms, potential: Any) -> None:
    distances = ethanol.get_all_distances(mic=True) + 99 * np.eye(9)
    distance, first, second = closest_pair(*at(potential, ethanol, ethanol.positions))
    assert float(distance) == pytest.approx(distances.min(), abs=1e-6)
    assert distances[int(first), int(second)] == pytest.approx(distances.min(), abs=1e-6)


def test_overlap_and_broken_bond(ethanol: Atoms, potential: Any) -> None:
    watch = StopConditions(ethanol, closest=0.4, break_bond_beyond=1.5)
    bond = ethanol.positions[3] - (ethanol.positions[2] - CELL[0])

    def problem(watch: StopConditions, factor: float) -> str | None:
        positions = ethanol.positions.copy()
        positions[3] += (factor - 1) * bond
        return watch.problem(*at(potential, ethanol, positions))

    assert problem(watch, 1.0) is None and problem(watch, 1.4) is None
    assert re.fullmatch(r"atoms (2 \(O\) and 3 \(H\)|3 .* and 2 .*) are only 0.3\d A apart", problem(watch, 0.35) or "")
    assert "1.60 times its length" in (problem(watch, 1.6) or "")
    assert problem(StopConditions(ethanol, closest=0.0, break_bond_beyond=None), 1.6) is None
