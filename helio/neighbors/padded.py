"""The padded layout that every kernel reads."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from helio.rows import ALL_ROWS, Rows


class NeighborList(eqx.Module):
    """Row i holds the neighbours of atom i; free places hold the number N, which is no atom.

    The vector from atom i to its k-th neighbour is ``r[index[i, k]] - r[i] + shift[i, k] @ cell``. `shift` is None
    where nothing is periodic. `half` names one of the two places of each pair, for terms that are symmetric in the
    two atoms and need be computed only once; it is None where nobody asked for it, as in the long-range list.

    On several devices each has a block of the rows; numbers of rows and of atoms are those of the whole list.
    """

    index: Int[Array, "N K"]
    shift: Int[Array, "N K 3"] | None
    half: Int[Array, "P 2"] | None  # row and column, sorted by row; free places hold row N; None where not needed
    overflow: Bool[Array, ""]  # a row had more than K neighbours: the list must not be used

    @property
    def mask(self) -> Bool[Array, "N K"]:
        """True where a place holds a neighbour."""
        return self.index < self.index.shape[-2]


class Neighbors(eqx.Module):
    """The lists of one system: the network's, and the long-range terms'."""

    short: NeighborList
    long: NeighborList
    # The atom that stands in each row of the lists; N for none. None where rows are in the order of the atoms. All
    # numbers in the lists are those of rows.
    order: Int[Array, " M"] | None = None
    # Integer triples of the reciprocal lattice, one of each pair +-k, for the Ewald sum; None without it.
    reciprocal: Int[Array, "V 3"] | None = None
    # The most pairs of the short list that may lie within the bare cutoff; the others are left out of the network's
    # work. The energy is NaN where there are more. Zero where all pairs count.
    short_within: int = eqx.field(static=True, default=0)
    # Points of the particle mesh along each cell vector; None without it.
    mesh: tuple[int, int, int] | None = eqx.field(static=True, default=None)


class HalfPairs(eqx.Module):
    """Each pair of atoms once, as flat arrays. Free places hold atom N and the vector zero."""

    first: Int[Array, " P"]
    second: Int[Array, " P"]
    vectors: Float[Array, "P 3"]  # A, from the first to the second atom
    mask: Bool[Array, " P"]  # True where a place holds a pair


def trimmed(pairs: HalfPairs, *, cutoff: float, size: int, count: int) -> tuple[HalfPairs, Bool[Array, ""]]:
    """The pairs of `count` atoms closer than `cutoff` (A), in `size` places; and whether these are too few."""
    inside = pairs.mask & (jnp.sum(pairs.vectors**2, axis=-1) < cutoff**2)
    (places,) = jnp.nonzero(inside, size=size, fill_value=len(inside))
    kept = HalfPairs(
        first=pairs.first.at[places].get(mode="fill", fill_value=count),
        second=pairs.second.at[places].get(mode="fill", fill_value=count),
        vectors=pairs.vectors.at[places].get(mode="fill", fill_value=0),
        mask=places < len(inside),
    )
    return kept, inside.sum() > size


def half_pairs(
    neighbors: NeighborList,
    positions: Float[Array, "N 3"],
    cell: Float[Array, "3 3"],
    rows: Rows = ALL_ROWS,
) -> HalfPairs:
    """Each pair of a list once, with its vector r_ij = r_j - r_i + S @ cell in A; of the rows that are here."""
    assert neighbors.half is not None
    row, column = neighbors.half[:, 0], neighbors.half[:, 1]
    # A free place has a row beyond the last, here as in the whole list.
    here = row - rows.first(len(neighbors.index))
    second = neighbors.index.at[here, column].get(mode="fill", fill_value=len(positions))
    ends = positions.at[second].get(mode="fill", fill_value=0)
    starts = positions.at[row].get(mode="fill", fill_value=0)
    vectors = ends - starts
    if neighbors.shift is not None:
        shift = neighbors.shift.at[here, column].get(mode="fill", fill_value=0)
        vectors = vectors + shift.astype(cell.dtype) @ cell
    return HalfPairs(row, second, vectors, row < len(positions))
