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
    baths: dict[str, Any]  # what thermostat and barostat carry from step to step, by the bath's name
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

    def with_positions(self, positions: Float[Array, "N 3"], cell: Float[Array, "3 3"] | None = None) -> State:
        """The same state elsewhere; its prediction no longer belongs to it until it is replaced."""
        cell = self.system.cell if cell is None else cell
        system = eqx.tree_at(lambda system: (system.positions, system.cell), self.system, (positions, cell))
        return replace(self, system=system)

    def with_bath(self, name: str, variables: Any) -> State:
        """The same state with new variables of one bath."""
        return replace(self, baths=self.baths | {name: variables})

    def random_key(self, stream: int) -> UInt32[Array, " 2"]:
        """The key of this step for one of several independent streams of random numbers."""
        return jax.random.fold_in(jax.random.fold_in(self.key, self.step), stream)


def thermal_momenta(key: UInt32[Array, " 2"], system: System, thermal_energy: Float[Array, ""]) -> Float[Array, "N 3"]:
    """Momenta drawn from the Maxwell-Boltzmann distribution exp(-p^2 / 2 m k_B T); zero for padding atoms."""
    noise = jax.random.normal(key, system.positions.shape, system.positions.dtype)
    width = jnp.where(system.atom_mask, jnp.sqrt(system.masses * thermal_energy), 0)
    return noise * width[:, None]
