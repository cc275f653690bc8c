"""The short steps that integrators are composed of, and their composition.

| symbol | piece | what it does |
|---|---|---|
| B | `Kick` | p <- p + t F |
| A | `Drift` | r <- r + t p / m |
| F | `Evaluate` | F <- F(r) |
| O, N, V, C | the baths in `thermostats/` and `barostats/` | exchange heat or volume with the surroundings |

Each piece acts for its fraction t of the time step dt. Kicks and thermostats are followed by the projection on the
motions that are allowed (`freedom.py`), drifts end on the constraints: with Langevin's O this is the geodesic BAOAB of
Leimkuhler and Matthews (Proc. R. Soc. A 472, 20160138 (2016)).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple, Protocol, runtime_checkable

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from helio.prediction import Prediction
from helio.simulate.freedom import Freedom
from helio.simulate.state import State
from helio.system import System

ForceFunction = Callable[[System], Prediction]


class Surroundings(NamedTuple):
    """What a piece may use besides the state."""

    timestep: Float[Array, ""]  # sqrt(amu A^2/eV)
    freedom: Freedom
    force_fn: ForceFunction


class Piece(Protocol):
    """One short step; those that change the cell say so by `moves_cell = True`."""

    def __call__(self, state: State, around: Surroundings) -> State:
        """The state after the piece has acted for its fraction of the time step."""
        ...


@runtime_checkable
class Bath(Protocol):
    """A piece with variables of its own, kept in `State.baths` under its name."""

    name: str

    def init(self, state: State) -> Any:
        """The variables at the start."""
        ...

    def energy(self, state: State) -> Float[Array, ""]:
        """What is added to the total energy of the system on this bath's behalf to get the conserved quantity, eV."""
        ...

    def __call__(self, state: State, around: Surroundings) -> State:
        """The state after the bath has acted for its fraction of the time step."""
        ...


class Kick(eqx.Module):
    """B: the present forces act."""

    fraction: float = eqx.field(static=True)

    def __call__(self, state: State, around: Surroundings) -> State:  # noqa: D102
        moved = replace(state, momenta=state.momenta + self.fraction * around.timestep * state.prediction.forces)
        return around.freedom.project(moved)


class Drift(eqx.Module):
    """A: free flight."""

    fraction: float = eqx.field(static=True)

    def __call__(self, state: State, around: Surroundings) -> State:  # noqa: D102
        return around.freedom.drift(state, self.fraction * around.timestep)


class Evaluate(eqx.Module):
    """F: the prediction, and with it the forces, at the present positions."""

    def __call__(self, state: State, around: Surroundings) -> State:  # noqa: D102
        return replace(state, prediction=around.force_fn(state.system))


class Composition(eqx.Module):
    """A time step: pieces in their order, exactly one of which is `Evaluate`."""

    timestep: Float[Array, ""]  # sqrt(amu A^2/eV)
    freedom: Freedom
    pieces: tuple[Piece, ...]

    @property
    def baths(self) -> dict[str, Bath]:
        """The baths by name, each once."""
        return {piece.name: piece for piece in self.pieces if isinstance(piece, Bath)}

    @property
    def moves_cell(self) -> bool:
        """Whether the cell changes."""
        return any(getattr(piece, "moves_cell", False) for piece in self.pieces)

    def init(self, state: State) -> State:
        """The state with allowed momenta and the baths' variables."""
        state = self.freedom.project(replace(state, baths={}))
        return replace(state, baths={name: bath.init(state) for name, bath in self.baths.items()})

    def step(self, state: State, force_fn: ForceFunction) -> State:
        """The state one time step later."""
        around = Surroundings(self.timestep, self.freedom, force_fn)
        for piece in self.pieces:
            state = piece(state, around)
        return state

    def extra_energy(self, state: State) -> Float[Array, ""]:
        """What is added to the total energy to get the conserved quantity, in eV."""
        return sum((bath.energy(state) for bath in self.baths.values()), start=jnp.zeros_like(state.degrees_of_freedom))
