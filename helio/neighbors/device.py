"""Lists made on the device, inside compiled code: any cell, any periodic directions. Linear in the number of atoms.

Atoms are sorted into bins. All atoms of a bin share its candidates: the images of atoms in the bins around it that lie
within the cutoff of the box around the bin's own atoms. One bit per atom and candidate says which are neighbours, and
the bits that are set are turned into columns: the k-th set bit of a row is found by bisection over the counts of its
words. There is neither a sort nor a scatter of candidates, which are slow on a CPU, and nothing depends on how the
work is cut into blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int, UInt

from helio.neighbors.bins import Binned, Periodic, binned
from helio.neighbors.padded import NeighborList
from helio.neighbors.plan import Plan, narrowest
from helio.rows import ALL_ROWS, Rows

# Shifts have 16 bits and hold the difference of two atoms' cells and an image; a list is refused further away.
_FARTHEST = 2**13


def device_list(
    positions: Float[Array, "N 3"],
    cell: Float[Array, "3 3"],
    atom_mask: Bool[Array, " N"],
    pbc: Periodic,
    plan: Plan,
    rows: Rows = ALL_ROWS,
) -> NeighborList:
    """All pairs within ``plan.cutoff``: the pairs of `host_list`, in rows of ``plan.columns``.

    `pbc` and `plan` are static. Rows are sorted by the neighbours' bins, and within a bin by number. If i, j, S is in
    the list, so is j, i, -S. `overflow` is True where any size of the plan was too small, where the cell has shrunk
    too far for it, or where an atom is more than 2^13 cells away: the list must not be used then.

    Args:
        positions: in A, inside the cell or not.
        cell: in A, row vectors, with any vectors that complete it in directions that are not periodic.
        atom_mask: False for padding atoms, which have no neighbours and are nobody's.
        pbc: the periodic directions.
        plan: the sizes, by `plan_list`.
        rows: which rows are made here; positions are those of all atoms, and overflow is that of any device.
    """
    least = narrowest(plan.cutoff, plan.bins, plan.reach)
    found = binned(positions, cell, pbc, bins=plan.bins, narrowest=least, atom_mask=atom_mask)
    filled = _fill_bins(found, atom_mask, plan)
    shared = _in_blocks(
        jax.vmap(lambda number: _bits_of_bin(number, filled.table, found, cell, pbc, plan)),
        filled.table.shape[0],
        max(1, plan.rows // plan.bin_capacity),
    )
    own = len(positions) // rows.devices
    first = rows.first(own)
    index, shift, counts = _in_blocks(
        lambda atoms: _rows(first + atoms, filled, shared, found.wraps, plan.columns), own, plan.rows
    )
    # Bins may have become narrower with the cell; a little more than round-off is kept between them and the cutoff.
    covered = found.widths * np.asarray(plan.reach, positions.dtype) >= 1.0001 * plan.cutoff
    overflow = (
        filled.crowded
        | jnp.any(shared.needed > plan.candidates)
        | jnp.any(counts > plan.columns)
        | jnp.any(np.asarray(pbc) & ~covered)
        | jnp.any(atom_mask[:, None] & (jnp.abs(found.wraps) > _FARTHEST))
    )
    half = None
    if plan.half_pairs is not None:
        half, pairs = _half(index, shift, plan.half_pairs, first, len(positions))
        overflow = overflow | (pairs > plan.half_pairs)
    return NeighborList(index=index, shift=shift if any(pbc) else None, half=half, overflow=rows.any(overflow))


class _Filled(NamedTuple):
    """Which atoms are in a bin, and where an atom is; N is no atom."""

    table: Int[Array, "bins capacity"]
    bin: Int[Array, " N"]
    slot: Int[Array, " N"]
    real: Bool[Array, " N"]
    crowded: Bool[Array, ""]  # more atoms in a bin than it holds


def _fill_bins(found: Binned, atom_mask: Bool[Array, " N"], plan: Plan) -> _Filled:
    count, number = len(atom_mask), int(np.prod(plan.bins))
    x, y, z = found.places.T
    flat = jnp.where(atom_mask, (x * plan.bins[1] + y) * plan.bins[2] + z, number)
    order = jnp.argsort(flat, stable=True).astype(jnp.int32)
    starts = jnp.searchsorted(flat[order], jnp.arange(number + 1, dtype=jnp.int32)).astype(jnp.int32)
    slots = jnp.arange(plan.bin_capacity, dtype=jnp.int32)
    entries = starts[:-1, None] + slots[None, :]
    table = jnp.where(entries < starts[1:, None], order.at[entries].get(mode="clip"), count)
    rank = jnp.zeros(count, jnp.int32).at[order].set(jnp.arange(count, dtype=jnp.int32))
    slot = rank - starts.at[flat].get(mode="clip")
    return _Filled(table, flat, slot, atom_mask, jnp.any(jnp.diff(starts) > plan.bin_capacity))


class _Bits(NamedTuple):
    """What the atoms of a bin share, and which of the candidates each of them has as neighbour."""

    words: UInt[Array, "... capacity words"]  # bits, one for each candidate
    atoms: Int[Array, "... candidates"]
    shifts: Int[Array, "... candidates 3"]  # S of the candidate seen from an atom that is not wrapped
    needed: Int[Array, "..."]  # how many candidates there are


def _bits_of_bin(
    number: Int[Array, ""],
    table: Int[Array, "bins capacity"],
    found: Binned,
    cell: Float[Array, "3 3"],
    pbc: Periodic,
    plan: Plan,
) -> _Bits:
    count, dtype = len(found.wrapped), cell.dtype
    atoms, images = _around(number, table, pbc, plan, count)
    members = table[number]
    inside = (members < count)[:, None]
    rows = found.wrapped.at[members].get(mode="clip")
    low = jnp.min(rows, axis=0, where=inside, initial=np.inf)
    high = jnp.max(rows, axis=0, where=inside, initial=-np.inf)

    # A shift's vector is added to a difference of positions, never to a position: so both atoms of a pair see the
    # very same distance, and either both or none of them list the other.
    moves = (images.astype(dtype)[:, :, None] * cell[None]).sum(1)
    points = found.wrapped.at[atoms].get(mode="clip")
    outside = jnp.maximum(jnp.maximum(low - (points + moves), (points + moves) - high), 0)
    near = (atoms < count) & (jnp.sum(outside**2, axis=-1) <= (1.0001 * plan.cutoff) ** 2)
    (chosen,), (needed,) = _set_bits(_packed(near)[None, :], plan.candidates)

    atoms = jnp.where(jnp.arange(plan.candidates, dtype=jnp.int32) < needed, atoms.at[chosen].get(mode="clip"), count)
    images, moves, points = (x.at[chosen].get(mode="clip") for x in (images, moves, points))
    # Axis by axis: three-component vectors are slow as the innermost dimension of an array.
    squares = [((points[None, :, a] - rows[:, None, a]) + moves[None, :, a]) ** 2 for a in range(3)]
    itself = (members[:, None] == atoms[None, :]) & jnp.all(images == 0, axis=-1)[None, :]
    within = (sum(squares) < plan.cutoff**2) & (atoms < count)[None, :] & ~itself
    shifts = images - found.wraps.at[atoms].get(mode="clip")
    return _Bits(_packed(within), atoms, shifts.astype(jnp.int16), needed)


def _around(
    number: Int[Array, ""], table: Int[Array, "bins capacity"], pbc: Periodic, plan: Plan, count: int
) -> tuple[Int[Array, " C"], Int[Array, "C 3"]]:
    """The atoms in the bins around a bin, or `count` for none, and in which image of the cell each is seen."""
    offsets = np.stack(np.meshgrid(*(np.arange(-r, r + 1) for r in plan.reach), indexing="ij"), axis=-1).reshape(-1, 3)
    bins = np.asarray(plan.bins, np.int32)
    place = jnp.stack(jnp.unravel_index(number, plan.bins)).astype(jnp.int32)
    seen = place[None, :] + offsets.astype(np.int32)
    images = seen // bins
    x, y, z = (seen - images * bins).T
    exists = jnp.all(np.asarray(pbc) | (images == 0), axis=-1)
    atoms = jnp.where(exists[:, None], table[(x * plan.bins[1] + y) * plan.bins[2] + z], count)
    return atoms.reshape(-1), jnp.repeat(images, plan.bin_capacity, axis=0)


def _rows(
    atoms: Int[Array, " R"], filled: _Filled, shared: _Bits, wraps: Int[Array, "N 3"], columns: int
) -> tuple[Int[Array, "R K"], Int[Array, "R K 3"], Int[Array, " R"]]:
    """Rows of the list, and how many neighbours each of them should have."""
    candidates = shared.atoms.shape[1]
    place = filled.bin[atoms]
    chosen, needed = _set_bits(shared.words.at[place, filled.slot[atoms]].get(mode="clip"), columns)
    needed = jnp.where(filled.real[atoms], needed, 0)
    taken = jnp.arange(columns, dtype=jnp.int32) < needed[:, None]
    # The barrier keeps the compiler from finding the places again for each array that is looked up.
    flat = lax.optimization_barrier(place[:, None] * candidates + chosen)
    index = jnp.where(taken, shared.atoms.reshape(-1).at[flat].get(mode="clip"), len(wraps))
    shift = shared.shifts.reshape(-1, 3).at[flat].get(mode="clip") + wraps[atoms].astype(jnp.int16)[:, None, :]
    return index, jnp.where(taken[:, :, None], shift, 0), needed


def _packed(bits: Bool[Array, "*batch C"]) -> UInt[Array, "*batch W"]:
    """Bits in words of 32, the lowest first."""
    free = [(0, 0)] * (bits.ndim - 1) + [(0, -bits.shape[-1] % 32)]
    lanes = jnp.pad(bits, free).reshape(*bits.shape[:-1], -1, 32).astype(jnp.uint32)
    return jnp.sum(lanes << np.arange(32, dtype=np.uint32), axis=-1, dtype=jnp.uint32)


def _set_bits(words: UInt[Array, "R W"], size: int) -> tuple[Int[Array, "R size"], Int[Array, " R"]]:
    """The places of the first `size` bits that are set (anything beyond the last), and how many are set."""
    last = words.shape[1] - 1
    counts = lax.population_count(words).astype(jnp.int32)
    ends = jnp.cumsum(counts, axis=1)
    rank = jnp.broadcast_to(jnp.arange(size, dtype=jnp.int32), (len(words), size))

    def bisect(number: Int[Array, ""], word: Int[Array, "R size"]) -> Int[Array, "R size"]:
        """How many words end before the bit; unrolled, this takes the compiler and a CPU more than twice as long."""
        probe = word + lax.shift_right_logical(jnp.int32(2 ** last.bit_length()), number.astype(jnp.int32) + 1)
        passed = (probe <= last) & (_along(ends, jnp.minimum(probe, last + 1) - 1) <= rank)
        return jnp.where(passed, probe, word)

    word = lax.fori_loop(0, last.bit_length(), bisect, jnp.zeros_like(rank))
    bits = _along(words, word)
    rank = rank - _along(ends - counts, word)
    place = 32 * word
    for step in (16, 8, 4, 2, 1):
        low = lax.population_count(bits & np.uint32(2**step - 1)).astype(jnp.int32)
        above = rank >= low
        rank = jnp.where(above, rank - low, rank)
        bits = jnp.where(above, bits >> np.uint32(step), bits)
        place = jnp.where(above, place + step, place)
    return place, ends[:, -1]


def _along(rows: Array, places: Int[Array, "R size"]) -> Array:
    return jnp.take_along_axis(rows, places, axis=1, mode="promise_in_bounds")


def _half(
    index: Int[Array, "N K"], shift: Int[Array, "N K 3"], size: int, start: int | Int[Array, ""], count: int
) -> tuple[Int[Array, "size 2"], Int[Array, ""]]:
    """One place of each pair of `count` atoms in the rows from `start` on, and how many of these there are.

    That with i < j where i + j is even and i > j where it is odd, which gives all rows about equally many; or with a
    lexicographically positive S where i = j.
    """
    x, y, z = jnp.moveaxis(shift, -1, 0)
    leading = jnp.where(x != 0, x, jnp.where(y != 0, y, z))
    here = jnp.arange(len(index), dtype=jnp.int32)
    row = (start + here)[:, None]
    ahead = (row < index) == ((row + index) % 2 == 0)
    first = (index < count) & jnp.where(row == index, leading > 0, ahead)
    columns, counts = _set_bits(_packed(first), index.shape[1])
    ends = jnp.cumsum(counts)
    place = jnp.arange(size, dtype=jnp.int32)
    rows = jnp.repeat(here, counts, total_repeat_length=size)
    column = columns.at[rows, place - (ends - counts)[rows]].get(mode="clip")
    used = place < ends[-1]
    half = jnp.stack([jnp.where(used, start + rows, count), jnp.where(used, column, 0)], axis=-1)
    return half, ends[-1]


def _in_blocks(function: Callable[[Int[Array, " block"]], Any], count: int, block: int) -> Any:
    """`function` of the numbers 0 to `count`, `block` of them at once; the last block overlaps the one before it."""
    block = min(block, count)
    shapes = jax.eval_shape(function, jax.ShapeDtypeStruct((block,), jnp.int32))
    empty = jax.tree.map(lambda leaf: jnp.zeros((count, *leaf.shape[1:]), leaf.dtype), shapes)

    def body(number: Int[Array, ""], made: Any) -> Any:
        start = jnp.minimum(number * block, count - block).astype(jnp.int32)
        part = function(start + jnp.arange(block, dtype=jnp.int32))
        return jax.tree.map(lambda all_, new: lax.dynamic_update_slice_in_dim(all_, new, start, 0), made, part)

    return lax.fori_loop(0, -(-count // block), body, empty)
