"""SO3krates: features and Euclidean variables of atoms, refined by attention over neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from helio.network.embedding import Embedding
from helio.network.geometry import PairGeometry
from helio.network.layer import Layer
from helio.network.tabulated import TabulatedPairs


class SO3krates(eqx.Module):
    """Embedding and layers (Frank et al., Nat. Commun. 2024; in the form of SO3LR, JACS 2025)."""

    embedding: Embedding
    layers: tuple[Layer, ...]

    def __init__(
        self,
        *,
        num_layers: int,
        features: int,
        num_heads: int,
        degrees: Sequence[int],
        num_radial: int,
        spherical_hidden: int,
        average_neighbors: float,
        rng: np.random.Generator,
    ):
        """Draw all parameters."""
        self.embedding = Embedding(features, rng=rng)
        self.layers = tuple(
            Layer(
                features=features,
                num_heads=num_heads,
                degrees=degrees,
                num_radial=num_radial,
                spherical_hidden=spherical_hidden,
                average_neighbors=average_neighbors,
                rng=rng,
            )
            for _ in range(num_layers)
        )

    def __call__(
        self,
        atomic_numbers: Int[Array, " N"],
        total_charge: Float[Array, ""],
        unpaired_electrons: Float[Array, ""],
        atom_mask: Bool[Array, " N"],
        pairs: PairGeometry | TabulatedPairs,
    ) -> Float[Array, "N F"]:
        """Final features (N, F) of every atom."""
        x = self.embedding(atomic_numbers, total_charge, unpaired_electrons, atom_mask, pairs.rows)
        chi = None
        for number, layer in enumerate(self.layers):
            x, chi = layer(x, chi, pairs, number)
        return x
