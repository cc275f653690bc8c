"""Nose-Hoover chains (Martyna et al., Mol. Phys. 87, 1117 (1996), section 3).

| symbol | variable |
|---|---|
| dt | `time` |
| k_B T | `thermal_energy`, `kt` |
| tau | `relaxation_time` |
| xi_k, v_k | `Chain.positions`, `Chain.velocities` |
| Q_1 = N_f k_B T tau^2, Q_k = k_B T tau^2 | `masses` |
| G_k | `force` |
| w_j | `WEIGHTS` |

The chain acts for dt/2 before and after everything else, itself integrated by a Suzuki-Yoshida splitting of fourth
order into `WEIGHTS`. H + sum Q_k v_k^2 / 2 + N_f k_B T xi_1 + k_B T sum_(k>1) xi_k is conserved to O(dt^2).
"""

from __future__ import annotations

from dataclasses import replace

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from helio.simulate.schedule import Schedule
from helio.simulate.state import State
from helio.simulate.steps import Surroundings

# w_1 = w_3 = 1 / (2 - 2^(1/3)), w_2 = 1 - 2 w_1 (Yoshida, Phys. Lett. A 150, 262 (1990))
_OUTER = 1 / (2 - 2 ** (1 / 3))
WEIGHTS = (_OUTER, 1 - 2 * _OUTER, _OUTER)


class Chain(eqx.Module):
    """A chain of thermostats, the first of which touches what it controls."""

    positions: Float[Array, " C"]  # xi, without unit
    velocities: Float[Array, " C"]  # per sqrt(amu A^2/eV)

    @classmethod
    def at_rest(cls, length: int, dtype: jnp.dtype) -> Chain:
        """A new chain."""
        return cls(jnp.zeros(length, dtype), jnp.zeros(length, dtype))

    def energy(self, *, freedom: Array, kt: Array, tau: Array) -> Float[Array, ""]:
        """Its part of the conserved quantity, in eV."""
        kinetic = 0.5 * jnp.sum(self._masses(freedom, kt, tau) * self.velocities**2)
        return kinetic + kt * (freedom * self.positions[0] + jnp.sum(self.positions[1:]))

    def act(
        self, twice_kinetic: Array, time: Array, *, freedom: Array, kt: Array, tau: Array
    ) -> tuple[Chain, Float[Array, ""]]:
        """The chain after `time`, and the factor by which it scales the `freedom` momenta that it controls."""
        masses = self._masses(freedom, kt, tau)
        xi, velocities = self.positions, list(self.velocities)
        scale = jnp.ones_like(twice_kinetic)
        last = len(velocities) - 1

        def force(link: int) -> Float[Array, ""]:
            if link == 0:
                return (scale * scale * twice_kinetic - freedom * kt) / masses[0]
            return (masses[link - 1] * velocities[link - 1] ** 2 - kt) / masses[link]

        def push(link: int, duration: Float[Array, ""]) -> None:
            """The links beyond drag this one, and the one before (or the atoms) drives it."""
            drag = jnp.exp(-0.5 * duration * velocities[link + 1]) if link < last else jnp.ones_like(duration)
            velocities[link] = (velocities[link] * drag + duration * force(link)) * drag

        for weight in WEIGHTS:
            part = weight * time
            for link in range(last, -1, -1):
                push(link, 0.5 * part)
            scale = scale * jnp.exp(-part * velocities[0])
            xi = xi + part * jnp.stack(velocities)
            for link in range(last + 1):
                push(link, 0.5 * part)
        return Chain(xi, jnp.stack(velocities)), scale

    def _masses(self, freedom: Array, kt: Array, tau: Array) -> Float[Array, " C"]:
        single = kt * tau**2
        return single * jnp.ones_like(self.positions).at[0].set(jnp.maximum(freedom, 1))


class NoseHooverChain(eqx.Module):
    """A chain for all atoms together: deterministic and reversible."""

    thermal_energy: Schedule  # k_B T in eV, above zero
    relaxation_time: Float[Array, ""]  # sqrt(amu A^2/eV)
    fraction: float = eqx.field(static=True, default=0.5)
    length: int = eqx.field(static=True, default=3)
    name: str = eqx.field(static=True, default="thermostat")

    def init(self, state: State) -> Chain:
        """A chain at rest."""
        return Chain.at_rest(self.length, state.momenta.dtype)

    def energy(self, state: State) -> Float[Array, ""]:
        """The chain's energy, in eV."""
        return state.baths[self.name].energy(
            freedom=state.degrees_of_freedom, kt=self.thermal_energy(state), tau=self.relaxation_time
        )

    def __call__(self, state: State, around: Surroundings) -> State:
        """The chain acts on all momenta."""
        chain, scale = state.baths[self.name].act(
            2 * state.kinetic_energy,
            self.fraction * around.timestep,
            freedom=state.degrees_of_freedom,
            kt=self.thermal_energy(state),
            tau=self.relaxation_time,
        )
        return replace(state, momenta=scale * state.momenta).with_bath(self.name, chain)
