"""Wishes during the diffusion: the gradient of a label, as the encoder tells it from a framework without noise.

At each step the clean framework that the denoiser expects, x^ and h^, is encoded and the label y read off the latent's
mean. The clean framework is then moved uphill of the wish w(y), the more the more noise there is still,

h^ <- h^ + g (1 - A_t) dw/dh^,  x^ <- x^ + g s_t^2 / (1 + s_t^2) dw/dx^

with w(y) = -(y - target)^2 / 2, or y or -y for the most or least of it; y is standardised.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from helio.cells import inverse
from helio.frameworks.model.diffusion import GenerativeModel
from helio.frameworks.model.torus import length_unit

# Longest change of a block's embedding or place by a gradient, per unit of strength.
_LONGEST = 1.0


class Guidance(eqx.Module):
    """What is wanted, and how strongly."""

    wanted: Float[Array, " L"]  # standardised labels
    weight: Float[Array, " L"]  # 1 for labels that have a target
    direction: Float[Array, " L"]  # 1 or -1 for labels of which the most or the least is wanted
    strength: Float[Array, ""]  # g


class CleanGuess(eqx.Module):
    """What a framework is expected to be without noise."""

    fractional: Float[Array, "G 3"]
    embedding: Float[Array, "G C"]


def guided(
    model: GenerativeModel,
    guess: CleanGuess,
    guidance: Guidance,
    cell: Float[Array, "3 3"],
    lattice: Float[Array, " 6"],
    mask: Bool[Array, " G"],
    count: Int[Array, ""],
    sigma: Float[Array, ""],
    alpha_bar: Float[Array, ""],
) -> tuple[Float[Array, "G 3"], Float[Array, "G C"]]:
    """Changes of the clean framework: of places, Cartesian in units of the cube root of the volume; of embeddings."""
    unit = cell / length_unit(cell)

    def wish(moved: Array, embedding: Array) -> Array:
        pairs = model.pairs(guess.fractional + moved @ inverse(unit), cell, mask)
        mean, _ = model.encode(embedding, pairs, lattice, mask, count)
        labels = model.read(mean).labels
        return jnp.sum(guidance.direction * labels - 0.5 * guidance.weight * (labels - guidance.wanted) ** 2)

    places, embeddings = jax.grad(wish, argnums=(0, 1))(jnp.zeros_like(guess.fractional), guess.embedding)
    g = guidance.strength
    moved = g * sigma**2 / (1 + sigma**2) * _shortened(places, mask)
    return moved, g * (1 - alpha_bar) * _shortened(embeddings, mask)


def _shortened(gradient: Float[Array, "G X"], mask: Bool[Array, " G"]) -> Float[Array, "G X"]:
    """Rows of real blocks, none longer than allowed."""
    length = jnp.sqrt(jnp.sum(gradient**2, axis=-1, keepdims=True) + 1e-12)
    return jnp.where(mask[:, None], gradient * jnp.minimum(1.0, _LONGEST / length), 0.0)
