"""Signs that a molecule has come apart although its energy is still a number."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from ase import Atoms
from jaxtyping import Array, Float, Int

from helio.neighbors import half_pairs
from helio.simulate.bonds import bonds
from helio.simulate.lists import ActiveLists
from helio.simulate.state import State


class StopConditions:
    """Looks at a state now and then."""

    def __init__(self, start: Atoms, *, closest: float, break_bond_beyond: float | None) -> None:
        """Prepare to watch.

        Args:
            start: the structure at step 0, which says what is bonded.
            closest: in A, the shortest distance that two atoms may have.
            break_bond_beyond: the longest that a bond may become, over its length in `start`; None for no limit.
        """
        self._symbols = start.get_chemical_symbols()
        self._closest, self._stretch = closest, break_bond_beyond
        if break_bond_beyond is not None:
            self._pairs, self._shifts = bonds(start)
            self._lengths = self._measured(start.positions, start.cell.array)

    def problem(self, state: State, lists: ActiveLists) -> str | None:
        """What is wrong with the state: two atoms too close, or a broken bond."""
        return self._overlap(state, lists) or self._broken_bond(state)

    def _overlap(self, state: State, lists: ActiveLists) -> str | None:
        distance, first, second = closest_pair(state, lists)
        if float(distance) >= self._closest:
            return None
        return f"{self._named(int(first), int(second))} are only {float(distance):.2f} A apart"

    def _broken_bond(self, state: State) -> str | None:
        if self._stretch is None or len(self._pairs) == 0:
            return None
        now = self._measured(np.asarray(state.system.positions), np.asarray(state.system.cell))
        worst = int(np.argmax(now / self._lengths))
        ratio = now[worst] / self._lengths[worst]
        if ratio <= self._stretch:
            return None
        named = self._named(*self._pairs[worst])
        return f"the bond of {named} is {now[worst]:.2f} A long, {ratio:.2f} times its length at the start"

    def _measured(self, positions: np.ndarray, cell: np.ndarray) -> np.ndarray:
        """Lengths of the bonds in A; positions are unwrapped, so a bond keeps its shift."""
        first, second = self._pairs.T
        return np.linalg.norm(positions[second] - positions[first] + self._shifts @ cell, axis=1)

    def _named(self, first: int, second: int) -> str:
        return f"atoms {first} ({self._symbols[first]}) and {second} ({self._symbols[second]})"


@eqx.filter_jit
def closest_pair(state: State, lists: ActiveLists) -> tuple[Float[Array, ""], Int[Array, ""], Int[Array, ""]]:
    """The shortest distance in A within the network's cutoff, infinite if there is none, and the two atoms."""
    order = jnp.arange(len(state.system), dtype=jnp.int32) if lists.order is None else lists.order
    system = state.system.taken(order)
    pairs = half_pairs(lists.neighbors.short, system.positions, system.cell)
    squares = jnp.where(pairs.mask, jnp.sum(pairs.vectors**2, axis=-1), jnp.inf)
    nearest = jnp.argmin(squares)
    return jnp.sqrt(squares[nearest]), order[pairs.first[nearest]], order[pairs.second[nearest]]
