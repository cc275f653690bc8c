"""One layer of SO3krates: attention, residual network, exchange between features and Euclidean variables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from helio.kernels import UpdateSettings, UpdateWeights, projected, updated
from helio.network.attention import Filter, attention
from helio.network.dense import Dense, LayerNorm, TwoLayers, normal
from helio.network.geometry import PairGeometry
from helio.network.harmonics import invariants, spread_over_components
from helio.network.tabulated import TabulatedPairs


class HeadProjection(eqx.Module):
    """One matrix per head: y_h = W_h x_h, without bias."""

    blocks: Float[Array, "H out in"]

    def __init__(self, features: int, heads: int, *, rng: np.random.Generator):
        """Draw the blocks from a normal distribution of variance 1/width."""
        width = features // heads
        self.blocks = normal(rng, (heads, width, width), variance=1 / width)

    def __call__(self, x: Float[Array, "N F"]) -> Float[Array, "N F"]:
        """Project each head's slice of the features."""
        return x @ self.matrix()

    def matrix(self) -> Float[Array, "F F"]:
        """The blocks as one matrix (in, out): for atoms, one large product is faster than many small ones."""
        return jax.scipy.linalg.block_diag(*jnp.swapaxes(self.blocks, 1, 2))


class Layer(eqx.Module):
    """Attention on pairs, then three node-wise steps; the second layer norm comes last."""

    filters: tuple[Filter, Filter]
    query: tuple[HeadProjection, HeadProjection]
    key: tuple[HeadProjection, HeadProjection]
    value: HeadProjection
    norm_attention: LayerNorm
    residual: TwoLayers
    exchange: Dense
    norm_exchange: LayerNorm
    num_heads: int = eqx.field(static=True)
    degrees: tuple[int, ...] = eqx.field(static=True)
    average_neighbors: float = eqx.field(static=True)

    def __init__(
        self,
        *,
        features: int,
        num_heads: int,
        degrees: Sequence[int],
        num_radial: int,
        spherical_hidden: int,
        average_neighbors: float,
        rng: np.random.Generator,
    ):
        """Draw all parameters."""
        num_degrees = len(degrees)

        def both(make: Callable[[int], Any]) -> tuple[Any, Any]:
            return make(num_heads), make(num_degrees)

        self.filters = both(lambda _: Filter(num_radial, num_degrees, features, spherical_hidden, rng=rng))
        self.query = both(lambda heads: HeadProjection(features, heads, rng=rng))
        self.key = both(lambda heads: HeadProjection(features, heads, rng=rng))
        self.value = HeadProjection(features, num_heads, rng=rng)
        self.norm_attention = LayerNorm(features)
        self.residual = TwoLayers(features, features, features, rng=rng)
        self.exchange = Dense(features + num_degrees, features + num_degrees, rng=rng)
        self.norm_exchange = LayerNorm(features)
        self.num_heads = num_heads
        self.degrees = tuple(degrees)
        self.average_neighbors = average_neighbors

    def __call__(
        self, x: Float[Array, "N F"], chi: Float[Array, "N M"] | None, pairs: PairGeometry | TabulatedPairs, number: int
    ) -> tuple[Float[Array, "N F"], Float[Array, "N M"]]:
        """New features and Euclidean variables; `chi` None stands for zero, `number` is that of the layer."""
        compiled = isinstance(pairs, TabulatedPairs) and pairs.compiled_atoms
        projections = (*self.query, *self.key, self.value)
        if compiled:
            q1, q2, k1, k2, value = projected([projection.blocks for projection in projections], x)
        else:
            q1, q2, k1, k2, value = (projection(x) for projection in projections)
        if isinstance(pairs, TabulatedPairs):
            dx, dchi = pairs.attention(number, (q1, q2), (k1, k2), value, chi)
        else:
            dx, dchi = attention(
                self.filters,
                (q1, q2),
                (k1, k2),
                value,
                chi,
                pairs,
                num_heads=self.num_heads,
                degrees=self.degrees,
                average_neighbors=self.average_neighbors,
            )
        if compiled:
            return updated(self._update_weights(), self._update_settings(), x, dx, chi, dchi)
        return self._updated(x, dx, chi, dchi)

    def _updated(
        self,
        x: Float[Array, "N F"],
        dx: Float[Array, "N F"],
        chi: Float[Array, "N M"] | None,
        dchi: Float[Array, "N M"],
    ) -> tuple[Float[Array, "N F"], Float[Array, "N M"]]:
        """The residual network, and the exchange between features and Euclidean variables."""
        x = self.norm_attention(x + dx)
        chi = dchi if chi is None else chi + dchi
        x = x + self.residual(jax.nn.silu(x))
        mixed = self.exchange(jnp.concatenate([x, invariants(chi, self.degrees)], axis=-1))
        features = x.shape[-1]
        scale = mixed[:, features:]
        x = self.norm_exchange(x + mixed[:, :features])
        chi = chi + scale @ spread_over_components(self.degrees, chi.dtype) * chi
        return x, chi

    def _update_weights(self) -> UpdateWeights:
        first, second = self.residual.first, self.residual.second
        assert first.bias is not None and second.bias is not None and self.exchange.bias is not None
        return UpdateWeights(
            self.norm_attention.scale,
            self.norm_attention.bias,
            first.kernel,
            first.bias,
            second.kernel,
            second.bias,
            self.exchange.kernel,
            self.exchange.bias,
            self.norm_exchange.scale,
            self.norm_exchange.bias,
        )

    def _update_settings(self) -> UpdateSettings:
        return UpdateSettings(self.degrees, self.norm_attention.epsilon)
