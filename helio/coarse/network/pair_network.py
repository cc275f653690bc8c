"""A graph network over groups that sees kinds of pairs and masses of groups beside what its user gives it."""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from helio.coarse.network.architecture import Architecture
from helio.coarse.network.geometry import PairGeometry
from helio.coarse.network.graph_network import GraphNetwork, type_vectors
from helio.coarse.network.standardise import Scales
from helio.coarse.topology import Topology


class PairNetwork(eqx.Module):
    """What dynamics and score have in common; each decodes the latents in its own way."""

    kinds: Float[Array, "S C"]  # of pairs: more bonds apart than are told apart, 1 bond, 2, ...
    network: GraphNetwork
    scales: Scales = eqx.field(static=True)
    masses: bool = eqx.field(static=True)

    def __init__(
        self,
        node_inputs: int,
        edge_inputs: int,
        architecture: Architecture,
        scales: Scales,
        *,
        rng: np.random.Generator,
    ) -> None:
        """Draw the weights; masses and kinds are not counted in the numbers of inputs."""
        a = architecture
        self.scales, self.masses = scales, a.masses
        self.kinds = type_vectors(1 + a.separation, a.type_size, rng)
        self.network = GraphNetwork(
            node_inputs + a.masses,
            edge_inputs + a.type_size,
            width=a.width,
            layers=a.layers,
            hidden_layers=a.hidden_layers,
            rng=rng,
        )

    def latents(
        self,
        nodes: Sequence[Float[Array, "G _"]],
        edges: Sequence[Float[Array, "G K _"]],
        topology: Topology,
        geometry: PairGeometry,
    ) -> tuple[Float[Array, "G F"], Float[Array, "G K F"]]:
        """Of groups and of pairs, from standardised inputs."""
        masses = [topology.group_masses[:, None] / self.scales.group_mass] if self.masses else []
        kind = self.kinds[geometry.separation]
        return self.network(
            jnp.concatenate([*nodes, *masses], axis=-1), jnp.concatenate([*edges, kind], axis=-1), geometry.pairs
        )
