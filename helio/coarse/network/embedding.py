"""What a group is made of, from the types and bonds of its beads alone."""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from helio.coarse.network.architecture import Architecture
from helio.coarse.network.graph_network import MLP, GraphNetwork, Pairs, type_vectors
from helio.coarse.topology import Topology

# Variances below this share of the largest are raised to it: what hardly differs between groups is left small.
_LEAST_VARIANCE = 1e-3


class Embedding(eqx.Module):
    """Messages along the bonds of the fine system; a group's features are the mean over its beads."""

    types: Float[Array, "T C"]
    bond_types: Float[Array, "U C"] | None
    network: GraphNetwork
    decode: MLP
    mean_mass: float = eqx.field(static=True)
    masses: bool = eqx.field(static=True)

    def __init__(self, architecture: Architecture, *, mean_mass: float, rng: np.random.Generator) -> None:
        """Draw the weights; `mean_mass` of beads is the unit of their masses."""
        a = architecture
        self.types = type_vectors(len(a.type_names), a.type_size, rng)
        self.bond_types = type_vectors(a.bond_types, a.type_size, rng) if a.bond_types else None
        self.mean_mass, self.masses = mean_mass, a.masses
        self.network = GraphNetwork(
            a.type_size + a.masses,
            a.type_size,
            width=a.embedding_width,
            layers=a.embedding_layers,
            hidden_layers=a.hidden_layers,
            rng=rng,
        )
        self.decode = MLP(
            a.embedding_width, a.embedding_width, a.embedding_size, hidden_layers=a.hidden_layers, rng=rng
        )

    def __call__(self, topology: Topology) -> Float[Array, "G F"]:
        """Features of the groups."""
        beads = len(topology.types)
        pairs = Pairs(topology.partners, topology.partners < beads)
        kinds = self.types.at[topology.types].get(mode="clip")
        edges = kinds[:, None] + pairs.senders(kinds)
        if self.bond_types is not None:
            edges = edges + self.bond_types.at[topology.bond_types].get(mode="clip")
        if self.masses:
            kinds = jnp.concatenate([kinds, topology.masses[:, None] / self.mean_mass], axis=-1)
        nodes = self.decode(self.network(kinds, edges, pairs)[0])
        real = (topology.members < beads)[:, :, None]
        own = jnp.where(real, nodes.at[topology.members].get(mode="clip"), 0)
        return own.sum(axis=1) / jnp.maximum(real.sum(axis=1).astype(nodes.dtype), 1)


def standardised(embedding: Embedding, topologies: Sequence[Topology]) -> Embedding:
    """The same with features that over all groups of these systems have mean zero and the unit covariance.

    Groups are alike, and features means over beads: drawn weights make them differ by little beside their mean, and the
    dynamics then learn what systems have in common long before what sets them apart. Features are linear in the last
    layer, so it takes up the change of variables (Krähenbühl et al., ICLR 2016, for the idea). Where groups are all the
    same, nothing is changed.
    """
    embed = eqx.filter_jit(embedding)
    found = [np.asarray(embed(one), np.float64)[np.asarray(one.group_masses) > 0] for one in topologies]
    features = np.concatenate(found)
    mean, covariance = features.mean(axis=0), np.cov(features.T, bias=True).reshape(2 * features.shape[1:])
    variances, axes = np.linalg.eigh(covariance)
    if variances[-1] < 1e-12 * (1 + mean @ mean):
        return embedding
    change = axes / np.sqrt(np.maximum(variances, _LEAST_VARIANCE * variances[-1])) @ axes.T
    last = embedding.decode.layers[-1]
    assert last.bias is not None
    weights = np.asarray(last.kernel, np.float64) @ change, (np.asarray(last.bias, np.float64) - mean) @ change
    kind = last.kernel.dtype
    return eqx.tree_at(
        lambda e: (e.decode.layers[-1].kernel, e.decode.layers[-1].bias),
        embedding,
        tuple(jnp.asarray(each, kind) for each in weights),
    )
