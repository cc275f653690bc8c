"""The distribution of the next step: a Gaussian, whose noise may be shared between groups.

Standardised, for each axis on its own: y = mean + spread * (z + M z) + s_min z', z and z' of independent standard
normal numbers, M_ij for the pairs that see each other. With M = 0 (and no z') this is the published model, where every
group has noise of its own. A group's surroundings kick its neighbours, too; in large steps that decides how fast the
whole molecule diffuses, since the variance of its centre's step is the sum over all of the covariance.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from helio.coarse.network.geometry import PairGeometry


class Forecast(eqx.Module):
    """Of G groups, in units of the rms target."""

    mean: Float[Array, "G 3"]
    spread: Float[Array, "G A"]  # A is 3, or 1 for all axes alike
    mixing: Float[Array, "G K"] | None  # M, by pairs; None where noise is independent
    nodes: Float[Array, "G F"]  # latents, for heads


def negative_log_likelihood(
    forecast: Forecast,
    geometry: PairGeometry,
    target: Float[Array, "G 3"],
    *,
    least_spread: float,
    mask: Float[Array, " G"],
) -> Float[Array, ""]:
    """-log p(target) summed over the real groups and three axes; `mask` is one for real groups, else zero."""
    error = jnp.where(mask[:, None] > 0, target - forecast.mean, 0)
    spread = jnp.where(mask[:, None] > 0, forecast.spread, 1)
    constant = 1.5 * np.log(2 * np.pi) * jnp.sum(mask)
    if forecast.mixing is None:
        logs = jnp.sum(jnp.log(spread)) * (3 / spread.shape[1])
        return 0.5 * jnp.sum((error / spread) ** 2) + logs + constant
    mixed = jnp.eye(len(error), dtype=error.dtype) + _dense(forecast.mixing, geometry)
    floor = least_spread**2 * jnp.where(mask > 0, 1, 0).astype(error.dtype)

    def of_axes(spread: Float[Array, " G"], error: Float[Array, "G C"]) -> Float[Array, ""]:
        root = spread[:, None] * mixed
        factor = jnp.linalg.cholesky(root @ root.T + jnp.diag(floor))
        away = jax.scipy.linalg.solve_triangular(factor, error, lower=True)
        return 0.5 * jnp.sum(away**2) + error.shape[1] * jnp.sum(jnp.log(jnp.diag(factor)))

    if spread.shape[1] == 1:
        return of_axes(spread[:, 0], error) + constant
    return sum(of_axes(spread[:, a], error[:, a : a + 1]) for a in range(3)) + constant


def draw(forecast: Forecast, geometry: PairGeometry, key: Array, *, least_spread: float) -> Float[Array, "G 3"]:
    """A sample; the numbers of a group do not depend on how many groups of padding follow."""
    own, rest = jax.random.split(key)
    noise = jax.random.normal(own, forecast.mean.shape, forecast.mean.dtype)
    if forecast.mixing is None:
        return forecast.mean + forecast.spread * noise
    shared = jnp.sum(forecast.mixing[:, :, None] * geometry.pairs.senders(noise), axis=1)
    least = least_spread * jax.random.normal(rest, noise.shape, noise.dtype)
    return forecast.mean + forecast.spread * (noise + shared) + least


def _dense(mixing: Float[Array, "G K"], geometry: PairGeometry) -> Float[Array, "G G"]:
    sender = geometry.pairs.sender
    if sender is None:
        return mixing
    rows = jnp.arange(len(mixing), dtype=jnp.int32)[:, None]
    return jnp.zeros((len(mixing), len(mixing)), mixing.dtype).at[rows, sender].add(mixing, mode="drop")
