"""Stochastic cell rescaling (Bernetti and Bussi, J. Chem. Phys. 153, 114107 (2020)).

For cells of any shape see Del Tatto et al., Appl. Sci. 12, 1139 (2022).

| symbol | variable |
|---|---|
| dt | `time` |
| P - P_0, as V times it | `excess` |
| B_a | `modes` |
| beta | `compressibility` |
| tau | `relaxation_time` |
| D | `mobility` |
| energy taken from the bath, and V_0 | `CellHeat` |

The cell makes a Brownian motion in the space of the allowed strains, eps = sum_a B_a x_a:

    dx_a = D [V B_a : (P - P_0) / k_B T + Tr B_a] dt + sqrt(2 D) dW_a,    D = beta k_B T / (3 V_0 tau)

For one isotropic mode and V = V_0 this is d ln V = (beta/tau) (P - P_0 + k_B T / V) dt + ..., the first equation of
Bernetti and Bussi. D is kept constant with the volume V_0 at the start: then the noise does not depend on the state
and the stationary distribution is exact, at the price of a relaxation time that is tau only near V_0. Cell and group
centres are strained by exp(eps), the groups' momenta by exp(-eps).

The potential energy changes by V sigma : eps / 2 with V sigma before, and as much with V sigma after the strain. The
latter comes with the next forces, so that the second half is known to the next step; of first order alone the error
would grow with the time, whatever the time step, as eps^2 is proportional to dt.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from helio.simulate.barostats.coupling import Coupling, OuterPressure
from helio.simulate.barostats.matrices import exponential
from helio.simulate.constraints import Constraints
from helio.simulate.pressure import group_centers, group_velocities, kinetic_tensor, stress_times_volume
from helio.simulate.schedule import Schedule
from helio.simulate.state import State
from helio.simulate.steps import Surroundings


class CellHeat(eqx.Module):
    """What the barostat carries."""

    taken: Float[Array, ""]  # change of the system's energy and of P V by the barostat, eV
    start_volume: Float[Array, ""]  # A^3
    strain: Float[Array, "3 3"]  # the last one
    resistance: Float[Array, "3 3"]  # V sigma before it, eV


class StochasticCell(eqx.Module):
    """First-order and stochastic: no oscillations of the volume, right fluctuations."""

    outer: OuterPressure
    thermal_energy: Schedule  # k_B T in eV
    relaxation_time: Float[Array, ""]  # sqrt(amu A^2/eV)
    compressibility: Float[Array, ""]  # A^3/eV; sets the speed together with the relaxation time
    coupling: Coupling = eqx.field(static=True, default=Coupling.ISOTROPIC)
    fraction: float = eqx.field(static=True, default=1.0)
    name: str = eqx.field(static=True, default="barostat")
    moves_cell: ClassVar[bool] = True

    def init(self, state: State) -> CellHeat:
        """Nothing exchanged yet."""
        nothing = jnp.zeros((3, 3), state.momenta.dtype)
        return CellHeat(jnp.zeros_like(state.degrees_of_freedom), state.system.volume, nothing, nothing)

    def energy(self, state: State) -> Float[Array, ""]:
        """P V minus what was taken, in eV."""
        return self.outer.energy(state) - state.baths[self.name].taken

    def __call__(self, state: State, around: Surroundings) -> State:
        """Strain the cell and everything in it."""
        constraints = around.freedom.constraints
        heat, kt = state.baths[self.name], self.thermal_energy(state)
        modes = jnp.asarray(self.coupling.modes, state.momenta.dtype)
        resistance = stress_times_volume(state, constraints)
        excess = kinetic_tensor(state, constraints) - resistance - self.outer.strain_derivative(state)
        time = self.fraction * around.timestep
        mobility = self.compressibility * kt / (3 * heat.start_volume * self.relaxation_time)
        drift = jnp.einsum("aij,ij->a", modes, excess) / kt + jnp.trace(modes, axis1=1, axis2=2)
        noise = jax.random.normal(state.random_key(1), drift.shape, drift.dtype)
        amount = mobility * time * drift + jnp.sqrt(2 * mobility * time) * noise
        strain = jnp.einsum("a,aij->ij", amount, modes)
        after = _strained(state, strain, constraints)
        gained = (
            after.kinetic_energy
            - state.kinetic_energy
            + self.outer.energy(after)
            - self.outer.energy(state)
            + jnp.sum(resistance * strain)
            + 0.5 * jnp.sum((resistance - heat.resistance) * heat.strain)  # what the last strain's second half adds
        )
        return after.with_bath(self.name, CellHeat(heat.taken + gained, heat.start_volume, strain, resistance))


def _strained(state: State, strain: Float[Array, "3 3"], constraints: Constraints | None) -> State:
    stretch, shrink = exponential(strain), exponential(-strain)
    one = jnp.eye(3, dtype=strain.dtype)
    positions = state.system.positions + group_centers(state, constraints) @ (stretch - one)
    group_part = state.system.masses[:, None] * group_velocities(state, constraints)
    momenta = state.momenta + group_part @ (shrink - one)
    return replace(state, momenta=momenta).with_positions(positions, state.system.cell @ stretch)
