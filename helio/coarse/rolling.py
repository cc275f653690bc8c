"""Many systems, step after step, in one compiled loop.

Noise comes from a key for each simulation and the number of the step, so a run that goes on from a checkpoint takes
the very steps that it would have taken, and a system moves the same alone and in a batch, to round-off. A system that
comes to harm stands still at its last good state, and says why.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from helio.coarse.network.geometry import lengths, shortest
from helio.coarse.network.model import CoarseModel
from helio.coarse.network.moment import Moment
from helio.coarse.network.properties import coarse_gyration
from helio.coarse.topology import Topology

# Why a system stands still.
SOUND, NOT_FINITE, LONG_BOND, TOO_LARGE, CROWDED = range(5)
REASONS = {
    NOT_FINITE: "its position is not a finite number",
    LONG_BOND: "a bond of it is far longer than any in training",
    TOO_LARGE: "its molecule is far larger than any in training",
    CROWDED: "a group has more neighbours than ever in training, or far more: the system is too dense",
}


class Rolling(eqx.Module):
    """B simulations in motion."""

    positions: Float[Array, "B G 3"]  # newest, unwrapped
    steps: Float[Array, "B h G 3"]  # that led there, the newest last
    step: Int[Array, ""]  # number of steps taken
    harm: Int[Array, " B"]  # why it stands still
    harmed_step: Int[Array, " B"]  # the step that was not taken
    harmed_group: Int[Array, " B"]


class Limits(NamedTuple):
    """Beyond which a simulation has left what its model knows; in the data's unit."""

    bond: float
    gyration: float


class Frame(NamedTuple):
    """What is kept of a step."""

    positions: Float[Array, "B G 3"]
    gyration: Float[Array, "B M"]


Advance = Callable[[CoarseModel, Topology, Any, Array, Rolling], tuple[Rolling, Frame]]


def start_rolling(frames: Float[Array, "B H G 3"]) -> Rolling:
    """The state after a history of frames."""
    frames = jnp.asarray(frames, jnp.float32)
    zero = jnp.zeros(len(frames), jnp.int32)
    return Rolling(frames[:, -1], jnp.diff(frames, axis=1), jnp.zeros((), jnp.int32), zero, zero, zero)


def make_advance(limits: Limits, *, frames: int, save_every: int) -> Advance:
    """A compiled function that takes `frames` times `save_every` steps and gives the frame after each of the former.

    It takes the model, topologies with a leading axis B, boxes (B, 3) or None, a key for each simulation and the state.
    """

    def advance(
        model: CoarseModel, topology: Topology, boxes: Array | None, keys: Array, state: Rolling
    ) -> tuple[Rolling, Frame]:
        features = jax.vmap(model.embedding)(topology)

        def seen(state: Rolling) -> Moment:
            return Moment(features, topology, state.positions, state.steps, boxes)

        def one(state: Rolling, _: None) -> tuple[Rolling, None]:
            now = jax.vmap(lambda key: jax.random.fold_in(key, state.step))(keys)
            drawn = jax.vmap(model.sample)(seen(state), now)
            return _moved(state, drawn.step, drawn.overflow, topology, boxes, limits), None

        def kept(state: Rolling, _: None) -> tuple[Rolling, Frame]:
            state, _ = lax.scan(one, state, length=save_every)
            return state, Frame(state.positions, jax.vmap(model.radii)(seen(state)))

        return lax.scan(kept, state, length=frames)

    return jax.jit(advance)


def _moved(
    state: Rolling,
    step: Float[Array, "B G 3"],
    overflow: Bool[Array, "B G"],
    topology: Topology,
    boxes: Array | None,
    limits: Limits,
) -> Rolling:
    """The state after a step, where that leaves it sound."""
    positions = state.positions + step
    harm, group = jax.vmap(partial(_harm, limits=limits))(positions, overflow, topology, boxes)
    fine = (state.harm == SOUND) & (harm == SOUND)
    newly = (state.harm == SOUND) & (harm != SOUND)
    steps = jnp.concatenate([state.steps[:, 1:], step[:, None]], axis=1)
    return Rolling(
        positions=jnp.where(fine[:, None, None], positions, state.positions),
        steps=jnp.where(fine[:, None, None, None], steps, state.steps),
        step=state.step + 1,
        harm=jnp.where(newly, harm, state.harm),
        harmed_step=jnp.where(newly, state.step + 1, state.harmed_step),
        harmed_group=jnp.where(newly, group, state.harmed_group),
    )


def _harm(
    positions: Float[Array, "G 3"],
    overflow: Bool[Array, " G"],
    topology: Topology,
    box: Float[Array, " 3"] | None,
    *,
    limits: Limits,
) -> tuple[Int[Array, ""], Int[Array, ""]]:
    """What is wrong with a system, if anything, and the group where it is seen."""
    real = topology.group_masses > 0
    broken = real & ~jnp.all(jnp.isfinite(positions), axis=-1)
    ends = positions.at[topology.group_partners].get(mode="clip")
    bonds = lengths(shortest(ends - positions[:, None], box))
    stretched = jnp.any((topology.separations == 1) & (bonds > limits.bond), axis=1)
    large = coarse_gyration(positions, topology) > limits.gyration
    of_large = jnp.any((topology.molecules > 0) & large[:, None], axis=0)
    harm, group = jnp.full((), SOUND, jnp.int32), jnp.zeros((), jnp.int32)
    for kind, where in ((CROWDED, overflow), (TOO_LARGE, of_large), (LONG_BOND, stretched), (NOT_FINITE, broken)):
        found = jnp.any(where)
        harm = jnp.where(found, kind, harm).astype(jnp.int32)
        group = jnp.where(found, jnp.argmax(where).astype(jnp.int32), group)
    return harm, group
