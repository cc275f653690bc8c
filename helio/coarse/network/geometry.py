"""Which groups see each other, and where."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from helio.coarse.network.graph_network import Pairs
from helio.coarse.topology import Topology


class PairGeometry(eqx.Module):
    """Pairs of groups, each group with itself among them."""

    pairs: Pairs
    vectors: Float[Array, "G K 3"]  # r_j - r_i by the shortest way, zero for pairs that are none
    separation: Int[Array, "G K"]  # bonds between the two, 0 for those that are no partners (`Topology`)
    overflow: Bool[Array, " G"]  # which groups had more others within the radius than there are columns


def pair_geometry(
    positions: Float[Array, "G 3"],
    topology: Topology,
    box: Float[Array, " 3"] | None,
    *,
    radius: float | None,
    columns: int,
) -> PairGeometry:
    """All pairs of groups within the radius, and all partners (`Topology`), whatever their distance.

    Without columns each group has a place for every other one, as suits systems of tens of groups. With columns the
    nearest are chosen among all: comparing all pairs costs less than binning below some thousand groups.

    Args:
        positions: centres, unwrapped or not.
        topology: whose padded groups are in no pair.
        box: edges, of which half is at least the radius; None where there are no boundaries.
        radius: in the unit of the positions; None for all pairs.
        columns: most groups within the radius of one, partners apart; 0 for a place for each.
    """
    groups = len(positions)
    real = topology.group_masses > 0
    every = shortest(positions[None] - positions[:, None], box)
    squares = jnp.sum(every**2, axis=-1)
    near = real[:, None] & real[None]
    numbers = jnp.arange(groups, dtype=jnp.int32)
    related = topology.group_partners[:, :, None] == numbers
    separation = jnp.max(jnp.where(related, topology.separations[:, :, None], 0), axis=1)
    within = near if radius is None else near & (squares <= radius**2)
    if not columns:
        mask = within | ((separation > 0) & near)
        vectors = jnp.where(mask[:, :, None], every, 0)
        return PairGeometry(Pairs(None, mask), vectors, jnp.where(mask, separation, 0), jnp.zeros(groups, bool))
    others = within & (separation == 0) & (numbers[:, None] != numbers)
    order, chosen = jax.lax.top_k(jnp.where(others, -squares, -jnp.inf), min(columns, groups))
    listed = jnp.where(jnp.isfinite(order), chosen, groups)
    itself = jnp.where(real, numbers, groups)[:, None]
    sender = jnp.concatenate([itself, topology.group_partners, listed], axis=1)
    mask = sender < groups
    vectors = shortest(positions.at[sender].get(mode="clip") - positions[:, None], box)
    listed_separation = jnp.pad(topology.separations, ((0, 0), (1, listed.shape[1])))
    overflow = jnp.sum(others, axis=1) > columns
    return PairGeometry(Pairs(sender, mask), jnp.where(mask[:, :, None], vectors, 0), listed_separation, overflow)


def shortest(vectors: Float[Array, "*n 3"], box: Float[Array, " 3"] | None) -> Float[Array, "*n 3"]:
    """Vectors to the nearest image."""
    return vectors if box is None else vectors - box * jnp.round(vectors / box)


def lengths(vectors: Float[Array, "*n 3"]) -> Float[Array, "*n"]:
    """Lengths, with a gradient of zero where they vanish."""
    squares = jnp.sum(vectors**2, axis=-1)
    return jnp.where(squares > 0, jnp.sqrt(jnp.where(squares > 0, squares, 1)), 0)
