"""The loss of a coarse model: how unlikely the next frames are, and what its heads get wrong.

L = w_motion * mean over groups and axes of -log p(y) + w_gyration * mean (Rg - Rg_true)^2 / <Rg^2>
  + w_score * mean |net + z|^2 / 2

What is decided here and cannot be set: means run over the real groups (or molecules) of the whole batch; the target of
the motion is made of the disturbed newest frames and the true next one, so that it corrects the disturbance; the
radius of gyration is that of the newest frame, disturbed positions going in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from helio.coarse.network.forecast import negative_log_likelihood
from helio.coarse.network.model import CoarseModel
from helio.coarse.network.moment import Moment
from helio.coarse.topology import Topology
from helio.train.loss import Term


class Batch(eqx.Module):
    """W windows of each of S systems; numpy or JAX arrays."""

    topology: Topology  # of S systems
    frames: Float[Any, "S W H1 G 3"]  # history, disturbed, and the true frame after it
    boxes: Float[Any, "S W 3"] | None  # at the newest frame of the history
    gyration: Float[Any, "S W M"]  # at the newest frame
    noise: Float[Any, "S W G 3"] | None  # z and sigma of the score; None where there is none
    sigma: Float[Any, "S W"] | None  # in units of the rms step
    index: Int[Any, "S W"]  # number of the window
    real: Bool[Any, "S W"]


@dataclass(frozen=True)
class CoarseLoss:
    """Sums over a batch, by the names of `weights`: motion, and gyration and score where the model has them."""

    weights: Mapping[str, float]

    def __call__(self, model: CoarseModel, batch: Batch) -> dict[str, Term]:
        """The sums of all terms."""

        def of_system(topology: Topology, part: Batch) -> dict[str, Term]:
            features = model.embedding(topology)
            return jax.vmap(lambda window: self._window(model, features, topology, window))(part)

        windows = eqx.tree_at(lambda b: b.topology, batch, None)
        sums = jax.vmap(of_system)(batch.topology, windows)
        return {name: jax.tree.map(jnp.sum, sums[name]) for name in self.weights}

    def _window(
        self, model: CoarseModel, features: Float[Array, "G F"], topology: Topology, window: Batch
    ) -> dict[str, Term]:
        frames = window.frames
        mask = (topology.group_masses > 0).astype(frames.dtype)
        steps = jnp.diff(frames[:-1], axis=0)
        newest, following = frames[-2], frames[-1] - frames[-2]
        forecast, geometry = model.forecast(Moment(features, topology, newest, steps, window.boxes))
        target = model.target(steps[-1], following)
        unlikely = negative_log_likelihood(
            forecast, geometry, target, least_spread=model.architecture.least_spread, mask=mask
        )
        unit = model.scales.target(model.architecture.target)
        error = (target - forecast.mean) * mask[:, None] * unit
        count = 3 * mask.sum()
        found = {"motion": Term(unlikely, jnp.abs(error).sum(), (error**2).sum(), count)}
        if model.gyration is not None:
            found["gyration"] = self._gyration(model, forecast.nodes, topology, window)
        if model.score is not None:
            assert window.noise is not None and window.sigma is not None
            moved = newest + following + window.sigma * window.noise * model.scales.step
            net = model.score(forecast.nodes, topology, model.geometry(moved, topology, window.boxes))
            off = (net + window.noise) * mask[:, None]
            found["score"] = Term(0.5 * (off**2).sum(), jnp.abs(off).sum(), (off**2).sum(), count)
        return found

    def _gyration(self, model: CoarseModel, nodes: Float[Array, "G F"], topology: Topology, window: Batch) -> Term:
        assert model.gyration is not None
        there = (jnp.sum(topology.molecules, axis=1) > 0).astype(nodes.dtype)
        error = (model.gyration(nodes, window.frames[-2], topology) - window.gyration) * there
        square = (error**2).sum()
        return Term(square / model.scales.gyration**2, jnp.abs(error).sum(), square, there.sum())
