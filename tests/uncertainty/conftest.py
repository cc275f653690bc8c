"""Molecules, blocks of them, and a small model in float64."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import reduce
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase.build import molecule

from helio import System
from helio.force_field import ForceField
from helio.neighbors.widening import Sizes, sizes, widened
from tests.conftest import TINY


def tiny_force_field(features: int = 8) -> ForceField:
    """In float64, with scales of its own for each element."""
    force_field = (
        ForceField.initialise(replace(TINY, features=features), 5)
        .with_options(long_range_cutoff=None)
        .astype("float64")
    )
    scale = jnp.asarray(np.linspace(0.5, 1.5, 119))
    return eqx.tree_at(lambda model: model.energy_head.scale, force_field, scale)


def rattled(name: str, seed: int, width: float = 0.05) -> System:
    atoms = molecule(name)
    atoms.positions += np.random.default_rng(seed).normal(size=atoms.positions.shape) * width
    return System.from_ase(atoms, check_parity=False)


def block(force_field: ForceField, systems: list[System], rows: int) -> tuple[System, Any]:
    """Padded systems and their lists of one size, each with a leading axis; in float64."""
    lists = [force_field.neighbors(system, rows=rows) for system in systems]
    lists = [widened(one, reduce(Sizes.union, map(sizes, lists))) for one in lists]
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *(system.padded(rows) for system in systems))
    return stacked.astype("float64"), jax.tree.map(lambda *leaves: jnp.asarray(np.stack(leaves)), *lists)


@pytest.fixture
def float64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield
