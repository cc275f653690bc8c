"""What is read off a latent: numbers of blocks and of nodes, the lattice and the labels."""

from __future__ import annotations

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from helio.network.dense import TwoLayers

MOST_BLOCKS = 20  # of a cell, as in the paper


class LatentHeads(eqx.Module):
    """A small network for each."""

    count: TwoLayers
    nodes: TwoLayers
    lattice: TwoLayers
    labels: TwoLayers

    def __init__(self, latent: int, labels: int, *, hidden: int, rng: np.random.Generator):
        """Draw all weights."""
        self.count, self.nodes = (TwoLayers(latent, hidden, MOST_BLOCKS + 1, rng=rng) for _ in range(2))
        self.lattice = TwoLayers(latent, hidden, 6, rng=rng)
        self.labels = TwoLayers(latent, hidden, labels, rng=rng)


class LatentReading(eqx.Module):
    """What the heads say of one latent or many."""

    count: Float[Array, "... 21"]  # logits
    nodes: Float[Array, "... 21"]  # logits
    lattice: Float[Array, "... 6"]  # standardised
    labels: Float[Array, "... L"]  # standardised


def read_latent(heads: LatentHeads, latent: Float[Array, "... D"]) -> LatentReading:
    """All heads."""
    return LatentReading(heads.count(latent), heads.nodes(latent), heads.lattice(latent), heads.labels(latent))
