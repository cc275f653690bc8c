"""Refinement of a forecast: a score network leads a sampled next frame to where frames are likely.

Annealed Langevin steps (Song and Ermon, NeurIPS 2019, arXiv 1907.05600) with the network's score net / sigma, at all
levels sigma from the largest down: x <- x + eta_s net(x) / sigma + (2 eta_s)^(1/2) z. Published is a constant eta_s;
the usual rule is eta_s = eta (sigma / sigma_min)^2. Lengths are in units of the rms step.

Training: x' = x + sigma z with the true next frame x; the loss |net(x') + z|^2 / 2 makes net / sigma the score.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from helio.coarse.network.architecture import Architecture, RefinementChoice
from helio.coarse.network.geometry import PairGeometry, lengths
from helio.coarse.network.graph_network import MLP
from helio.coarse.network.pair_network import PairNetwork
from helio.coarse.network.standardise import Scales
from helio.coarse.topology import Topology


class Score(PairNetwork):
    """net(x): sigma times the score of positions, given the latents of the dynamics; blind to sigma."""

    decode: MLP
    equivariant: bool = eqx.field(static=True)

    def __init__(self, architecture: Architecture, scales: Scales, *, rng: np.random.Generator) -> None:
        a = architecture
        self.equivariant = a.form == "equivariant"
        super().__init__(a.width, 1 if self.equivariant else 4, architecture, scales, rng=rng)
        self.decode = MLP(
            a.width, a.width, 1 if self.equivariant else 3, hidden_layers=a.hidden_layers, rng=rng, zero=True
        )

    def __call__(self, nodes: Float[Array, "G F"], topology: Topology, geometry: PairGeometry) -> Float[Array, "G 3"]:
        """The network's output at the positions that the pairs were made of."""
        away = geometry.vectors / self.scales.bond
        distance = lengths(away)[:, :, None]
        edges = [distance] if self.equivariant else [away, distance]
        found, latents = self.latents([nodes], edges, topology, geometry)
        if not self.equivariant:
            return self.decode(found)
        return jnp.sum(jnp.where(geometry.pairs.mask[:, :, None], self.decode(latents), 0) * away, axis=1)


def eta_of(choice: RefinementChoice) -> np.ndarray:
    """The step length at each level, in squares of the rms step."""
    sigmas = np.array(choice.sigmas)
    constant = np.full(len(sigmas), choice.eta)
    return constant if choice.rule == "constant" else constant * (sigmas / sigmas[-1]) ** 2


def langevin_step(
    offset: Float[Array, "G 3"], net: Float[Array, "G 3"], *, sigma: Array, eta: Array, key: Array
) -> Float[Array, "G 3"]:
    """One step of the refinement, in units of the rms step."""
    noise = jax.random.normal(key, offset.shape, offset.dtype)
    return offset + eta / sigma * net + jnp.sqrt(2 * eta) * noise
