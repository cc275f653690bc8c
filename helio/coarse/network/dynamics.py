"""What both forms of the dynamics network share: what they see and give, and the spread and mixing of their noise."""

# Annotations are not postponed here: Equinox finds no abstract variable in those that are.
from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from helio.coarse.network.architecture import Architecture
from helio.coarse.network.forecast import Forecast
from helio.coarse.network.geometry import PairGeometry
from helio.coarse.network.graph_network import MLP
from helio.coarse.network.moment import Moment
from helio.coarse.network.pair_network import PairNetwork
from helio.coarse.network.standardise import Scales


class Dynamics(PairNetwork):
    """From a moment to the distribution of the target."""

    mix: eqx.AbstractVar[MLP | None]  # `mixing_network`; drawn, and kept, after the form's own weights
    least_spread: float = eqx.field(static=True)

    def __init__(
        self,
        node_inputs: int,
        edge_inputs: int,
        architecture: Architecture,
        scales: Scales,
        *,
        rng: np.random.Generator,
    ) -> None:
        """Draw the weights that both forms have; features, masses and kinds are not counted in the inputs."""
        super().__init__(node_inputs + architecture.embedding_size, edge_inputs, architecture, scales, rng=rng)
        self.least_spread = architecture.least_spread

    @abstractmethod
    def __call__(self, moment: Moment, geometry: PairGeometry) -> Forecast:
        """The forecast at a moment, with the pairs at its positions."""

    def spread(self, raw: Float[Array, "G A"]) -> Float[Array, "G A"]:
        """The least spread plus softplus of what the network gives."""
        return self.least_spread + jax.nn.softplus(raw)

    def mixing(self, latents: Float[Array, "G K F"], geometry: PairGeometry) -> Float[Array, "G K"] | None:
        """M_ij of pairs of different groups, from the latents of edges; None for independent noise."""
        if self.mix is None:
            return None
        groups = len(geometry.pairs.mask)
        numbers = jnp.arange(groups, dtype=jnp.int32)
        itself = numbers[:, None] == (numbers if geometry.pairs.sender is None else geometry.pairs.sender)
        return jnp.where(geometry.pairs.mask & ~itself, self.mix(latents)[:, :, 0], 0)


def mixing_network(architecture: Architecture, rng: np.random.Generator) -> MLP | None:
    """What gives M_ij from the latents of edges, zero at first; None for independent noise."""
    a = architecture
    if a.noise == "independent":
        return None
    return MLP(a.width, a.width, 1, hidden_layers=1, rng=rng, zero=True)
