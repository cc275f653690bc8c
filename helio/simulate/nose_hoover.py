"""Constant temperature: Nose-Hoover chains (Martyna et al., Mol. Phys. 87, 1117 (1996), section 3).

| symbol | variable |
|---|---|
| dt | `timestep` |
| k_B T | `thermal_energy` |
| tau | `relaxation_time` |
| xi_k, v_k | `Chain.positions`, `Chain.velocities` |
| Q_1 = N_f k_B T tau^2, Q_k = k_B T tau^2 | `masses` |
| G_k | `force` |
| w_j | `WEIGHTS` |

The chain acts for dt/2 before and after a velocity Verlet step, itself integrated by a Suzuki-Yoshida splitting of
fourth order into `WEIGHTS`. H + sum Q_k v_k^2 / 2 + N_f k_B T xi_1 + k_B T sum_(k>1) xi_k is conserved to O(dt^2).
"""

from __future__ import annotations

from dataclasses import replace

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from helio.simulate.state import State
from helio.simulate.steps import ForceFunction, drift, evaluate, kick, rest_center

# w_1 = w_3 = 1 / (2 - 2^(1/3)), w_2 = 1 - 2 w_1 (Yoshida, Phys. Lett. A 150, 262 (1990))
_OUTER = 1 / (2 - 2 ** (1 / 3))
WEIGHTS = (_OUTER, 1 - 2 * _OUTER, _OUTER)


class Chain(eqx.Module):
    """The thermostats of the chain, the first of which touches the atoms."""

    positions: Float[Array, " C"]  # xi, without unit
    velocities: Float[Array, " C"]  # per sqrt(amu A^2/eV)


class NoseHoover(eqx.Module):
    """A chain of Nose-Hoover thermostats around velocity Verlet: deterministic and reversible."""

    timestep: Float[Array, ""]  # sqrt(amu A^2/eV)
    thermal_energy: Float[Array, ""]  # k_B T in eV
    relaxation_time: Float[Array, ""]  # sqrt(amu A^2/eV)
    fixed_center: bool = eqx.field(static=True, default=True)
    length: int = eqx.field(static=True, default=3)

    def init(self, state: State) -> State:
        """A chain at rest."""
        zeros = jnp.zeros(self.length, state.momenta.dtype)
        return replace(state, thermostat=Chain(zeros, zeros))

    def step(self, state: State, force_fn: ForceFunction) -> State:
        """One time step."""
        state = self._bath(state)
        state = kick(state, 0.5 * self.timestep)
        state = drift(state, self.timestep)
        state = evaluate(state, force_fn)
        state = kick(state, 0.5 * self.timestep)
        state = rest_center(state) if self.fixed_center else state
        return self._bath(state)

    def extra_energy(self, state: State) -> Float[Array, ""]:
        """What is added to the total energy to get the conserved quantity: the chain's energy, in eV."""
        chain, kt = state.thermostat, self.thermal_energy
        kinetic = 0.5 * jnp.sum(self._masses(state) * chain.velocities**2)
        return kinetic + kt * (state.degrees_of_freedom * chain.positions[0] + jnp.sum(chain.positions[1:]))

    def _masses(self, state: State) -> Float[Array, " C"]:
        single = self.thermal_energy * self.relaxation_time**2
        return single * jnp.ones(self.length, single.dtype).at[0].set(jnp.maximum(state.degrees_of_freedom, 1))

    def _bath(self, state: State) -> State:
        """The chain acts on the momenta for half a time step."""
        masses, kt = self._masses(state), self.thermal_energy
        xi, velocities = state.thermostat.positions, list(state.thermostat.velocities)
        twice_kinetic = 2 * state.kinetic_energy
        scale = jnp.ones_like(twice_kinetic)
        last = self.length - 1

        def force(link: int) -> Float[Array, ""]:
            if link == 0:
                return (scale * scale * twice_kinetic - state.degrees_of_freedom * kt) / masses[0]
            return (masses[link - 1] * velocities[link - 1] ** 2 - kt) / masses[link]

        def push(link: int, time: Float[Array, ""]) -> None:
            """The links beyond drag this one, and the one before (or the atoms) drives it."""
            drag = jnp.exp(-0.5 * time * velocities[link + 1]) if link < last else jnp.ones_like(time)
            velocities[link] = (velocities[link] * drag + time * force(link)) * drag

        for weight in WEIGHTS:
            half = 0.5 * weight * self.timestep  # duration of this part of the half step
            for link in range(last, -1, -1):
                push(link, 0.5 * half)
            scale = scale * jnp.exp(-half * velocities[0])
            xi = xi + half * jnp.stack(velocities)
            for link in range(last + 1):
                push(link, 0.5 * half)
        return replace(state, momenta=scale * state.momenta, thermostat=Chain(xi, jnp.stack(velocities)))
