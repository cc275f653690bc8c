"""The graph network that all parts of a coarse model use: encode, process, and leave decoding to its user.

Sanchez-Gonzalez et al., ICML 2020 (arXiv 2002.09405), as in Fu et al., TMLR 2023:
e' = MLP([e, v_receiver, v_sender]), v' = MLP([v, sum of incoming e']), e <- e + e', v <- v + v', each with its own
weights in every layer, all with layer normalisation.
"""

from __future__ import annotations

from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from helio.network.dense import Dense, LayerNorm


class Pairs(eqx.Module):
    """Directed pairs of N nodes: row i holds those that send to node i."""

    sender: Int[Array, "N K"] | None  # None: K = N, all nodes in their order
    mask: Bool[Array, "N K"]

    def senders(self, rows: Float[Array, "N *F"]) -> Float[Array, "N K *F"]:
        """What stands in `rows` for the sender of each pair; a row of one is broadcast where all send."""
        return rows[None] if self.sender is None else rows.at[self.sender].get(mode="clip")


class MLP(eqx.Module):
    """Hidden layers with ReLU, a linear layer, and a layer normalisation where asked for."""

    layers: tuple[Dense, ...]
    norm: LayerNorm | None

    def __init__(
        self,
        inputs: int,
        width: int,
        outputs: int,
        *,
        hidden_layers: int,
        rng: np.random.Generator,
        norm: bool = False,
        zero: bool = False,
    ) -> None:
        """Draw the weights; with `zero` the output is zero at first."""
        sizes = [inputs, *[width] * hidden_layers, outputs]
        layers = [Dense(a, b, rng=rng) for a, b in pairwise(sizes)]
        if zero:
            layers[-1] = eqx.tree_at(lambda d: d.kernel, layers[-1], jnp.zeros_like(layers[-1].kernel))
        self.layers = tuple(layers)
        self.norm = LayerNorm(outputs) if norm else None

    def __call__(self, x: Float[Array, "... in"]) -> Float[Array, "... out"]:
        """Apply to the last axis."""
        return self.after_first(self.layers[0](x))

    def after_first(self, x: Float[Array, "... width"]) -> Float[Array, "... out"]:
        """What follows the first linear map."""
        for layer in self.layers[1:]:
            x = layer(jax.nn.relu(x))
        return x if self.norm is None else self.norm(x)

    def of_pairs(
        self, edges: Float[Array, "N K E"], nodes: Float[Array, "N F"], pairs: Pairs
    ) -> Float[Array, "N K out"]:
        """The same as a call with [edge, receiver, sender], the linear maps of nodes being done once per node."""
        kernel, size = self.layers[0].kernel, edges.shape[-1]
        receiver, sender = kernel[size : size + nodes.shape[-1]], kernel[size + nodes.shape[-1] :]
        first = edges @ kernel[:size] + (nodes @ receiver)[:, None] + pairs.senders(nodes @ sender)
        bias = self.layers[0].bias
        return self.after_first(first if bias is None else first + bias)


class Layer(eqx.Module):
    """One round of messages."""

    edge: MLP
    node: MLP

    def __init__(self, width: int, *, hidden_layers: int, rng: np.random.Generator) -> None:
        self.edge = MLP(3 * width, width, width, hidden_layers=hidden_layers, rng=rng, norm=True)
        self.node = MLP(2 * width, width, width, hidden_layers=hidden_layers, rng=rng, norm=True)

    def __call__(
        self, nodes: Float[Array, "N F"], edges: Float[Array, "N K F"], pairs: Pairs
    ) -> tuple[Float[Array, "N F"], Float[Array, "N K F"]]:
        """Nodes and edges after the round."""
        messages = jnp.where(pairs.mask[:, :, None], self.edge.of_pairs(edges, nodes, pairs), 0)
        new = self.node(jnp.concatenate([nodes, messages.sum(axis=1)], axis=-1))
        return nodes + new, edges + messages


class GraphNetwork(eqx.Module):
    """Latents of nodes and edges after all rounds."""

    encode_nodes: MLP
    encode_edges: MLP
    rounds: tuple[Layer, ...]

    def __init__(
        self,
        node_inputs: int,
        edge_inputs: int,
        *,
        width: int,
        layers: int,
        hidden_layers: int,
        rng: np.random.Generator,
    ) -> None:
        """Draw the weights."""
        self.encode_nodes = MLP(node_inputs, width, width, hidden_layers=hidden_layers, rng=rng, norm=True)
        self.encode_edges = MLP(edge_inputs, width, width, hidden_layers=hidden_layers, rng=rng, norm=True)
        self.rounds = tuple(Layer(width, hidden_layers=hidden_layers, rng=rng) for _ in range(layers))

    def __call__(
        self, nodes: Float[Array, "N A"], edges: Float[Array, "N K B"], pairs: Pairs
    ) -> tuple[Float[Array, "N F"], Float[Array, "N K F"]]:
        """Encode and process."""
        nodes, edges = self.encode_nodes(nodes), self.encode_edges(edges)
        for layer in self.rounds:
            nodes, edges = layer(nodes, edges, pairs)
        return nodes, edges


def type_vectors(count: int, size: int, rng: np.random.Generator) -> Float[Array, "count size"]:
    """A vector for each type, drawn uniformly (Glorot and Bengio, 2010)."""
    bound = (6 / (count + size)) ** 0.5
    return jnp.asarray(rng.uniform(-bound, bound, size=(count, size)), jnp.float32)
