"""Constant temperature: Langevin dynamics, B A O A B (Leimkuhler and Matthews, J. Chem. Phys. 138, 174102 (2013)).

| symbol | variable |
|---|---|
| dt | `timestep` |
| gamma | `friction` |
| k_B T | `thermal_energy` |
| c = exp(-gamma dt) | `kept` |
| R | `noise` |
| heat taken from the bath | `state.thermostat` |

O: p <- c p + sqrt(m k_B T (1 - c^2)) R, exact for any gamma dt. With the centre of mass at rest the step is followed by
the projection on zero total momentum, which keeps the canonical distribution of the 3N - 3 remaining momenta.
"""

from __future__ import annotations

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from helio.simulate.state import State, thermal_momenta
from helio.simulate.steps import ForceFunction, drift, evaluate, kick, rest_center


class Langevin(eqx.Module):
    """Langevin dynamics; H minus the heat taken from the bath is conserved to O(dt^2)."""

    timestep: Float[Array, ""]  # sqrt(amu A^2/eV)
    thermal_energy: Float[Array, ""]  # k_B T in eV
    friction: Float[Array, ""]  # 1 / sqrt(amu A^2/eV)
    fixed_center: bool = eqx.field(static=True, default=True)

    def init(self, state: State) -> State:
        """No heat exchanged yet."""
        return replace(state, thermostat=jnp.zeros_like(state.degrees_of_freedom))

    def step(self, state: State, force_fn: ForceFunction) -> State:
        """One time step."""
        state = kick(state, 0.5 * self.timestep)
        state = drift(state, 0.5 * self.timestep)
        state = self._bath(state)
        state = drift(state, 0.5 * self.timestep)
        state = evaluate(state, force_fn)
        return kick(state, 0.5 * self.timestep)

    def extra_energy(self, state: State) -> Float[Array, ""]:
        """What is added to the total energy to get the conserved quantity: minus the heat taken, in eV."""
        return -state.thermostat

    def _bath(self, state: State) -> State:
        """O: friction and noise, exactly over one time step."""
        before = state.kinetic_energy
        key = jax.random.fold_in(state.key, state.step)
        kept = jnp.exp(-self.friction * self.timestep)
        noise = thermal_momenta(key, state.system, self.thermal_energy * (1 - kept * kept))
        state = replace(state, momenta=kept * state.momenta + noise)
        state = rest_center(state) if self.fixed_center else state
        return replace(state, thermostat=state.thermostat + state.kinetic_energy - before)
