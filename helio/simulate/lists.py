"""Neighbour lists that are made and watched on the device.

| symbol | variable |
|---|---|
| r_c, skin | `cutoff`, `skin` |
| r_i(0), h(0), where the list was made | `Watched.reference`, `Watched.cell` |
| F = h(0)^-1 h | `deformation` |
| u_i = r_i - r_i(0) F | what atoms moved besides following the cell |
| e >= abs(F^-1 - 1) | `shrunk` |

A pair that is closer than r_c now was closer than (1 + e) (r_c + 2 max u) when the list was made. So the list, made for
r_c + skin, is complete as long as that is no more than r_c + skin. Without a change of the cell, this is the rule
that no atom may have moved further than skin / 2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from helio.cells import inverse
from helio.neighbors import NeighborList, NeighborPlans, Neighbors, Plan
from helio.simulate.potential import Potential
from helio.system import System

Each = Callable[[Callable], Callable]
MakeList = Callable[[System, Plan], NeighborList]


class Watched(eqx.Module):
    """One list, where it was made, and whether it is made already."""

    pairs: NeighborList
    reference: Float[Array, "N 3"]  # A
    cell: Float[Array, "3 3"]  # A
    made: Bool[Array, ""]

    def room(self, system: System, *, cutoff: float, skin: float, cell_moves: bool = True) -> Float[Array, ""]:
        """How far (A) the atom that moved most could still move; negative where the list is no longer complete.

        NaN where positions are not numbers. Without `cell_moves` the cell must be that where the list was made.
        """
        if not cell_moves:
            return 0.5 * skin - jnp.sqrt(jnp.max(jnp.sum((system.positions - self.reference) ** 2, axis=-1)))
        deformation = inverse(self.cell) @ system.cell
        one = jnp.eye(3, dtype=self.cell.dtype)
        shrunk = jnp.sqrt(jnp.sum((inverse(deformation) - one) ** 2))
        moved = system.positions - self.reference - self.reference @ (deformation - one)
        farthest = jnp.sqrt(jnp.max(jnp.sum(moved**2, axis=-1)))
        return 0.5 * (skin - shrunk / (1 + shrunk) * (cutoff + skin)) - farthest

    def is_at(self, system: System) -> Bool[Array, ""]:
        """Whether the list was made, or is to be made, exactly where the atoms are."""
        return jnp.all(self.reference == system.positions) & jnp.all(self.cell == system.cell)

    def where(self, system: System) -> System:
        """The system where the list was made, or is to be made."""
        return eqx.tree_at(lambda s: (s.positions, s.cell), system, (self.reference, self.cell))

    def to_be_made(self, system: System, where: Bool[Array, ""]) -> Watched:
        """Marked to be made anew where the atoms are, if `where` is True."""
        return Watched(
            self.pairs,
            jnp.where(where, system.positions, self.reference),
            jnp.where(where, system.cell, self.cell),
            self.made & ~where,
        )


class ActiveLists(eqx.Module):
    """Both lists in use, the order of their rows, and their plans.

    The order is that of the place where the long list was made, and whenever it changes the short list is made anew.
    """

    short: Watched
    long: Watched
    order: Int[Array, " M"] | None
    plans: NeighborPlans

    @property
    def neighbors(self) -> Neighbors:
        """What the potential takes."""
        return self.plans.joined(self.short.pairs, self.long.pairs, self.order)

    def room(self, system: System, *, cell_moves: bool) -> Float[Array, ""]:
        """How far (A) the atom that moved most could still move before one of the lists is incomplete."""
        return jnp.minimum(*(room(system, cell_moves=cell_moves) for room in self._rooms))

    @property
    def _rooms(self) -> tuple[Callable[..., Float[Array, ""]], Callable[..., Float[Array, ""]]]:
        plans = self.plans
        return (
            partial(self.short.room, cutoff=plans.short.cutoff - plans.short_skin, skin=plans.short_skin),
            partial(self.long.room, cutoff=plans.long.cutoff - plans.long_skin, skin=plans.long_skin),
        )

    def fit_cell(self, system: System) -> Bool[Array, ""]:
        """Whether both lists were made in exactly this cell."""
        return jnp.all(self.short.cell == system.cell) & jnp.all(self.long.cell == system.cell)

    def are_at(self, system: System) -> Bool[Array, ""]:
        """Whether both lists were made exactly where the atoms are."""
        return self.short.is_at(system) & self.long.is_at(system)

    def marked(self, now: System, soon: System, all_of_them: Bool[Array, ""], *, cell_moves: bool) -> ActiveLists:
        """Lists to be made where the atoms are `now`: each that would not last until `soon`, or all of them."""
        short_ends, long_ends = (~(room(soon, cell_moves=cell_moves) >= 0) for room in self._rooms)
        new_long = (long_ends & ~self.long.is_at(now)) | all_of_them
        new_short = (short_ends & ~self.short.is_at(now)) | all_of_them
        if self.order is not None:
            new_short = new_short | new_long
        return replace(self, short=self.short.to_be_made(now, new_short), long=self.long.to_be_made(now, new_long))

    @property
    def places(self) -> dict[str, tuple[Array, Array]]:
        """Positions and cell (A) where each list was made: with the plans, all that it takes to make them again."""
        return {name: (w.reference, w.cell) for name, w in (("short", self.short), ("long", self.long))}

    def to_be_made_at(self, places: dict[str, tuple[Array, Array]]) -> ActiveLists:
        """The same lists, still to be made, at these places."""
        short, long = (
            Watched(watched.pairs, *places[name], jnp.zeros_like(watched.made))
            for name, watched in (("short", self.short), ("long", self.long))
        )
        return replace(self, short=short, long=long)

    @property
    def overflow(self) -> Bool[Array, ""]:
        """Whether a list did not fit its sizes."""
        return self.short.pairs.overflow | self.long.pairs.overflow


def blank_lists(potential: Potential, system: System, plans: NeighborPlans) -> ActiveLists:
    """Lists of a potential that are still to be made, where the atoms are."""

    def zeros(function: Callable[[System], Any]) -> Any:
        return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(function, system))

    def blank(plan: Plan) -> Watched:
        pairs = zeros(lambda s: potential.make_list(_in_order(s, _order(s, plans)), plan))
        return Watched(potential.placed(pairs), system.positions, system.cell, jnp.asarray(False))

    return ActiveLists(blank(plans.short), blank(plans.long), zeros(lambda s: _order(s, plans)), plans)


def made(make_list: MakeList, lists: ActiveLists, system: System, each: Each) -> ActiveLists:
    """The lists with those made, at their references, that were still to be.

    Args:
        make_list: the list of a system in the order of the rows, in the sizes of a plan.
        lists: of one system, or of several with a leading axis.
        system: likewise; its positions and cell do not matter.
        each: lifts a function of one system to `system`: the identity, or `jax.vmap`.
    """

    def new_order(old: Array | None, watched: Watched, system: System) -> Array | None:
        new = _order(watched.where(system), lists.plans)
        return None if old is None or new is None else jnp.where(watched.made, old, new)

    # The choice is made once for all systems: inside a vmap both branches would run at every step.
    order = jax.lax.cond(
        jnp.all(lists.long.made), lambda: lists.order, lambda: each(new_order)(lists.order, lists.long, system)
    )

    def make(watched: Watched, plan: Plan) -> Watched:
        def renewed(watched: Watched, order: Array | None, system: System) -> NeighborList:
            new = make_list(_in_order(watched.where(system), order), plan)
            return jax.tree.map(lambda old, new: jnp.where(watched.made, old, new), watched.pairs, new)

        pairs = jax.lax.cond(
            jnp.all(watched.made), lambda: watched.pairs, lambda: each(renewed)(watched, order, system)
        )
        return Watched(pairs, watched.reference, watched.cell, jnp.ones_like(watched.made))

    plans = lists.plans
    return ActiveLists(make(lists.short, plans.short), make(lists.long, plans.long), order, plans)


def _order(system: System, plans: NeighborPlans) -> Int[Array, " M"] | None:
    return plans.order(system.positions, system.cell, system.pbc, system.atom_mask)


def _in_order(system: System, order: Int[Array, " M"] | None) -> System:
    return system if order is None else system.taken(order)
