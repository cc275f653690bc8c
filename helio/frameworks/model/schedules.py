"""How noise grows with the step t = 0 ... T, and one step back.

Places, variance exploding on the torus (Song and Ermon, NeurIPS 2019): x_t = wrap(x_0 + s_t e), s_t log-spaced.
Embeddings, variance preserving (Ho, Jain, Abbeel, NeurIPS 2020) with the cosine schedule of Nichol and Dhariwal, ICML
2021: h_t = sqrt(A_t) h_0 + sqrt(1 - A_t) e.

| symbol | variable |
|---|---|
| s_t | `sigmas[t]` |
| A_t | `alpha_bars[t]`, product of 1 - b_1 ... 1 - b_t |
| b_t | `betas[t]` |
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

# Nichol and Dhariwal, ICML 2021, section 3.2.
_OFFSET, _LARGEST_BETA = 1e-4, 0.999


@dataclass(frozen=True)
class Schedule:
    """Noise of both kinds at T + 1 levels, the first without any of the second kind."""

    steps: int  # T
    sigma_min: float  # of places at t = 0
    sigma_max: float  # at t = T

    @cached_property
    def sigmas(self) -> np.ndarray:
        """(T + 1,), in the unit of length of the networks."""
        return np.geomspace(self.sigma_min, self.sigma_max, self.steps + 1)

    @cached_property
    def betas(self) -> np.ndarray:
        """(T + 1,); b_0 = 0."""
        time = (np.arange(self.steps + 1) / self.steps + _OFFSET) / (1 + _OFFSET)
        wanted = np.cos(0.5 * np.pi * time) ** 2
        return np.concatenate([[0.0], np.clip(1 - wanted[1:] / wanted[:-1], 0, _LARGEST_BETA)])

    @cached_property
    def alpha_bars(self) -> np.ndarray:
        """(T + 1,); A_0 = 1."""
        return np.cumprod(1 - self.betas)


def place_step(
    displacement: Float[Array, "G 3"], noise: Float[Array, "G 3"], sigma: Array, sigma_before: Array
) -> Float[Array, "G 3"]:
    """What a step back from s_t to s_{t-1} adds to places.

    -d (s_t^2 - s_{t-1}^2) / s_t^2 + sqrt(s_{t-1}^2 (s_t^2 - s_{t-1}^2) / s_t^2) e

    Args:
        displacement: d, expected x_t - x_0 given x_t.
        noise: e, standard normal.
        sigma: s_t.
        sigma_before: s_{t-1}.
    """
    share = 1 - (sigma_before / sigma) ** 2
    return -displacement * share + sigma_before * jnp.sqrt(share) * noise


def embedding_step(
    noisy: Float[Array, "G C"],
    predicted: Float[Array, "G C"],
    noise: Float[Array, "G C"],
    beta: Array,
    alpha_bar: Array,
) -> Float[Array, "G C"]:
    """A step back, to h_{t-1}.

    (h_t - b_t / sqrt(1 - A_t) e_predicted) / sqrt(1 - b_t) + s e with s^2 = b_t (1 - A_{t-1}) / (1 - A_t)

    Args:
        noisy: h_t.
        predicted: the noise in it.
        noise: e, standard normal.
        beta: b_t; at the last levels, where next to nothing is left of h_0, that of an earlier one.
        alpha_bar: A_t.
    """
    mean = (noisy - beta / jnp.sqrt(1 - alpha_bar) * predicted) / jnp.sqrt(1 - beta)
    before = jnp.minimum(alpha_bar / (1 - beta), 1.0)  # of t = 1: no noise is left to add
    return mean + jnp.sqrt(beta * (1 - before) / (1 - alpha_bar)) * noise


def clean_embedding(noisy: Array, predicted: Array, alpha_bar: Array) -> Array:
    """The h_0 for which `predicted` is the noise in h_t."""
    return (noisy - jnp.sqrt(1 - alpha_bar) * predicted) / jnp.sqrt(alpha_bar)
