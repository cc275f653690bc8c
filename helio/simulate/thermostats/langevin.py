"""Langevin's friction and noise, O in B A O A B (Leimkuhler and Matthews, J. Chem. Phys. 138, 174102 (2013)).

| symbol | variable |
|---|---|
| dt | `time` |
| gamma | `friction` |
| k_B T | `thermal_energy` |
| c = exp(-gamma dt) | `kept` |
| R | `noise` |
| heat taken from the bath | the bath's variable |

p <- c p + sqrt(m k_B T (1 - c^2)) R, exact for any gamma dt.
"""

from __future__ import annotations

from dataclasses import replace

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from helio.simulate.schedule import Schedule
from helio.simulate.state import State, thermal_momenta
from helio.simulate.steps import Surroundings


class Langevin(eqx.Module):
    """Friction and noise on every atom: ergodic and local; slows diffusion by the friction."""

    thermal_energy: Schedule  # k_B T in eV
    friction: Float[Array, ""]  # 1 / sqrt(amu A^2/eV)
    fraction: float = eqx.field(static=True, default=1.0)
    name: str = eqx.field(static=True, default="thermostat")

    def init(self, state: State) -> Float[Array, ""]:
        """No heat exchanged yet."""
        return jnp.zeros_like(state.degrees_of_freedom)

    def energy(self, state: State) -> Float[Array, ""]:
        """Minus the heat taken, in eV."""
        return -state.baths[self.name]

    def __call__(self, state: State, around: Surroundings) -> State:
        """Friction and noise, exactly over the time."""
        time = self.fraction * around.timestep
        kept = jnp.exp(-self.friction * time)
        width = self.thermal_energy(state) * (1 - kept * kept)
        noise = thermal_momenta(state.random_key(0), state.system, width)
        after = around.freedom.project(replace(state, momenta=kept * state.momenta + noise))
        heat = after.kinetic_energy - state.kinetic_energy
        return after.with_bath(self.name, state.baths[self.name] + heat)
