"""Stochastic velocity rescaling (Bussi, Donadio and Parrinello, J. Chem. Phys. 126, 014101 (2007), eq. A7).

| symbol | variable |
|---|---|
| dt | `time` |
| tau | `relaxation_time` |
| c = exp(-dt / tau) | `kept` |
| K, K_t = N_f k_B T / 2 | `kinetic`, `target` |
| R_1 | `first` |
| sum_(i=2..N_f) R_i^2 | `others` |
| alpha^2 | `square` |
| heat taken from the bath | the bath's variable |

All momenta are scaled by alpha, such that K follows a stochastic equation whose stationary distribution is the
canonical one: alpha^2 = c + (1 - c) (K_t / N_f K) (R_1^2 + sum R_i^2) + 2 R_1 sqrt(c (1 - c) K_t / N_f K).
"""

from __future__ import annotations

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from helio.simulate.schedule import Schedule
from helio.simulate.state import State
from helio.simulate.steps import Surroundings


class StochasticRescaling(eqx.Module):
    """One random factor for all momenta: disturbs the dynamics little; does not mix kinetic energy between atoms."""

    thermal_energy: Schedule  # k_B T in eV
    relaxation_time: Float[Array, ""]  # sqrt(amu A^2/eV)
    fraction: float = eqx.field(static=True, default=1.0)
    name: str = eqx.field(static=True, default="thermostat")

    def init(self, state: State) -> Float[Array, ""]:
        """No heat exchanged yet."""
        return jnp.zeros_like(state.degrees_of_freedom)

    def energy(self, state: State) -> Float[Array, ""]:
        """Minus the heat taken, in eV."""
        return -state.baths[self.name]

    def __call__(self, state: State, around: Surroundings) -> State:
        """Scale all momenta."""
        kinetic, freedom = state.kinetic_energy, state.degrees_of_freedom
        kept = jnp.exp(-self.fraction * around.timestep / self.relaxation_time)
        key_first, key_others = jax.random.split(state.random_key(0))
        first = jax.random.normal(key_first, (), kinetic.dtype)
        # A sum of n squared normal numbers is twice a gamma variate of shape n / 2.
        others = 2 * jax.random.gamma(key_others, jnp.maximum(freedom - 1, 0) / 2 + _TINY, dtype=kinetic.dtype)
        ratio = 0.5 * self.thermal_energy(state) / jnp.where(kinetic > 0, kinetic, 1)
        square = kept + (1 - kept) * ratio * (first**2 + others) + 2 * first * jnp.sqrt(kept * (1 - kept) * ratio)
        scale = jnp.sqrt(jnp.maximum(square, 0)) * _sign(first, kept, ratio)
        scale = jnp.where(kinetic > 0, scale, 1)  # atoms at rest cannot be scaled into motion
        heat = (scale * scale - 1) * kinetic
        return replace(state, momenta=scale * state.momenta).with_bath(self.name, state.baths[self.name] + heat)


# Keeps the shape of the gamma distribution positive where there is a single degree of freedom.
_TINY = 1e-6


def _sign(first: Array, kept: Array, ratio: Array) -> Float[Array, ""]:
    """Sign of alpha (eq. A8): that of R_1 + sqrt(c K N_f / (1 - c) K_t); matters for very few degrees of freedom."""
    lost = jnp.maximum(1 - kept, jnp.finfo(kept.dtype).tiny)
    return jnp.where(first + jnp.sqrt(kept / (lost * jnp.maximum(ratio, jnp.finfo(ratio.dtype).tiny))) >= 0, 1, -1)
