"""A dynamics network that is equivariant under rotation and reflection by its construction.

It sees lengths and inner products, and its mean is a sum of vectors with coefficients that it makes of these:

mean_i = sum_h c_i^h v_i^h + sum_j (w_ij r_ij + sum_h u_ij^h (v_j^h - v_i^h)),

the last sum over the newest `EDGE_STEPS` steps. Constant coefficients give any linear motion of groups that is the same
for all axes, a Rouse chain's among them. The spread is the same along all axes.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from helio.coarse.network.architecture import Architecture
from helio.coarse.network.dynamics import Dynamics, mixing_network
from helio.coarse.network.forecast import Forecast
from helio.coarse.network.geometry import PairGeometry, lengths
from helio.coarse.network.graph_network import MLP
from helio.coarse.network.moment import Moment
from helio.coarse.network.standardise import Scales

# Newest steps that are compared between the two groups of a pair.
EDGE_STEPS = 3


class EquivariantDynamics(Dynamics):
    """Invariants in, coefficients of vectors out."""

    decode_nodes: MLP
    decode_edges: MLP
    mix: MLP | None

    def __init__(self, architecture: Architecture, scales: Scales, *, rng: np.random.Generator) -> None:
        a = architecture
        steps = a.history - 1
        compared = min(EDGE_STEPS, steps)
        super().__init__(max(0, 2 * steps - 1), 1 + 3 * compared, architecture, scales, rng=rng)
        heads = {"hidden_layers": a.hidden_layers, "rng": rng, "zero": True}
        self.decode_nodes = MLP(a.width, a.width, steps + 1, **heads)
        self.decode_edges = MLP(a.width, a.width, 1 + compared, **heads)
        self.mix = mixing_network(architecture, rng)

    def __call__(self, moment: Moment, geometry: PairGeometry) -> Forecast:
        """The forecast at a moment, with the pairs at its positions."""
        moved = jnp.moveaxis(moment.steps, 0, 1) / self.scales.step  # (G, h, 3)
        away = geometry.vectors / self.scales.bond
        newest = moved[:, max(0, moved.shape[1] - EDGE_STEPS) :]
        between = geometry.pairs.senders(newest) - newest[:, None]  # (G, K, n, 3)
        edges = [pair_invariants(away, newest, between)]
        inputs = [lengths(moved), jnp.sum(moved[:, 1:] * moved[:, :-1], axis=-1), moment.features]
        nodes, latents = self.latents(inputs, edges, moment.topology, geometry)
        own = self.decode_nodes(nodes)
        pair = jnp.where(geometry.pairs.mask[:, :, None], self.decode_edges(latents), 0)
        mean = jnp.sum(own[:, :-1, None] * moved, axis=1) + jnp.sum(pair[:, :, :1] * away, axis=1)
        mean = mean + jnp.sum(pair[:, :, 1:, None] * between, axis=(1, 2))
        return Forecast(mean, self.spread(own[:, -1:]), self.mixing(latents, geometry), nodes)


def pair_invariants(
    away: Float[Array, "G K 3"], newest: Float[Array, "G n 3"], between: Float[Array, "G K n 3"]
) -> Float[Array, "G K c"]:
    """Distance, the steps of receiver and of sender along it, and the length of what they differ by."""
    distance = lengths(away)
    unit = away / jnp.where(distance > 0, distance, 1)[:, :, None]
    received = jnp.sum(newest[:, None] * unit[:, :, None], axis=-1)
    relative = jnp.sum(between * unit[:, :, None], axis=-1)
    return jnp.concatenate([distance[:, :, None], received, received + relative, lengths(between)], axis=-1)
