"""Several systems in one batch, and the exchange of replicas between temperatures.

A batch is the tree of one system with a leading axis: states, lists and integrators of R replicas. Replicas may be
copies of one structure or different molecules, padded to the same number of atoms; they share the potential and the
sizes of their lists, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, UInt32

from helio.errors import HelioError
from helio.neighbors import NeighborPlans
from helio.simulate.lists import ActiveLists
from helio.simulate.state import State

Tree = TypeVar("Tree")


def stacked(trees: Sequence[Tree]) -> Tree:
    """One tree with a leading axis; `HelioError` if the trees differ in more than numbers."""
    first = jax.tree.structure(trees[0])
    shapes = [[leaf.shape for leaf in jax.tree.leaves(tree)] for tree in trees]
    if any(jax.tree.structure(tree) != first for tree in trees) or any(shape != shapes[0] for shape in shapes):
        raise HelioError(
            "replicas must have the same periodic directions, fixed distances and frozen atoms; simulate these apart"
        )
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def unstacked(tree: Tree, number: int) -> Tree:
    """One of a batch."""
    return jax.tree.map(lambda leaf: leaf[number], tree)


def without_padding(state: State) -> State:
    """The state of the real atoms alone, as host arrays; padding stands last."""
    state = jax.tree.map(np.asarray, state)
    atoms = int(state.system.atom_mask.sum())
    if atoms == len(state.system):
        return state
    names = ("atomic_energies", "forces", "charges", "hirshfeld_ratios")
    prediction = replace(state.prediction, **{name: getattr(state.prediction, name)[:atoms] for name in names})
    system = state.system.without_padding()
    return replace(state, system=system, momenta=state.momenta[:atoms], prediction=prediction)


def common_plans(plans: Sequence[NeighborPlans], *, atoms: int) -> NeighborPlans:
    """Plans that suffice for each of several systems of up to so many `atoms`.

    Raises:
        HelioError: periodic systems whose cells differ so much that their lists need other bins.
    """
    if len({(p.short.bins, p.short.reach, p.long.bins, p.long.reach, p.mesh) for p in plans}) > 1:
        if any(plan.reciprocal is not None or plan.mesh is not None for plan in plans):
            raise HelioError("replicas with ewald or pme electrostatics need cells of the same size")
        plans = [_in_one_bin(plan, atoms) for plan in plans]
    return reduce(NeighborPlans.at_least, plans)


def _in_one_bin(plans: NeighborPlans, atoms: int) -> NeighborPlans:
    """The plans without a grid: every atom looks at every other."""
    one: dict[str, Any] = {"bins": (1, 1, 1), "reach": (1, 1, 1), "bin_capacity": atoms, "candidates": atoms}
    return replace(plans, short=plans.short._replace(**one), long=plans.long._replace(**one))


def exchanged(
    state: State,
    lists: ActiveLists,
    thermal_energies: Float[np.ndarray, " R"],
    *,
    key: UInt32[Any, " 2"],
    odd: bool,
) -> tuple[State, ActiveLists, list[tuple[int, int, bool]]]:
    """Try to exchange neighbouring temperatures (Sugita and Okamoto, Chem. Phys. Lett. 314, 141 (1999)).

    Replicas i and i + 1 of constant volume change places with the probability
    min(1, exp[(1 / k_B T_i - 1 / k_B T_(i+1)) (U_i - U_(i+1))]). Places keep their temperature, bath and random key;
    configurations move, and momenta with them, scaled by the root of the temperatures' ratio.

    Args:
        state: a batch, in the order of the places.
        lists: of the batch.
        thermal_energies: k_B T of each place, in eV.
        key: of this attempt.
        odd: whether pairs begin at place 1 instead of 0.

    Returns:
        The batch, its lists, and for each pair (i, i + 1, whether it was exchanged).
    """
    energies = np.asarray(state.prediction.atomic_energies, np.float64).sum(axis=1)
    draws = np.asarray(jax.random.uniform(key, energies.shape), np.float64)
    order, attempts = np.arange(len(energies)), []
    for i in range(int(odd), len(energies) - 1, 2):
        exponent = (1 / thermal_energies[i] - 1 / thermal_energies[i + 1]) * (energies[i] - energies[i + 1])
        accepted = bool(np.log(draws[i]) < exponent)
        if accepted:
            order[[i, i + 1]] = i + 1, i
        attempts.append((i, i + 1, accepted))
    scale = jnp.asarray(np.sqrt(thermal_energies / thermal_energies[order]), state.momenta.dtype)
    moved = jax.tree.map(lambda leaf: leaf[order], state)
    moved = replace(
        moved, momenta=scale[:, None, None] * moved.momenta, baths=state.baths, key=state.key, step=state.step
    )
    return moved, eqx.tree_at(_arrays, lists, jax.tree.map(lambda leaf: leaf[order], _arrays(lists))), attempts


def _arrays(lists: ActiveLists) -> tuple[Any, Any]:
    """What belongs to the configurations."""
    return lists.short, lists.long
