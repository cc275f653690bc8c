"""The network: numbers of blocks, exchanged between all pairs, and a displacement of each block.

Of places it sees waves of fractional differences, and what it says of a displacement are fractional components too,
which the cell turns into a vector. So scalars do not change and vectors turn with the crystal, mirror images included,
nothing depends on the origin, on images or on the order of blocks.

The numbers of a pair come from its waves times what both blocks are: a product lets latent, lattice and kinds of
blocks choose where on the torus a pair belongs. Displacements are summed over pairs directly, as a block's noise is
told by its distances from all others.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from helio.frameworks.model.pairs import Pairs, wave_vectors
from helio.network.dense import Dense, LayerNorm, TwoLayers

_HEADS = 4  # of the attention


class Exchange(eqx.Module):
    """One layer: what each block learns of all others, and then makes of it."""

    norm: LayerNorm
    own: Dense
    other: Dense
    waves: Dense
    hidden: Dense
    weights: Dense
    values: Dense
    after: Dense
    update: TwoLayers
    move: Dense

    def __init__(self, features: int, pair: int, waves: int, *, rng: np.random.Generator):
        """Draw all weights."""
        self.norm = LayerNorm(features)
        self.own = Dense(features, 2 * pair, rng=rng)
        self.other = Dense(features, 2 * pair, rng=rng, bias=False)
        self.waves = Dense(waves, pair, rng=rng)
        self.hidden = Dense(pair, pair, rng=rng)
        self.weights = Dense(pair, _HEADS, rng=rng)
        self.values = Dense(features, features, rng=rng, bias=False)
        self.after = Dense(features + pair, features, rng=rng)
        self.update = TwoLayers(features, 2 * features, features, rng=rng)
        self.move = Dense(pair, 3, rng=rng, bias=False)

    def __call__(
        self, h: Float[Array, "G F"], moved: Float[Array, "G 3"], pairs: Pairs
    ) -> tuple[Float[Array, "G F"], Float[Array, "G 3"]]:
        """Numbers of blocks and fractional displacements after the layer."""
        normal = self.norm(h)
        offset, factor = jnp.split(self.own(normal)[:, None] + self.other(normal)[None], 2, axis=-1)
        pair = jax.nn.silu(offset + self.waves(pairs.waves) * (1 + factor))
        pair = jax.nn.silu(self.hidden(pair))
        real = pairs.real[:, :, None]
        attention = jax.nn.softmax(jnp.where(real, self.weights(pair), -1e9), axis=1)
        values = self.values(normal).reshape(len(h), _HEADS, -1)
        attended = jnp.einsum("ijn,jnf->inf", attention, values).reshape(h.shape)
        count = jnp.maximum(pairs.real.sum(axis=1).astype(h.dtype), 1.0)[:, None]
        mean = jnp.where(real, pair, 0.0).sum(axis=1) / count
        h = h + self.after(jnp.concatenate([attended, mean], axis=-1))
        return h + self.update(h), moved + self.move(mean)


class EquivariantNetwork(eqx.Module):
    """Numbers of blocks and their places in; numbers, and one vector for each block, out."""

    enter: TwoLayers
    layers: Exchange  # all of them: each array has a leading axis, so that one compiled program does for all
    norm: LayerNorm
    leave: TwoLayers
    place: TwoLayers

    def __init__(
        self, inputs: int, outputs: int, *, features: int, pair: int, reach: int, layers: int, rng: np.random.Generator
    ):
        """Draw all weights."""
        self.enter = TwoLayers(inputs, 2 * features, features, rng=rng)
        waves = 2 * len(wave_vectors(reach))
        several = [Exchange(features, pair, waves, rng=rng) for _ in range(layers)]
        self.layers = jax.tree.map(lambda *arrays: jnp.stack(arrays), *several)
        self.norm = LayerNorm(features)
        self.leave = TwoLayers(features, features, outputs, rng=rng)
        self.place = TwoLayers(features, features, 3, rng=rng)

    def __call__(
        self, scalars: Float[Array, "G inputs"], pairs: Pairs
    ) -> tuple[Float[Array, "G outputs"], Float[Array, "G 3"]]:
        """Invariant outputs and vectors of all blocks; rows of padding mean nothing."""
        h = self.enter(scalars)
        moved = jnp.zeros((len(h), 3), h.dtype)

        def step(state: tuple[Array, Array], layer: Exchange) -> tuple[tuple[Array, Array], None]:
            return layer(*state, pairs), None

        (h, moved), _ = jax.lax.scan(step, (h, moved), self.layers, unroll=True)
        h = self.norm(h)
        return self.leave(h), (moved + self.place(h)) @ pairs.cell


def masked_mean(values: Float[Array, "G F"], mask: Bool[Array, " G"]) -> Float[Array, " F"]:
    """Mean over real blocks."""
    weight = mask.astype(values.dtype)
    return weight @ values / jnp.maximum(weight.sum(), 1.0)
