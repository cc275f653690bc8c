"""Constant energy: velocity Verlet, B A B (Swope et al., J. Chem. Phys. 76, 637 (1982)).

| symbol | variable |
|---|---|
| dt | `timestep` |
| B, A | `steps.kick`, `steps.drift` |

Symplectic and reversible; the energy it conserves differs from the true one by O(dt^2).
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from helio.simulate.state import State
from helio.simulate.steps import ForceFunction, drift, evaluate, kick, rest_center


class VelocityVerlet(eqx.Module):
    """p += dt/2 F; r += dt p/m; F = F(r); p += dt/2 F."""

    timestep: Float[Array, ""]  # sqrt(amu A^2/eV)
    fixed_center: bool = eqx.field(static=True, default=True)

    def init(self, state: State) -> State:
        """No variables besides positions and momenta."""
        return state

    def step(self, state: State, force_fn: ForceFunction) -> State:
        """One time step."""
        state = kick(state, 0.5 * self.timestep)
        state = drift(state, self.timestep)
        state = evaluate(state, force_fn)
        state = kick(state, 0.5 * self.timestep)
        return rest_center(state) if self.fixed_center else state

    def extra_energy(self, state: State) -> Float[Array, ""]:
        """What is added to the total energy to get the conserved quantity: nothing."""
        return jnp.zeros_like(state.degrees_of_freedom)
