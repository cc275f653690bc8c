"""Symmetric pair terms over a full list, in tiles of rows: no array over all pairs of a system is ever stored.

With e_ij = e_ji, energies per atom are e_i = 1/2 sum_j e_ij. For cotangents c of these energies,

    L = sum_i c_i e_i = 1/2 sum_ij (c_i + c_j)/2 e_ij,   dL/da_i = sum_j (c_i + c_j)/2 de_ij/da_i

because every pair stands in the list from both its ends. So the derivative, too, is a sum over the row of each atom:
it is made tile by tile from distances measured anew, and only gathers.

| symbol | variable |
|---|---|
| a_i | atomic (values per atom that the pair energy depends on) |
| c_i | cotangents |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from helio.neighbors import NeighborList
from helio.physics import coulomb, dispersion
from helio.physics.switching import exponential_switch
from helio.rows import ALL_ROWS, Rows

TILE_ROWS = 128  # on a CPU, 32 to 256 rows of 900 places take equally long within 10 %
PairEnergy = Callable[[Array, Any, Any], Any]


def tiled_atomic_energies(
    pair_energy: PairEnergy,
    atomic: PyTree[Float[Array, " N"]],
    positions: Float[Array, "N 3"],
    cell: Float[Array, "3 3"],
    neighbors: NeighborList,
    *,
    cutoff: float | None,
    rows: Rows = ALL_ROWS,
    tile_rows: int = TILE_ROWS,
) -> PyTree[Float[Array, " N"]]:
    """Energies per atom in eV: half of each pair's energy to either atom.

    Differentiable in `atomic`, `positions` and `cell`, in reverse mode and repeatedly.

    Args:
        pair_energy: (distance in A, atomic_i, atomic_j) -> eV, element by element, symmetric in the two atoms. The
            result may hold several terms (any tree of arrays). It must depend on no other traced arrays, and be
            finite at the cutoff (without one, at 1 A) for any two atoms of `atomic`, padding included.
        atomic: values per atom, any tree of arrays.
        positions: in A.
        cell: row vectors in A.
        neighbors: a full list; its half list is not used.
        cutoff: in A; pairs beyond count nothing.
        rows: whose rows `atomic` and `neighbors` hold; positions are those of all atoms.
        tile_rows: the most atoms of a tile. Working memory is about twenty arrays of tile_rows * K numbers.

    Returns:
        The tree that `pair_energy` returns, of arrays (N,).
    """
    own = len(neighbors.index)
    tiles = -(-own // tile_rows)
    sizes = _Sizes(pair_energy, cutoff, -(-own // tiles), rows)  # tiles as equal as can be
    return _energies(sizes, atomic, positions, cell, neighbors.index, neighbors.shift)


@dataclass(frozen=True)
class LongRangePair:
    """The pair energy of the long-range terms, for `atomic` of "charge" (e), "polarizability" and "c6" (Hartree units).

    Electrostatics are shifted to zero at the cutoff and dispersion is switched off before it, both as in `pair`.
    """

    cutoff: float | None  # A
    sigma: float | None  # A, smearing of charges; None leaves electrostatics out
    dispersion_scale: float | None  # of the damping radius; None leaves dispersion out
    switch_width: float = 0.0  # A, of dispersion; for a cutoff

    def __call__(self, distance: Array, first: dict[str, Array], second: dict[str, Array]) -> dict[str, Array]:
        """Energies in eV, by the names "electrostatics" and "dispersion"."""
        terms = {}
        if self.sigma is not None:
            if self.cutoff is None:
                potential = coulomb.smeared_coulomb(distance, self.sigma)
            else:
                potential = coulomb.shifted_coulomb(distance, self.sigma, self.cutoff)
            terms["electrostatics"] = coulomb.pair_energy(potential, first["charge"], second["charge"])
        if self.dispersion_scale is not None:
            energy = dispersion.pair_energy(
                distance,
                first["polarizability"],
                second["polarizability"],
                first["c6"],
                second["c6"],
                scale=self.dispersion_scale,
            )
            if self.cutoff is not None:
                energy *= exponential_switch((distance - (self.cutoff - self.switch_width)) / self.switch_width)
            terms["dispersion"] = energy
        return terms


@dataclass(frozen=True)
class _Sizes:
    """What is fixed in a compiled program."""

    pair_energy: PairEnergy
    cutoff: float | None
    tile_rows: int
    rows: Rows


class _Tile(eqx.Module):
    """The pairs of some rows; free places and pairs beyond the cutoff have a safe distance."""

    atom: Int[Array, " R"]
    neighbor: Int[Array, "R K"]
    vector: tuple[Float[Array, "R K"], ...]  # x, y, z in A, from the atom to its neighbour
    shift: Int[Array, "R K 3"] | None
    distance: Float[Array, "R K"]  # A
    inside: Bool[Array, "R K"]


def _measure(
    sizes: _Sizes,
    tile: tuple[Array, Array, Array | None],
    coordinates: tuple[Float[Array, " N"], ...],
    cell: Float[Array, "3 3"],
) -> _Tile:
    atom, index, shift = tile
    count = len(coordinates[0])
    neighbor = jnp.minimum(index, count - 1)
    vector = tuple(_at(x, neighbor) - _at(x, atom)[:, None] for x in coordinates)
    if shift is not None:
        turns = [shift[:, :, axis].astype(cell.dtype) for axis in range(3)]
        vector = tuple(v + sum(turns[a] * cell[a, axis] for a in range(3)) for axis, v in enumerate(vector))
    square = vector[0] ** 2 + vector[1] ** 2 + vector[2] ** 2
    inside = index < count
    if sizes.cutoff is not None:
        inside &= square < sizes.cutoff**2
    safe = 1.0 if sizes.cutoff is None else sizes.cutoff
    return _Tile(atom, neighbor, vector, shift, jnp.sqrt(jnp.where(inside, square, safe**2)), inside)


def _at(values: Float[Array, " N"], index: Int[Array, "*I"]) -> Float[Array, "*I"]:
    return values.at[index].get(mode="promise_in_bounds")


def _over_tiles(sizes: _Sizes, work: Callable, index: Array, shift: Array | None) -> PyTree:
    """Results of `work` for each tile, stacked: rows of the last tile that are no atoms repeat the last atom."""
    count, rows = len(index), sizes.tile_rows
    tiles = -(-count // rows)
    extra = tiles * rows - count
    atom = sizes.rows.first(count) + jnp.minimum(jnp.arange(tiles * rows, dtype=index.dtype), count - 1)
    padded = jnp.pad(index, ((0, extra), (0, 0)), constant_values=count * sizes.rows.devices)
    parts = (atom, padded, None if shift is None else jnp.pad(shift, ((0, extra), (0, 0), (0, 0))))
    # Where the result is differentiated once more, tiles are computed again instead of kept.
    return jax.lax.map(jax.checkpoint(work), jax.tree.map(lambda x: x.reshape(tiles, rows, *x.shape[1:]), parts))


def _atoms(count: int, stacked: Float[Array, "T R"]) -> Float[Array, " N"]:
    return stacked.reshape(-1)[:count]


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _energies(
    sizes: _Sizes,
    atomic: PyTree[Float[Array, " N"]],
    positions: Float[Array, "N 3"],
    cell: Float[Array, "3 3"],
    index: Int[Array, "N K"],
    shift: Int[Array, "N K 3"] | None,
) -> PyTree[Float[Array, " N"]]:
    coordinates, atomic = tuple(positions.T), sizes.rows.gather(atomic)

    def work(part: tuple[Array, Array, Array | None]) -> PyTree:
        tile = _measure(sizes, part, coordinates, cell)
        energies = sizes.pair_energy(tile.distance, *_ends(atomic, tile))
        return jax.tree.map(lambda e: jnp.sum(jnp.where(tile.inside, e, 0), axis=1) / 2, energies)

    return jax.tree.map(partial(_atoms, len(index)), _over_tiles(sizes, work, index, shift))


def _ends(atomic: PyTree[Float[Array, " N"]], tile: _Tile) -> tuple[PyTree, PyTree]:
    """Values of the rows' atoms (R, 1) and of their neighbours (R, K)."""
    first = jax.tree.map(lambda a: _at(a, tile.atom)[:, None], atomic)
    return first, jax.tree.map(lambda a: _at(a, tile.neighbor), atomic)


