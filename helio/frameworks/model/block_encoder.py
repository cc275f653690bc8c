"""From building blocks to embeddings: equal for blocks of the same kind, far apart for others.

Besides the embedding z the network has heads, which training alone uses: number of atoms, of connections, diameter,
and a projection p of length 1 for the contrast of N blocks,

L = mean_i [ln sum_{j: another kind} s_ij - ln sum_{j: the same kind, i too} s_ij],  s_ij = exp(p_i . p_j / 0.1)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from helio.frameworks.model.block_graphs import MOST_ATOMS, MOST_CONNECTIONS, BlockBatch
from helio.frameworks.model.terms import class_term, numeric_term, square_term
from helio.network.dense import NUM_ELEMENTS, Dense, LayerNorm, TwoLayers, element_table
from helio.train.loss import Term

_TEMPERATURE = 0.1
_RANGE, _RADIAL = 4.0, 16  # A and functions: pairs two bonds apart are closer
_LONGEST, _LENGTHS = 40.0, 32  # A and functions of diameters
_ATOMS_UNIT = 8.0  # of sums over vertices, so that they are of order one
_NEIGHBORS = 3.0  # square root of the edges that end at a vertex, about
_DIAMETER_UNIT = 10.0  # A


class BlockHeads(eqx.Module):
    """What the network says of B blocks."""

    embedding: Float[Array, "B C"]
    projection: Float[Array, "B P"]  # of length 1
    atoms: Float[Array, "B 201"]  # logits
    connections: Float[Array, "B 21"]  # logits
    diameter: Float[Array, " B"]  # in units of 10 A


class Message(eqx.Module):
    """One layer on the graph."""

    norm: LayerNorm
    values: Dense
    filters: TwoLayers
    update: TwoLayers

    def __init__(self, features: int, *, rng: np.random.Generator):
        """Draw all weights."""
        self.norm = LayerNorm(features)
        self.values = Dense(features, features, rng=rng)
        self.filters = TwoLayers(_RADIAL + 2, features, features, rng=rng)
        self.update = TwoLayers(2 * features, features, features, rng=rng)

    def __call__(self, x: Float[Array, "A F"], edges: Float[Array, "E R"], batch: BlockBatch) -> Float[Array, "A F"]:
        """Features after the layer."""
        normal = self.norm(x)
        sent = self.values(normal)[batch.sender] * self.filters(edges)
        sent = jnp.where((batch.bonds_apart > 0)[:, None], sent, 0.0)
        gathered = jax.ops.segment_sum(sent, batch.receiver, len(x)) / _NEIGHBORS
        return x + self.update(jnp.concatenate([normal, gathered], axis=-1))


class BlockEncoder(eqx.Module):
    """Graphs of blocks in, embeddings out."""

    elements: Float[Array, "119 F"]
    layers: tuple[Message, ...]
    gate: Dense
    readout: TwoLayers
    embed: TwoLayers
    project: TwoLayers
    atoms: TwoLayers
    connections: TwoLayers
    diameter: TwoLayers

    def __init__(self, *, features: int, channels: int, layers: int, rng: np.random.Generator):
        """Draw all weights."""
        self.elements = element_table(NUM_ELEMENTS, features, rng=rng) * features**0.5
        self.layers = tuple(Message(features, rng=rng) for _ in range(layers))
        self.gate = Dense(features, features, rng=rng)
        self.readout = TwoLayers(3 * features, features, channels, rng=rng)
        inputs = channels + MOST_ATOMS + 1 + MOST_CONNECTIONS + 1 + _LENGTHS + 1
        self.embed = TwoLayers(inputs, 2 * features, channels, rng=rng)
        self.project = TwoLayers(channels, 2 * features, 2 * features, rng=rng)
        self.atoms = TwoLayers(channels, 2 * features, MOST_ATOMS + 1, rng=rng)
        self.connections = TwoLayers(channels, 2 * features, MOST_CONNECTIONS + 1, rng=rng)
        self.diameter = TwoLayers(channels, 2 * features, 1, rng=rng)

    def __call__(self, batch: BlockBatch) -> BlockHeads:
        """Everything about the blocks of a batch."""
        x = self.elements[batch.numbers]
        edges = jnp.concatenate(
            [_gaussians(batch.distance, _RANGE, _RADIAL), jax.nn.one_hot(batch.bonds_apart - 1, 2, dtype=x.dtype)],
            axis=-1,
        )
        for layer in self.layers:
            x = layer(x, edges, batch)
        read = self.readout(self._pooled(x, batch))
        known = [
            jax.nn.one_hot(batch.atoms, MOST_ATOMS + 1, dtype=x.dtype),
            jax.nn.one_hot(batch.connections, MOST_CONNECTIONS + 1, dtype=x.dtype),
            _gaussians(batch.diameter, _LONGEST, _LENGTHS),
            batch.node[:, None],
        ]
        z = self.embed(jnp.concatenate([read, *known], axis=-1))
        projection = self.project(z)
        length = jnp.sqrt(jnp.sum(projection**2, axis=-1, keepdims=True) + 1e-12)
        return BlockHeads(z, projection / length, self.atoms(z), self.connections(z), self.diameter(z)[:, 0])

    def _pooled(self, x: Array, batch: BlockBatch) -> Array:
        """Mean, gated sum and maximum over the vertices of each block."""
        blocks = len(batch.atoms)
        count = jax.ops.segment_sum(jnp.ones(len(x), x.dtype), batch.owner, blocks + 1)
        mean = jax.ops.segment_sum(x, batch.owner, blocks + 1) / jnp.maximum(count, 1)[:, None]
        gated = jax.ops.segment_sum(x * jax.nn.sigmoid(self.gate(x)), batch.owner, blocks + 1) / _ATOMS_UNIT
        most = jax.ops.segment_max(x, batch.owner, blocks + 1)
        most = jnp.where((count > 0)[:, None], most, 0.0)
        return jnp.concatenate([mean, gated, most], axis=-1)[:blocks]


@dataclass(frozen=True)
class BlockLoss:
    """5 contrast + cross entropies of both counts + square error of the diameter, as in the paper."""

    @property
    def weights(self) -> Mapping[str, float]:
        """By name of the term."""
        return {"contrast": 5.0, "atoms": 1.0, "connections": 1.0, "diameter": 1.0}

    def __call__(self, model: BlockEncoder, batch: BlockBatch) -> dict[str, Term]:
        """Sums over the blocks of a batch; of counts the absolute error is the number of wrong ones."""
        found = model(batch)
        contrast = contrasts(found.projection, batch.label, batch.real)
        return {
            "contrast": numeric_term(contrast, contrast, batch.real),
            "atoms": class_term(found.atoms, batch.atoms, batch.real),
            "connections": class_term(found.connections, batch.connections, batch.real),
            "diameter": square_term(found.diameter - batch.diameter / _DIAMETER_UNIT, batch.real),
        }


def contrasts(projection: Float[Array, "B P"], label: Int[Array, " B"], real: Bool[Array, " B"]) -> Float[Array, " B"]:
    """The contrast of each block with all others of the batch, some of which are of another kind."""
    scores = projection @ projection.T / _TEMPERATURE
    same = label[:, None] == label[None, :]
    others = jnp.where(same | ~real[None], -jnp.inf, scores)
    alike = jnp.where(same & real[None], scores, -jnp.inf)
    some = jnp.any(~same & real[None], axis=1) & real
    safe = jnp.where(some[:, None], others, 0.0)
    own = jnp.where(real[:, None], alike, 0.0)
    return jnp.where(some, jax.nn.logsumexp(safe, axis=1) - jax.nn.logsumexp(own, axis=1), 0.0)


def _gaussians(values: Float[Array, " E"], reach: float, count: int) -> Float[Array, "E count"]:
    centres = jnp.linspace(0.0, 1.0, count, dtype=values.dtype)
    return jnp.exp(-0.5 * ((values[:, None] / reach - centres) * count) ** 2)
