"""Temperatures and pressures that change while a simulation goes on."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from helio.simulate.state import State


class Schedule(eqx.Module):
    """A quantity that is linear in time between given points, and constant before the first and after the last."""

    steps: Float[Array, " K"]  # ascending step numbers
    values: Float[Array, " K"]

    @classmethod
    def constant(cls, value: float | Array) -> Schedule:
        """The same at all times."""
        values = jnp.asarray(value)[None]
        return cls(jnp.zeros_like(values), values)

    def __call__(self, state: State) -> Float[Array, ""]:
        """The value at the state's step."""
        return jnp.interp(state.step.astype(self.steps.dtype), self.steps, self.values)

    @property
    def changes(self) -> bool:
        """Whether it is not a constant (host arrays)."""
        return bool((np.asarray(self.values) != np.asarray(self.values)[0]).any())
