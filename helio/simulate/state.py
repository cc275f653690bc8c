"""A system in motion.

| symbol | variable | unit |
|---|---|---|
| p_i | `momenta` | sqrt(amu eV) |
| m_i | `system.masses` | amu |
| K = sum p_i^2 / 2 m_i | `kinetic_energy` | eV |
| N_f | `degrees_of_freedom` | |
| k_B T = 2 K / N_f | `thermal_energy` | eV |
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, UInt32

from helio.prediction import Prediction
from helio.system import System


class State(eqx.Module):
    """All that the next step depends on; leaves are JAX arrays.

    Positions are unwrapped. `prediction` belongs to the positions of `system`, and its forces start the next step.
    """

    system: System
    momenta: Float[Array, "N 3"]  # sqrt(amu eV)
    prediction: Prediction
    thermostat: Any  # what the integrator carries from step to step
    key: UInt32[Array, " 2"]
    step: Int[Array, ""]
    degrees_of_freedom: Float[Array, ""]

    @property
    def velocities(self) -> Float[Array, "N 3"]:
        """In A per sqrt(amu A^2/eV)."""
        return self.momenta / self.system.masses[:, None]

    @property
    def kinetic_energy(self) -> Float[Array, ""]:
        """In eV."""
        return 0.5 * jnp.sum(self.momenta * self.velocities)

    @property
    def thermal_energy(self) -> Float[Array, ""]:
        """k_B T in eV, from the kinetic energy."""
        return 2 * self.kinetic_energy / jnp.maximum(self.degrees_of_freedom, 1)

    def with_positions(self, positions: Float[Array, "N 3"]) -> State:
        """The same state elsewhere; its prediction no longer belongs to it until it is replaced."""
        return replace(self, system=eqx.tree_at(lambda system: system.positions, self.system, positions))


def thermal_momenta(key: UInt32[Array, " 2"], system: System, thermal_energy: Float[Array, ""]) -> Float[Array, "N 3"]:
    """Momenta drawn from the Maxwell-Boltzmann distribution exp(-p^2 / 2 m k_B T); zero for padding atoms."""
    noise = jax.random.normal(key, system.positions.shape, system.positions.dtype)
    width = jnp.where(system.atom_mask, jnp.sqrt(system.masses * thermal_energy), 0)
    return noise * width[:, None]
