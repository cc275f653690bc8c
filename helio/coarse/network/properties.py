"""The radius of gyration of molecules from their groups: what the groups give, plus what a network adds.

Rg = (sum_g m_g |R_g - R|^2 / M)^(1/2) + MLP(mean of latents); the first part lacks the extent of the groups.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from helio.coarse.network.graph_network import MLP
from helio.coarse.topology import Topology

# Molecules of one group have no extent; the root needs a gradient all the same.
_LEAST = 1e-12


class GyrationHead(eqx.Module):
    """Radii of gyration; no gradient reaches the dynamics through it."""

    network: MLP
    scale: float = eqx.field(static=True)

    def __init__(self, inputs: int, width: int, *, scale: float, rng: np.random.Generator) -> None:
        """Draw the weights; `scale` is the rms radius."""
        self.network = MLP(inputs, width, 1, hidden_layers=2, rng=rng, zero=True)
        self.scale = scale

    def __call__(
        self, nodes: Float[Array, "G F"], positions: Float[Array, "G 3"], topology: Topology
    ) -> Float[Array, " M"]:
        """Radii of gyration of the molecules, of unwrapped positions."""
        member = (topology.molecules > 0).astype(nodes.dtype)
        count = jnp.maximum(member.sum(axis=1, keepdims=True), 1)
        pooled = member @ lax.stop_gradient(nodes) / count
        return coarse_gyration(positions, topology) + self.scale * self.network(pooled)[:, 0]


def coarse_gyration(positions: Float[Array, "G 3"], topology: Topology) -> Float[Array, " M"]:
    """Mass-weighted radii of gyration of the groups' centres alone."""
    centers = topology.molecules @ positions
    away = positions[None] - centers[:, None]
    squares = jnp.sum(topology.molecules * jnp.sum(away**2, axis=-1), axis=1)
    return jnp.sqrt(jnp.maximum(squares, _LEAST))
