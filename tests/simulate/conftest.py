"""Potentials that cost nothing."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

from helio.neighbors import (
    NeighborList,
    NeighborPlans,
    Neighbors,
    Plan,
    device_list,
    half_pairs,
    plan_list,
    trimmed,
)
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

    def make_list(self, system: System, plan: Plan) -> NeighborList:
        return device_list(system.positions, system.cell, system.atom_mask, system.pbc, plan)

    def placed(self, pairs: NeighborList) -> NeighborList:
        return pairs

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


class SoftSpheres(eqx.Module):
    """E = sum over pairs of k (1 - r / c)^2 / 2 within each of two cutoffs c, one per list; c in A, k in eV."""

    stiffness: Any
    short_cutoff: float = eqx.field(static=True, default=2.0)
    long_cutoff: float = eqx.field(static=True, default=3.0)

    def plan(self, system: System, *, short_skin: float, long_skin: float, spare: float, all_within: bool) -> Any:
        where = system.positions, system.cell, system.pbc
        short = plan_list(*where, cutoff=self.short_cutoff + short_skin, half=True, spare=spare)
        long = plan_list(*where, cutoff=self.long_cutoff + long_skin, half=True, spare=spare)
        places = short.half_pairs or 0
        within = places if all_within else places * 2 // 3
        return NeighborPlans(short, long, short_skin, long_skin, short_within=within)

    def make_list(self, system: System, plan: Plan) -> NeighborList:
        return device_list(system.positions, system.cell, system.atom_mask, system.pbc, plan)

    def placed(self, pairs: NeighborList) -> NeighborList:
        return pairs

    def __call__(self, system: System, neighbors: Neighbors) -> Prediction:
        one = jnp.eye(3, dtype=system.cell.dtype)

        def energy(positions: Any, strain: Any) -> Any:
            where = positions @ (one + strain), system.cell @ (one + strain)
            short = half_pairs(neighbors.short, *where)
            short, crowded = trimmed(short, cutoff=self.short_cutoff, size=neighbors.short_within, count=len(positions))
            total = self._pairs(short, self.short_cutoff) + self._pairs(
                half_pairs(neighbors.long, *where), self.long_cutoff
            )
            return jnp.where(crowded, jnp.nan, total)

        value, (gradient, virial) = jax.value_and_grad(energy, argnums=(0, 1))(system.positions, 0 * one)
        zeros = jnp.zeros_like(system.masses)
        return Prediction(
            energy=value,
            energy_terms={"pairs": value},
            atomic_energies=zeros + value / len(system),
            forces=-gradient,
            stress=0.5 * (virial + virial.T) / system.volume,
            charges=zeros,
            hirshfeld_ratios=zeros,
            dipole=jnp.zeros_like(system.positions[0]),
        )

    def _pairs(self, pairs: Any, cutoff: float) -> Any:
        square = jnp.sum(pairs.vectors**2, axis=-1)
        inside = pairs.mask & (square < cutoff**2)
        distance = jnp.sqrt(jnp.where(inside, square, cutoff**2))
        return 0.5 * self.stiffness * jnp.sum((1 - distance / cutoff) ** 2)


@pytest.fixture
def wells() -> type[Wells]:
    return Wells


@pytest.fixture(scope="session")
def soft_spheres() -> type[SoftSpheres]:
    return SoftSpheres
