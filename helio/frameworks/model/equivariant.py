"""The network: scalars and vectors of blocks, exchanged between all pairs, images included.

Each block has F scalars h and C vectors v. Of a pair the network sees invariants only: radial functions, lengths of
mixtures w of its directed functions, and products of these with the vectors of both blocks. From them come weights of
an attention on scalars, and what w and the other block's vectors add to a block's vectors. So scalars do not change and
vectors turn with the crystal, mirror images included, and nothing depends on the order of blocks.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from helio.frameworks.model.pairs import Pairs
from helio.network.dense import Dense, LayerNorm, TwoLayers

_HEADS = 4  # of the attention
_PAIR = 32  # numbers of a pair
_SOFT = 1e-6  # under roots


class Exchange(eqx.Module):
    """One layer: what each block learns of all others, and then makes of it."""

    norm: LayerNorm
    own: Dense
    other: Dense
    radial: Dense
    mixture: Dense  # of directed functions, K -> C
    invariants: Dense
    hidden: Dense
    weights: Dense
    values: Dense
    after: Dense
    left: Dense  # mixtures of vectors, C -> C
    right: Dense
    update: TwoLayers

    def __init__(self, features: int, vectors: int, functions: int, *, rng: np.random.Generator):
        """Draw all weights."""
        self.norm = LayerNorm(features)
        self.own, self.other = (Dense(features, _PAIR, rng=rng, bias=False) for _ in range(2))
        self.radial = Dense(functions, _PAIR, rng=rng)
        self.mixture = Dense(functions, vectors, rng=rng, bias=False)
        self.invariants = Dense(3 * vectors, _PAIR, rng=rng, bias=False)
        self.hidden = Dense(_PAIR, _PAIR, rng=rng)
        self.weights = Dense(_PAIR, _HEADS + 2 * vectors, rng=rng)
        self.values = Dense(features, features, rng=rng, bias=False)
        self.after = Dense(features + _PAIR, features, rng=rng)
        self.left, self.right = (Dense(vectors, vectors, rng=rng, bias=False) for _ in range(2))
        self.update = TwoLayers(features + 2 * vectors, features, features + vectors, rng=rng)

    def __call__(
        self, h: Float[Array, "G F"], v: Float[Array, "G 3 C"], pairs: Pairs
    ) -> tuple[Float[Array, "G F"], Float[Array, "G 3 C"]]:
        """Scalars and vectors after the layer."""
        normal = self.norm(h)
        mixed = self.mixture(pairs.directed)
        own, other = (jnp.sum(each * mixed, axis=2) for each in (v[:, None], v[None]))
        seen = self.invariants(jnp.concatenate([_length(mixed), own, other], axis=-1))
        pair = self.own(normal)[:, None] + self.other(normal)[None] + self.radial(pairs.radial) + seen
        pair = jax.nn.silu(self.hidden(jax.nn.silu(pair)))
        weights = self.weights(pair)
        channels = v.shape[2]
        real = pairs.real[:, :, None]
        attention = jax.nn.softmax(jnp.where(real, weights[..., :_HEADS], -1e9), axis=1)
        outward, passed = (
            jnp.where(real, weights[..., _HEADS + n * channels : _HEADS + (n + 1) * channels], 0.0) for n in range(2)
        )
        values = self.values(normal).reshape(1, len(h), _HEADS, -1)
        mean = jnp.sum(attention[..., None] * values, axis=1).reshape(h.shape)
        summed = jnp.where(real, pair, 0.0).sum(axis=1) / _root_of_count(pairs)
        h = h + self.after(jnp.concatenate([mean, summed], axis=-1))
        gained = jnp.sum(outward[:, :, None] * mixed + passed[:, :, None] * v[None], axis=1)
        v = v + gained / _root_of_count(pairs)[..., None]
        return self._within(h, v)

    def _within(self, h: Array, v: Array) -> tuple[Array, Array]:
        """What scalars and vectors of one block make of each other."""
        left, right = self.left(v), self.right(v)
        found = self.update(jnp.concatenate([h, _length(left), jnp.sum(left * right, axis=1)], axis=-1))
        features = h.shape[1]
        return h + found[:, :features], v + found[:, None, features:] * left


class EquivariantNetwork(eqx.Module):
    """Scalars of blocks and their places in; scalars, and one vector for each block, out."""

    enter: Dense
    layers: Exchange  # all of them: each array has a leading axis, so that one compiled program does for all
    norm: LayerNorm
    leave: TwoLayers
    gate: Dense
    vectors: int = eqx.field(static=True)

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        features: int,
        vectors: int,
        functions: int,
        layers: int,
        rng: np.random.Generator,
    ):
        """Draw all weights."""
        self.enter = Dense(inputs, features, rng=rng)
        several = [Exchange(features, vectors, functions, rng=rng) for _ in range(layers)]
        self.layers = jax.tree.map(lambda *arrays: jnp.stack(arrays), *several)
        self.norm = LayerNorm(features)
        self.leave = TwoLayers(features, features, outputs, rng=rng)
        self.gate = Dense(features, vectors, rng=rng)
        self.vectors = vectors

    def __call__(
        self, scalars: Float[Array, "G inputs"], pairs: Pairs
    ) -> tuple[Float[Array, "G outputs"], Float[Array, "G 3"]]:
        """Invariant outputs and vectors of all blocks; rows of padding mean nothing."""
        h = self.enter(scalars)
        v = jnp.zeros((len(h), 3, self.vectors), h.dtype)
        (h, v), _ = jax.lax.scan(lambda state, layer: (layer(*state, pairs), None), (h, v), self.layers)
        h = self.norm(h)
        return self.leave(h), jnp.sum(self.gate(h)[:, None] * v, axis=-1)


def masked_mean(values: Float[Array, "G F"], mask: Bool[Array, " G"]) -> Float[Array, " F"]:
    """Mean over real blocks."""
    weight = mask.astype(values.dtype)
    return weight @ values / jnp.maximum(weight.sum(), 1.0)


def _length(vectors: Float[Array, "... 3 C"]) -> Float[Array, "... C"]:
    return jnp.sqrt(jnp.sum(vectors**2, axis=-2) + _SOFT**2) - _SOFT


def _root_of_count(pairs: Pairs) -> Float[Array, "G 1"]:
    return jnp.sqrt(jnp.maximum(pairs.real.sum(axis=1).astype(pairs.radial.dtype), 1.0))[:, None]