def _forward(sizes: _Sizes, *arguments: Any) -> tuple[PyTree, tuple]:
    return _energies(sizes, *arguments), arguments


def _backward(sizes: _Sizes, arguments: tuple, cotangents: PyTree[Float[Array, " N"]]) -> tuple:
    atomic, positions, cell, index, shift = arguments
    coordinates = tuple(positions.T)
    atomic, cotangents = sizes.rows.gather((atomic, cotangents))

    def work(part: tuple[Array, Array, Array | None]) -> PyTree:
        tile = _measure(sizes, part, coordinates, cell)
        first, second = _ends(atomic, tile)
        here, there = _ends(cotangents, tile)
        weights = jax.tree.map(lambda h, t: jnp.where(tile.inside, (h + t) / 2, 0), here, there)
        _, pullback = jax.vjp(lambda d, a: sizes.pair_energy(d, a, second), tile.distance, first)
        slope, to_atomic = pullback(weights)
        slope = jnp.where(tile.inside, slope / tile.distance, 0)
        along = [slope * x for x in tile.vector]
        to_position = [-jnp.sum(x, axis=1) for x in along]
        to_cell = None
        if tile.shift is not None:
            turns = [tile.shift[:, :, axis].astype(cell.dtype) for axis in range(3)]
            to_cell = jnp.stack([jnp.stack([jnp.sum(turn * x) for x in along]) for turn in turns]) / 2
        return jax.tree.map(lambda x: x[:, 0], to_atomic), to_position, to_cell

    to_atomic, to_position, to_cell = _over_tiles(sizes, work, index, shift)
    to_atomic, to_position = jax.tree.map(partial(_atoms, len(index)), (to_atomic, to_position))
    to_cell = jnp.zeros_like(cell) if to_cell is None else to_cell.sum(axis=0)
    return to_atomic, sizes.rows.placed(jnp.stack(to_position, axis=1)), to_cell, None, None


_energies.defvjp(_forward, _backward)
