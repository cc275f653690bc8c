"""The dynamics network in its published form: it sees components of vectors, and is not equivariant under rotation."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from helio.coarse.network.architecture import Architecture
from helio.coarse.network.forecast import Forecast
from helio.coarse.network.geometry import PairGeometry, lengths
from helio.coarse.network.graph_network import MLP, GraphNetwork
from helio.coarse.network.standardise import Scales
from helio.coarse.topology import Topology


class PublishedDynamics(eqx.Module):
    """Steps, features and masses on nodes; displacement, distance and kind on edges; mean and spread by axis."""

    kinds: Float[Array, "2 C"]  # of pairs: not bonded, bonded
    network: GraphNetwork
    decode: MLP
    mix: MLP | None
    scales: Scales = eqx.field(static=True)
    masses: bool = eqx.field(static=True)
    least_spread: float = eqx.field(static=True)

    def __init__(self, architecture: Architecture, scales: Scales, *, rng: np.random.Generator) -> None:
        a = architecture
        self.scales, self.masses, self.least_spread = scales, a.masses, a.least_spread
        self.kinds = kinds_of_pairs(a.type_size, rng)
        inputs = 3 * (a.history - 1) + a.embedding_size + a.masses
        size = {"width": a.width, "layers": a.layers, "hidden_layers": a.hidden_layers}
        self.network = GraphNetwork(inputs, a.type_size + 4, **size, rng=rng)
        self.decode = MLP(a.width, a.width, 6, hidden_layers=a.hidden_layers, rng=rng, zero=True)
        self.mix = mixing_network(architecture, rng)

    def __call__(
        self,
        features: Float[Array, "G F"],
        topology: Topology,
        geometry: PairGeometry,
        steps: Float[Array, "h G 3"],
    ) -> Forecast:
        """The forecast for groups with these features, after these steps."""
        away = geometry.vectors / self.scales.bond
        edges = jnp.concatenate([away, lengths(away)[:, :, None], of_kind(self.kinds, geometry)], axis=-1)
        moved = jnp.moveaxis(steps, 0, 1).reshape(len(features), -1) / self.scales.step
        inputs = [moved, features, *mass_inputs(topology, self.scales, self.masses)]
        nodes, latents = self.network(jnp.concatenate(inputs, axis=-1), edges, geometry.pairs)
        mean, raw = jnp.split(self.decode(nodes), 2, axis=-1)
        return Forecast(mean, spread_of(raw, self.least_spread), mixing(self.mix, latents, geometry), nodes)


def kinds_of_pairs(size: int, rng: np.random.Generator) -> Float[Array, "2 size"]:
    """A table of two rows: pairs that are not bonded, and those that are."""
    bound = (6 / (2 + size)) ** 0.5
    return jnp.asarray(rng.uniform(-bound, bound, size=(2, size)), jnp.float32)


def of_kind(kinds: Float[Array, "2 C"], geometry: PairGeometry) -> Float[Array, "G K C"]:
    """The vector of each pair's kind."""
    return jnp.where(geometry.bonded[:, :, None], kinds[1], kinds[0])


def mass_inputs(topology: Topology, scales: Scales, wanted: bool) -> list[Float[Array, "G 1"]]:
    """Masses of groups as an input of their own, where they are wanted."""
    return [topology.group_masses[:, None] / scales.group_mass] if wanted else []


def spread_of(raw: Float[Array, "G A"], least: float) -> Float[Array, "G A"]:
    """The least spread plus softplus of what the network gives."""
    return least + jax.nn.softplus(raw)


def mixing_network(architecture: Architecture, rng: np.random.Generator) -> MLP | None:
    """What gives M_ij from the latents of edges, zero at first; None for independent noise."""
    a = architecture
    if a.noise == "independent":
        return None
    return MLP(a.width, a.width, 1, hidden_layers=1, rng=rng, zero=True)


def mixing(network: MLP | None, latents: Float[Array, "G K F"], geometry: PairGeometry) -> Float[Array, "G K"] | None:
    """M_ij of pairs of different groups."""
    if network is None:
        return None
    groups = len(geometry.pairs.mask)
    numbers = jnp.arange(groups, dtype=jnp.int32)
    itself = numbers[:, None] == (numbers if geometry.pairs.sender is None else geometry.pairs.sender)
    return jnp.where(geometry.pairs.mask & ~itself, network(latents)[:, :, 0], 0)
