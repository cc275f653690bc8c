"""Latents that fit wishes: Adam on the latents alone, from draws of the prior.

loss = sum_targets (y - y*)^2 - sum_most y + sum_least y + mean (lattice - lattice*)^2 + cross entropy of the count
       + p mean((z - z_0)^2 / s^2)

with all labels and lattices standardised, z_0 the latent that was drawn and s the spread of all. The last term is that
part of the prior (`prior.py`, a sum of many) from which the latent was drawn, up to factors: without it latents leave
the region in which heads and decoder were trained, and with one centre for all of them they would all become the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from helio.frameworks.model.heads import LatentHeads, read_latent
from helio.frameworks.model.model_file import FrameworkModel
from helio.frameworks.model.torus import cell_matrix, cell_parameters, reduced
from helio.frameworks.model.wishes import Wishes, label_arrays
from helio.packages import need

# Numbers of a latent that the encoder does not use have hardly any spread: they stay where they are.
_LEAST_SPREAD = 1e-3


@dataclass(frozen=True)
class Search:
    """How latents are sought."""

    steps: int = 1000
    learning_rate: float = 0.02
    prior_weight: float = 3.0  # p


class _Goal(eqx.Module):
    drawn: Any  # (B, D), z_0
    spread: Any  # (D,), s
    wanted: Any  # (L,)
    weight: Any  # (L,)
    direction: Any  # (L,)
    lattice: Any  # (B, 6)
    lattice_weight: Any  # ()
    count: Any  # (), 0 for any


def optimise_latents(model: FrameworkModel, latents: np.ndarray, wishes: Wishes, search: Search) -> np.ndarray:
    """Latents (B, D) near those given for which the heads promise what is wished for."""
    optax = need("optax", extra="train")
    optimiser, heads = optax.adam(search.learning_rate), model.generative.heads
    goal = _goal(model, latents, wishes)

    @eqx.filter_jit
    def run(heads: LatentHeads, goal: _Goal, start: jax.Array) -> jax.Array:
        def step(state: Any, _: None) -> Any:
            latent, memory = state
            gradient = jax.grad(_loss)(latent, heads, goal, search.prior_weight)
            with jax.numpy_dtype_promotion("standard"):  # optax raises numbers to integer powers
                change, memory = optimiser.update(gradient, memory)
            return (latent + change, memory), None

        return jax.lax.scan(step, (start, optimiser.init(start)), length=search.steps)[0][0]

    return np.asarray(run(heads, goal, goal.drawn))


def _loss(latent: Any, heads: LatentHeads, goal: _Goal, prior_weight: float) -> Any:
    """Summed over latents, each of which has a gradient of its own."""
    found = read_latent(heads, latent)
    label = goal.weight * (found.labels - goal.wanted) ** 2 - goal.direction * found.labels
    lattice = goal.lattice_weight * jnp.mean((found.lattice - goal.lattice) ** 2, axis=-1)
    likely = jnp.take(jax.nn.log_softmax(found.count), goal.count, axis=-1)
    count = jnp.where(goal.count > 0, -likely, 0.0)
    away = jnp.mean(((latent - goal.drawn) / goal.spread) ** 2, axis=-1)
    return jnp.sum(label.sum(axis=-1) + lattice + count + prior_weight * away)


def _goal(model: FrameworkModel, latents: np.ndarray, wishes: Wishes) -> _Goal:
    """The wishes as arrays; how a cell looks standardised depends on the number of blocks in it."""
    heads, scales = model.generative.heads, model.scales
    wanted, weight, direction = label_arrays(wishes, scales)
    lattice, known = np.zeros((len(latents), 6)), wishes.cell is not None
    if known:
        cell, _ = reduced(cell_matrix(wishes.cell), np.zeros((1, 3)))
        found = np.asarray(read_latent(heads, jnp.asarray(latents, jnp.float32)).count)
        count = np.argmax(found[:, 1:], axis=1) + 1 if wishes.blocks is None else np.full(len(latents), wishes.blocks)
        lattice = scales.lattice_in(np.tile(cell_parameters(cell), (len(latents), 1)), count)
    return _Goal(
        drawn=jnp.asarray(latents, jnp.float32),
        spread=jnp.asarray(np.maximum(model.latents.std(axis=0), _LEAST_SPREAD), jnp.float32),
        wanted=jnp.asarray(wanted),
        weight=jnp.asarray(weight),
        direction=jnp.asarray(direction),
        lattice=jnp.asarray(lattice, jnp.float32),
        lattice_weight=jnp.asarray(float(known), jnp.float32),
        count=jnp.asarray(wishes.blocks or 0, jnp.int32),
    )
