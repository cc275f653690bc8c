"""The generative model, and the loss that it is trained with.

| symbol | variable |
|---|---|
| x_0, x_t | `fractional`, `noisy_places`: places, fractional |
| h_0, h_t | `embedding`, `noisy`: standardised embeddings |
| z | `latent` |
| s_t, A_t | `sigma`, `alpha_bar` of `schedules` |
| d | `displacement`: nearest image of x_t - x_0, less its mean, in units of the cube root of the volume |

L = mean_blocks 0.5 |d_predicted - d|^2 / s_t^2 + mean_blocks |e_predicted - e|^2 + cross entropies of both counts
    + mean square errors of lattice and labels + 0.01 KL
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from helio.cells import inverse
from helio.frameworks.model.equivariant import EquivariantNetwork, masked_mean
from helio.frameworks.model.heads import LatentHeads, LatentReading, read_latent
from helio.frameworks.model.pairs import Pairs, make_pairs
from helio.frameworks.model.schedules import Schedule
from helio.frameworks.model.terms import class_term, numeric_term, square_term
from helio.frameworks.model.torus import length_unit, minimum_image, wrap
from helio.frameworks.model.vae import LatentEncoder
from helio.train.loss import Term

_TIMES = 16  # frequencies of the time's features


class FrameworkBatch(eqx.Module):
    """B frameworks and the N draws of noise that each is shown with."""

    fractional: Any  # (B, G, 3)
    cell: Any  # (B, 3, 3) A, reduced
    embedding: Any  # (B, G, C) standardised
    mask: Any  # (B, G)
    count: Any  # (B,) of blocks
    nodes: Any  # (B,) of blocks that are nodes
    lattice: Any  # (B, 6) standardised
    labels: Any  # (B, L) standardised, 0 where unknown
    known: Any  # (B, L)
    step: Any  # (B, N) t in 1 ... T
    place_noise: Any  # (B, N, G, 3)
    embedding_noise: Any  # (B, N, G, C)
    latent_noise: Any  # (B, D)
    index: Any  # (B,)
    real: Any  # (B,)


class GenerativeModel(eqx.Module):
    """Encoder, heads and the denoiser of places and embeddings."""

    encoder: LatentEncoder
    heads: LatentHeads
    denoiser: EquivariantNetwork
    reach: int = eqx.field(static=True)

    def __init__(
        self,
        *,
        channels: int,
        latent: int,
        labels: int,
        features: int,
        pair: int,
        reach: int,
        layers: int,
        encoder_layers: int,
        rng: np.random.Generator,
    ):
        """Draw all weights."""
        sizes = {"features": features, "pair": pair, "reach": reach}
        self.encoder = LatentEncoder(channels, latent, **sizes, layers=encoder_layers, rng=rng)
        self.heads = LatentHeads(latent, labels, hidden=2 * features, rng=rng)
        self.denoiser = EquivariantNetwork(
            channels + 2 * _TIMES + latent + 6, channels, **sizes, layers=layers, rng=rng
        )
        self.reach = reach

    def pairs(self, fractional: Float[Array, "G 3"], cell: Float[Array, "3 3"], mask: Bool[Array, " G"]) -> Pairs:
        """What the networks see of places."""
        return make_pairs(fractional, cell, mask, reach=self.reach)

    def denoise(
        self,
        noisy: Float[Array, "G C"],
        pairs: Pairs,
        latent: Float[Array, " D"],
        lattice: Float[Array, " 6"],
        mask: Bool[Array, " G"],
        time: Float[Array, ""],
    ) -> tuple[Float[Array, "G 3"], Float[Array, "G C"]]:
        """D / s_t, of mean zero over blocks, and the noise in the embeddings; `time` is t / T."""
        frequencies = jnp.pi * jnp.arange(1, _TIMES + 1, dtype=noisy.dtype)
        times = jnp.concatenate([jnp.sin(frequencies * time), jnp.cos(frequencies * time)])
        same = jnp.concatenate([times, latent, lattice])
        scalars = jnp.concatenate([noisy, jnp.broadcast_to(same, (len(noisy), len(same)))], axis=-1)
        noise, vectors = self.denoiser(scalars, pairs)
        return vectors - masked_mean(vectors, mask), noise

    def encode(self, embedding: Array, pairs: Pairs, lattice: Array, mask: Array, count: Array) -> tuple[Array, Array]:
        """Mean and log variance of the latent of a clean framework."""
        return self.encoder(embedding, pairs, lattice, mask, count)

    def read(self, latent: Float[Array, "... D"]) -> LatentReading:
        """What the heads say of latents."""
        return read_latent(self.heads, latent)


class Residuals(eqx.Module):
    """What a model gets wrong about one framework."""

    displacement: Float[Array, "N G 3"]  # in units of s_t
    embedding: Float[Array, "N G C"]
    reading: LatentReading
    divergence: Float[Array, ""]  # KL of the latent from a standard normal


@dataclass(frozen=True)
class DiffusionLoss:
    """The loss over a batch; terms as in the paper."""

    schedule: Schedule
    kl_weight: float = 0.01
    places_weight: float = 1.0

    @property
    def weights(self) -> Mapping[str, float]:
        """By name of the term."""
        names = ("places", "embeddings", "count", "nodes", "lattice", "labels")
        return dict.fromkeys(names, 1.0) | {"places": self.places_weight, "divergence": self.kl_weight}

    def __call__(self, model: GenerativeModel, batch: FrameworkBatch) -> dict[str, Term]:
        """Sums over the frameworks of a batch."""
        found: Residuals = jax.vmap(self.residuals, in_axes=(None, 0))(model, batch)
        blocks = jnp.broadcast_to((batch.mask & batch.real[:, None])[:, None], found.displacement.shape[:-1])
        moved = jnp.sum(found.displacement**2, axis=-1)
        changed = jnp.sum(found.embedding**2, axis=-1)
        known = batch.known & batch.real[:, None]
        every = jnp.broadcast_to(batch.real[:, None], found.reading.lattice.shape)
        return {
            "places": numeric_term(0.5 * moved, _root(moved), blocks),
            "embeddings": numeric_term(changed, _root(changed), blocks),
            "count": class_term(found.reading.count, batch.count, batch.real),
            "nodes": class_term(found.reading.nodes, batch.nodes, batch.real),
            "lattice": square_term(found.reading.lattice - batch.lattice, every),
            "labels": square_term(found.reading.labels - batch.labels, known),
            "divergence": numeric_term(found.divergence, found.divergence, batch.real),
        }

    def residuals(self, model: GenerativeModel, one: FrameworkBatch) -> Residuals:
        """Of one framework, whose arrays have no leading axis."""
        clean = model.pairs(one.fractional, one.cell, one.mask)
        mean, log_variance = model.encode(one.embedding, clean, one.lattice, one.mask, one.count)
        latent = mean + jnp.exp(0.5 * log_variance) * one.latent_noise
        divergence = 0.5 * jnp.sum(mean**2 + jnp.exp(log_variance) - 1 - log_variance)
        draws = jax.vmap(lambda *drawn: self._of_draw(model, one, latent, *drawn))
        moved, changed = draws(one.step, one.place_noise, one.embedding_noise)
        return Residuals(moved, changed, model.read(latent), divergence)

    def _of_draw(
        self, model: GenerativeModel, one: FrameworkBatch, latent: Array, step: Array, place: Array, own: Array
    ) -> tuple[Float[Array, "G 3"], Float[Array, "G C"]]:
        """What is wrong of displacements and embeddings for one draw of noise."""
        kind = one.embedding.dtype
        sigma = jnp.asarray(self.schedule.sigmas, kind)[step]
        alpha_bar = jnp.asarray(self.schedule.alpha_bars, kind)[step]
        noisy_places, displacement = displaced(one.fractional, one.cell, one.mask, sigma, place)
        noisy = jnp.sqrt(alpha_bar) * one.embedding + jnp.sqrt(1 - alpha_bar) * own
        pairs = model.pairs(noisy_places, one.cell, one.mask)
        time = step.astype(kind) / self.schedule.steps
        moved, noise = model.denoise(noisy, pairs, latent, one.lattice, one.mask, time)
        return moved - displacement / sigma, noise - own


def displaced(
    fractional: Float[Array, "G 3"],
    cell: Float[Array, "3 3"],
    mask: Bool[Array, " G"],
    sigma: Float[Array, ""],
    noise: Float[Array, "G 3"],
) -> tuple[Float[Array, "G 3"], Float[Array, "G 3"]]:
    """x_t and d for noise that is standard normal.

    That the mean of d is taken off changes no gradient: predictions have none, as nothing tells a crystal from the
    same crystal moved.
    """
    unit = length_unit(cell)
    step = sigma * noise @ inverse(cell / unit)
    vector, _ = minimum_image(step, cell / unit)
    return wrap(fractional + step), vector - masked_mean(vector, mask)


def displacement_between(
    before: Float[Array, "G 3"], after: Float[Array, "G 3"], cell: Float[Array, "3 3"]
) -> Float[Array, "G 3"]:
    """Nearest images of after - before in units of the cube root of the volume."""
    return minimum_image(after - before, cell / length_unit(cell))[0]


def _root(square: Array) -> Array:
    return jnp.sqrt(jnp.maximum(square, 1e-12))
