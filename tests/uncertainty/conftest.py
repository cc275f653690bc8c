"""Molecules, blocks of them, and a small model with an uncertainty in float64."""

from __future__ import annotations

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
from helio.force_field import ForceField, ForceFieldSettings
from helio.neighbors.widening import Sizes, sizes, widened
from helio.uncertainty import Curvature, Rigidity, slopes

# Of the network alone: nothing else depends on its last layer.
TINY = ForceFieldSettings(
    num_layers=1,
    features=8,
    num_heads=2,
    degrees=(1, 2),
    num_radial=6,
    spherical_hidden=4,
    hirshfeld_width=4,
    zbl=False,
    electrostatics=False,
    dispersion=False,
)


def tiny_force_field() -> ForceField:
    """In float64, with scales of its own for each element; to be called in that precision."""
    force_field = ForceField.initialise(TINY, 5).with_options(long_range_cutoff=None).astype("float64")
    scale = jnp.asarray(np.linspace(0.5, 1.5, 119))
    return eqx.tree_at(lambda model: model.energy_head.scale, force_field, scale)


def rattled(name: str, seed: int, width: float = 0.05) -> System:
    atoms = molecule(name)
    atoms.positions += np.random.default_rng(seed).normal(size=atoms.positions.shape) * width
    return System.from_ase(atoms, check_parity=False)


def block(force_field: ForceField, systems: list[System], rows: int) -> tuple[System, Any]:
    """Padded systems and their lists, each with a leading axis; in float64."""
    lists = [force_field.neighbors(system, rows=rows) for system in systems]
    lists = [widened(one, reduce(Sizes.union, map(sizes, lists))) for one in lists]
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *(system.padded(rows) for system in systems))
    return stacked.astype("float64"), jax.tree.map(lambda *leaves: jnp.asarray(np.stack(leaves)), *lists)


def curvature_of(
    force_field: ForceField, systems: list[System], rows: int, *, probes: int = 4, seed: int = 0
) -> Curvature:
    made = slopes(force_field, *block(force_field, systems, rows), key=jax.random.PRNGKey(seed), probes=probes)
    known = dict.fromkeys(("energy", "forces", "atomic_energies"), np.ones(len(systems), bool))
    return Curvature.empty(8).including(made, np.array([len(system) for system in systems]), known)


def with_uncertainty(force_field: ForceField, *, members: int = 8, ridge: float = 1e-4) -> ForceField:
    """Fitted to a few molecules of water."""
    curvature = curvature_of(force_field, [rattled("H2O", seed) for seed in range(4)], 4)
    made = Rigidity.of(curvature.weighted({"energy": 1, "forces": 1}), relative_ridge=ridge)
    return replace(force_field, uncertainty=made.uncertainty(members=members))


@pytest.fixture
def float64() -> Any:
    with jax.enable_x64(True):
        yield
