"""The short steps that integrators are composed of.

| symbol | function | what it does |
|---|---|---|
| A | `drift` | r <- r + dt p / m |
| B | `kick` | p <- p + dt F |
| - | `evaluate` | F <- F(r) |
| - | `rest_center` | p_i <- p_i - m_i P / M: the centre of mass does not move |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import jax.numpy as jnp
from jaxtyping import Array, Float

from helio.prediction import Prediction
from helio.simulate.state import State
from helio.system import System

ForceFunction = Callable[[System], Prediction]


def drift(state: State, time: Float[Array, ""]) -> State:
    """A: free flight for `time`."""
    return state.with_positions(state.system.positions + time * state.velocities)


def kick(state: State, time: Float[Array, ""]) -> State:
    """B: the present forces act for `time`."""
    return replace(state, momenta=state.momenta + time * state.prediction.forces)


def evaluate(state: State, force_fn: ForceFunction) -> State:
    """Take the prediction, and with it the forces, at the present positions."""
    return replace(state, prediction=force_fn(state.system))


def rest_center(state: State) -> State:
    """Remove the motion of the centre of mass: the projection of p on zero total momentum, orthogonal in p^2/m."""
    masses = jnp.where(state.system.atom_mask, state.system.masses, 0)
    velocity = jnp.sum(state.momenta, axis=0) / jnp.sum(masses)
    return replace(state, momenta=state.momenta - masses[:, None] * velocity[None, :])
