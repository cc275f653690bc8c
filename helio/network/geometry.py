"""What the network sees of a pair of atoms."""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from helio.network.harmonics import spherical_harmonics
from helio.network.radial import bernstein_basis
from helio.neighbors import NeighborList
from helio.physics.switching import quintic_cutoff


class PairGeometry(eqx.Module):
    """Pairs within the cutoff, in the layout of the short list."""

    index: Int[Array, "N K"]
    inside: Bool[Array, "N K"]
    distance: Float[Array, "N K"]  # A; the cutoff itself where there is no pair
    basis: Float[Array, "N K R"]
    envelope: Float[Array, "N K"]  # c(d), zero where there is no pair
    harmonics: Float[Array, "N K M"]

    @classmethod
    def measure(
        cls,
        neighbors: NeighborList,
        vectors: Float[Array, "N K 3"],
        distance: Float[Array, "N K"],
        inside: Bool[Array, "N K"],
        *,
        cutoff: float,
        num_radial: int,
        gamma: float,
        degrees: Sequence[int],
    ) -> PairGeometry:
        """Evaluate basis, cutoff function and harmonics of `vectors` (A)."""
        x_axis = jnp.asarray([1, 0, 0], vectors.dtype)
        unit = jnp.where(inside[..., None], vectors / distance[..., None], x_axis)
        return cls(
            index=neighbors.index,
            inside=inside,
            distance=distance,
            basis=bernstein_basis(distance, size=num_radial, gamma=gamma),
            envelope=jnp.where(inside, quintic_cutoff(distance, cutoff), 0),
            harmonics=spherical_harmonics(unit, degrees),
        )
