"""Constant pressure by a moving cell (Martyna, Tobias and Klein, J. Chem. Phys. 101, 4177 (1994)).

The splitting is that of Tuckerman et al., J. Phys. A 39, 5629 (2006) and Yu et al., Chem. Phys. 370, 294 (2010).

| symbol | variable |
|---|---|
| p_g, symmetric, in the space of the allowed strains | `Cell.momentum` |
| W_g = (N_f + 3) k_B T tau^2 / 3 | `mass` |
| nu = p_g / W_g | `rate` |
| what drives p_g | `CellMotion.force` |
| phi_1(M) = (exp(M) - 1) / M | `mean_exponential` |

    r' = p / m + nu r,   p' = F - nu p - (Tr nu / N_f) p,   h' = nu h,
    p_g' = projection of [sum p p / m - V sigma + (sum p^2 / m) / N_f - d(P V - gamma A)/d strain]

with one chain of thermostats for the atoms and one for the cell. H + p_g : p_g / 2 W_g + P V - gamma A + the chains'
energies is conserved to O(dt^2). With one isotropic mode the equations are those of the scalar barostat of mass 3 W_g.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from helio.simulate.barostats.coupling import Coupling, OuterPressure
from helio.simulate.barostats.matrices import exponential, mean_exponential
from helio.simulate.pressure import kinetic_tensor, stress_times_volume
from helio.simulate.schedule import Schedule
from helio.simulate.state import State
from helio.simulate.steps import Surroundings
from helio.simulate.thermostats.nose_hoover import Chain

_ATOMS, _CELL = "thermostat", "barostat"
_CHAIN_LENGTH = 3


class Cell(eqx.Module):
    """The cell in motion, and the chain that controls its temperature."""

    momentum: Float[Array, "3 3"]
    chain: Chain


class CellMotion(eqx.Module):
    """What all pieces of the scheme share."""

    outer: OuterPressure
    thermal_energy: Schedule  # k_B T in eV, above zero
    thermostat_time: Float[Array, ""]  # sqrt(amu A^2/eV)
    barostat_time: Float[Array, ""]
    coupling: Coupling = eqx.field(static=True, default=Coupling.ISOTROPIC)

    def mass(self, state: State) -> Float[Array, ""]:
        """W_g in amu A^2."""
        return (state.degrees_of_freedom + 3) * self.thermal_energy(state) * self.barostat_time**2 / 3

    def rate(self, state: State) -> Float[Array, "3 3"]:
        """nu, the strain per time."""
        return state.baths[_CELL].momentum / self.mass(state)

    def force(self, state: State) -> Float[Array, "3 3"]:
        """What drives p_g, in eV."""
        kinetic = kinetic_tensor(state)
        one = jnp.eye(3, dtype=kinetic.dtype)
        thermal = jnp.trace(kinetic) / jnp.maximum(state.degrees_of_freedom, 1) * one
        everything = kinetic + thermal - stress_times_volume(state) - self.outer.strain_derivative(state)
        modes = jnp.asarray(self.coupling.modes, kinetic.dtype)
        return jnp.einsum("a,aij->ij", jnp.einsum("aij,ij->a", modes, everything), modes)


class ChainsOfBoth(eqx.Module):
    """N: the chains act on the atoms' momenta and on the cell's."""

    motion: CellMotion
    fraction: float = eqx.field(static=True, default=0.5)
    name: str = eqx.field(static=True, default=_ATOMS)

    def init(self, state: State) -> Chain:
        """A chain at rest."""
        return Chain.at_rest(_CHAIN_LENGTH, state.momenta.dtype)

    def energy(self, state: State) -> Float[Array, ""]:
        """The energy of the atoms' chain, in eV."""
        return state.baths[_ATOMS].energy(**self._atoms(state))

    def __call__(self, state: State, around: Surroundings) -> State:
        """Scale both kinds of momenta."""
        time, cell = self.fraction * around.timestep, state.baths[_CELL]
        chain, scale = state.baths[_ATOMS].act(2 * state.kinetic_energy, time, **self._atoms(state))
        twice_kinetic = jnp.sum(cell.momentum**2) / self.motion.mass(state)
        cell_chain, cell_scale = cell.chain.act(twice_kinetic, time, **cell_control(self.motion, state))
        state = replace(state, momenta=scale * state.momenta).with_bath(_ATOMS, chain)
        return state.with_bath(_CELL, Cell(cell_scale * cell.momentum, cell_chain))

    def _atoms(self, state: State) -> dict[str, Array]:
        kt = self.motion.thermal_energy(state)
        return {"freedom": state.degrees_of_freedom, "kt": kt, "tau": self.motion.thermostat_time}


def cell_control(motion: CellMotion, state: State) -> dict[str, Array]:
    """What the cell's chain controls."""
    modes = jnp.asarray(len(motion.coupling.modes), state.momenta.dtype)
    return {"freedom": modes, "kt": motion.thermal_energy(state), "tau": motion.barostat_time}


class CellKick(eqx.Module):
    """G: the difference between inner and outer pressure acts on the cell's momentum."""

    motion: CellMotion
    fraction: float = eqx.field(static=True, default=0.5)
    name: str = eqx.field(static=True, default=_CELL)

    def init(self, state: State) -> Cell:
        """A cell at rest."""
        return Cell(jnp.zeros((3, 3), state.momenta.dtype), Chain.at_rest(_CHAIN_LENGTH, state.momenta.dtype))

    def energy(self, state: State) -> Float[Array, ""]:
        """Kinetic energy of the cell, P V and the energy of its chain, in eV."""
        cell = state.baths[_CELL]
        kinetic = 0.5 * jnp.sum(cell.momentum**2) / self.motion.mass(state)
        return kinetic + self.motion.outer.energy(state) + cell.chain.energy(**cell_control(self.motion, state))

    def __call__(self, state: State, around: Surroundings) -> State:
        """Push the cell."""
        cell = state.baths[_CELL]
        momentum = cell.momentum + self.fraction * around.timestep * self.motion.force(state)
        return state.with_bath(_CELL, Cell(momentum, cell.chain))


class MomentumKick(eqx.Module):
    """B: the forces and the drag of the moving cell act on the momenta, exactly for a constant rate."""

    motion: CellMotion
    fraction: float = eqx.field(static=True, default=0.5)

    def __call__(self, state: State, around: Surroundings) -> State:  # noqa: D102
        time, rate = self.fraction * around.timestep, self.motion.rate(state)
        one = jnp.eye(3, dtype=rate.dtype)
        drag = -time * (rate + jnp.trace(rate) / jnp.maximum(state.degrees_of_freedom, 1) * one)
        momenta = state.momenta @ exponential(drag) + time * state.prediction.forces @ mean_exponential(drag)
        return around.freedom.project(replace(state, momenta=momenta))


class CellDrift(eqx.Module):
    """A: atoms and cell move, exactly for constant momenta."""

    motion: CellMotion
    fraction: float = eqx.field(static=True, default=1.0)
    moves_cell: ClassVar[bool] = True

    def __call__(self, state: State, around: Surroundings) -> State:  # noqa: D102
        time = self.fraction * around.timestep
        strain = time * self.motion.rate(state)
        stretch = exponential(strain)
        positions = state.system.positions @ stretch + time * state.velocities @ mean_exponential(strain)
        return state.with_positions(positions, state.system.cell @ stretch)
