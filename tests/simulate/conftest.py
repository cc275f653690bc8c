"""Potentials that cost nothing."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helio.neighbors import NeighborPlans, Neighbors, Plan, plan_list
from helio.prediction import Prediction
from helio.system import System


class Wells(eqx.Module):
    """E = sum over atoms of sum k_x x^2 / 2 + c |r|^4 / 4, about the origin or, if `free`, the atoms' mean position."""

    stiffness: Any  # k in eV/A^2, (3,)
    quartic: Any = 0.0  # c in eV/A^4; couples the directions and makes the motion chaotic
    free: bool = eqx.field(static=True, default=False)

    def plan(self, system: System, *, short_skin: float, long_skin: float, spare: float, all_within: bool) -> Any:
        def one(skin: float) -> Plan:
            return plan_list(system.positions, system.cell, system.pbc, cutoff=0.1 + skin, half=True, spare=spare)

        return NeighborPlans(one(short_skin), one(long_skin), short_skin, long_skin, short_within=0)

    def __call__(self, system: System, neighbors: Neighbors) -> Prediction:
        def energies(positions: Any) -> Any:
            positions = positions - positions.mean(axis=0)[None, :] if self.free else positions
            square = jnp.sum(positions**2, axis=-1)
            return 0.5 * jnp.sum(self.stiffness[None, :] * positions**2, axis=-1) + 0.25 * self.quartic * square**2

        atomic, pull_back = jax.vjp(energies, system.positions)
        zeros = jnp.zeros_like(atomic)
        return Prediction(
            energy=atomic.sum(),
            energy_terms={"well": atomic.sum()},
            atomic_energies=atomic,
            forces=-pull_back(jnp.ones_like(atomic))[0],
            stress=None,
            charges=zeros,
            hirshfeld_ratios=zeros,
            dipole=jnp.zeros_like(system.positions[0]),
        )


@pytest.fixture
def wells() -> type[Wells]:
    return Wells
