"""Pairs as the compiled attention takes them: a list and where the atoms are, with nothing stored per pair."""

from __future__ import annotations

import equinox as eqx
import jax
from jaxtyping import Array, Float

from helio.kernels import TabulatedFilters, tabulated_attention
from helio.neighbors import NeighborList
from helio.rows import ALL_ROWS, Rows

Two = tuple[Float[Array, "N F"], Float[Array, "N F"]]


class TabulatedPairs(eqx.Module):
    """A full list, and the tables that stand for the radial filters of all layers."""

    tables: tuple[TabulatedFilters, ...]
    positions: Float[Array, "N 3"]  # A
    cell: Float[Array, "3 3"]  # A
    neighbors: NeighborList
    rows: Rows = eqx.field(static=True, default=ALL_ROWS)

    @property
    def compiled_atoms(self) -> bool:
        """Whether what layers do to single atoms is compiled, too: on CPUs; XLA does that well on GPUs."""
        return jax.default_backend() == "cpu"

    def attention(
        self, layer: int, query: Two, key: Two, value: Float[Array, "N F"], chi: Float[Array, "N M"] | None
    ) -> tuple[Float[Array, "N F"], Float[Array, "N M"]]:
        """X and C, as `helio.network.attention.attention` with the filters of that layer."""
        where = self.positions, self.cell, self.neighbors.index, self.neighbors.shift
        return tabulated_attention(self.tables[layer], query, key, value, chi, *where, self.rows)
