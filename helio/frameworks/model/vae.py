"""The encoder: from a framework to the mean and the variance of its latent."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from helio.frameworks.model.equivariant import EquivariantNetwork, masked_mean
from helio.frameworks.model.heads import MOST_BLOCKS
from helio.frameworks.model.pairs import Pairs
from helio.network.dense import Dense, TwoLayers

_LOG_VARIANCE = 5.0  # within plus and minus this


class LatentEncoder(eqx.Module):
    """The equivariant network on a clean framework, then its mean and maximum over blocks."""

    network: EquivariantNetwork
    pooled: TwoLayers
    mean: TwoLayers
    log_variance: Dense

    def __init__(
        self,
        channels: int,
        latent: int,
        *,
        features: int,
        pair: int,
        reach: int,
        layers: int,
        rng: np.random.Generator,
    ):
        """Draw all weights."""
        self.network = EquivariantNetwork(
            channels + 6, features, features=features, pair=pair, reach=reach, layers=layers, rng=rng
        )
        self.pooled = TwoLayers(2 * features, 2 * features, features, rng=rng)
        self.mean = TwoLayers(features + 6 + MOST_BLOCKS + 1, 2 * features, latent, rng=rng)
        self.log_variance = Dense(features, latent, rng=rng)

    def __call__(
        self,
        embedding: Float[Array, "G C"],
        pairs: Pairs,
        lattice: Float[Array, " 6"],
        mask: Bool[Array, " G"],
        count: Int[Array, ""],
    ) -> tuple[Float[Array, " D"], Float[Array, " D"]]:
        """Mean and logarithm of the variance.

        Args:
            embedding: standardised.
            pairs: of the blocks' places.
            lattice: standardised.
            mask: which blocks are real.
            count: their number.
        """
        scalars = jnp.concatenate([embedding, jnp.broadcast_to(lattice, (len(embedding), 6))], axis=-1)
        out, _ = self.network(scalars, pairs)
        most = jnp.max(jnp.where(mask[:, None], out, -1e9), axis=0)
        pooled = self.pooled(jnp.concatenate([masked_mean(out, mask), most]))
        known = jnp.concatenate([pooled, lattice, jax.nn.one_hot(count, MOST_BLOCKS + 1, dtype=pooled.dtype)])
        return self.mean(known), jnp.clip(self.log_variance(pooled), -_LOG_VARIANCE, _LOG_VARIANCE)
