"""The padded layout that every kernel reads."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


class NeighborList(eqx.Module):
    """Row i holds the neighbours of atom i; free places hold the number N, which is no atom.

    The vector from atom i to its k-th neighbour is ``r[index[i, k]] - r[i] + shift[i, k] @ cell``. `shift` is None
    where nothing is periodic.
    """

    index: Int[Array, "N K"]
    shift: Int[Array, "N K 3"] | None
    overflow: Bool[Array, ""]  # a row had more than K neighbours: the list must not be used

    @property
    def mask(self) -> Bool[Array, "N K"]:
        """True where a place holds a neighbour."""
        return self.index < self.index.shape[-2]


class Neighbors(eqx.Module):
    """The lists of one system: the network's, and the long-range terms'."""

    short: NeighborList
    long: NeighborList
    # Integer triples of the reciprocal lattice, one of each pair +-k, for the Ewald sum; None without it.
    reciprocal: Int[Array, "V 3"] | None = None


def pair_vectors(
    neighbors: NeighborList, positions: Float[Array, "N 3"], cell: Float[Array, "3 3"]
) -> Float[Array, "N K 3"]:
    """Vectors r_ij = r_j - r_i + S @ cell in A; free places get the vector (0, 0, 0)."""
    gathered = positions.at[neighbors.index].get(mode="fill", fill_value=0)
    vectors = gathered - positions[:, None, :]
    if neighbors.shift is not None:
        vectors = vectors + neighbors.shift.astype(cell.dtype) @ cell
    return jnp.where(neighbors.mask[..., None], vectors, 0)
