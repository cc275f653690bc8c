"""A grid of bins that moves with the cell: which bin an atom lies in, and which order of atoms follows the bins.

What stands here works on numpy and on JAX arrays alike, for lists are planned on the host and made on the device.

| symbol | variable | |
|---|---|---|
| f_a = r . b_a | `fractional` | b_a: the reciprocal vectors without 2 pi |
| h_a = 1 / |b_a| | `heights` | distance between the two faces of the cell that a crosses, A |
| w = floor(f) | `wraps` | how many cells an atom is away from the one around the origin |
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Triple = tuple[int, int, int]
Periodic = tuple[bool, bool, bool]

_BITS = 10  # of each direction in a Morton number of 32 bits


class Binned(NamedTuple):
    """Where each atom lies; all arrays are of the kind that the positions were."""

    wrapped: Any  # (N, 3) A, the positions moved into the cell along the periodic directions
    wraps: Any  # (N, 3) integers, positions = wrapped + wraps @ cell
    places: Any  # (N, 3) integers, the bin along each direction
    widths: Any  # (3,) A, the bins' widths, measured from face to face


def heights(cell: Any) -> Any:
    """The distances (3,) in A between opposite faces of a cell (3, 3)."""
    return 1 / (_reciprocal(cell) ** 2).sum(-1) ** 0.5


def binned(
    positions: Any, cell: Any, pbc: Periodic, *, bins: Triple, narrowest: tuple[float, float, float], atom_mask: Any
) -> Binned:
    """Sort atoms into `bins`: of the cell where it is periodic, elsewhere of the box around the atoms.

    Args:
        positions: (N, 3) in A, anywhere.
        cell: (3, 3) in A, row vectors, with any vectors that complete it in directions that are not periodic.
        pbc: the periodic directions.
        bins: the number of bins in each direction.
        narrowest: in A, the least width of a bin in directions that are not periodic, where the box is as small as
            the atoms let it be.
        atom_mask: (N,) False for atoms that do not count.
    """
    xp = positions.__array_namespace__()
    reciprocal, dtype = _reciprocal(cell), positions.dtype
    periodic = np.asarray(pbc)
    fractional = _transformed(positions, reciprocal.T)
    wraps = xp.where(periodic, xp.floor(fractional), xp.zeros_like(fractional))
    wrapped = positions - _transformed(wraps, cell)
    # Anew from the wrapped positions: far from the origin little is left of a fraction's digits.
    fractional = _transformed(wrapped, reciprocal.T)

    infinity = xp.full_like(fractional, np.inf)
    lowest = xp.min(xp.where(atom_mask[:, None], fractional, infinity), axis=0)
    highest = xp.max(xp.where(atom_mask[:, None], fractional, -infinity), axis=0)
    number = xp.asarray(bins, dtype=dtype)
    least = xp.maximum(xp.asarray(narrowest, dtype=dtype), xp.asarray(1e-6, dtype=dtype))
    box = xp.maximum((highest - lowest) * heights(cell) / number, least)
    widths = xp.where(periodic, heights(cell) / number, box)
    start = xp.where(periodic, xp.zeros_like(lowest), lowest)
    places = xp.floor((fractional - start) * (heights(cell) / widths))
    places = xp.clip(places, xp.zeros_like(number), number - 1)  # round-off at the faces
    return Binned(wrapped, wraps.astype(np.int32), places.astype(np.int32), widths)


def _reciprocal(cell: Any) -> Any:
    """Row vectors b with a_i . b_j = 1 where i = j, else 0."""
    xp = cell.__array_namespace__()
    a, b, c = cell
    crosses = xp.stack([xp.cross(b, c), xp.cross(c, a), xp.cross(a, b)])
    return crosses / (a * crosses[0]).sum()


def _transformed(vectors: Any, matrix: Any) -> Any:
    """The product vectors @ matrix, in full precision on every device."""
    return (vectors[..., :, None] * matrix).sum(-2)


def cell_order(positions: Any, cell: Any, pbc: Periodic, *, bins: Triple, atom_mask: Any) -> Any:
    """The order (N,) of atoms that keeps those close in space close in memory: bins along Morton's curve.

    Args:
        positions: (N, 3) in A, anywhere.
        cell: (3, 3) in A, as for `binned`.
        pbc: the periodic directions.
        bins: how many in each direction, up to 1024; atoms of one bin keep their order.
        atom_mask: (N,) False for padding atoms, which come last.

    Returns:
        The atoms' numbers: ``positions[order]`` is sorted.
    """
    xp = positions.__array_namespace__()
    few = (min(bins[0], 2**_BITS), min(bins[1], 2**_BITS), min(bins[2], 2**_BITS))
    places = binned(positions, cell, pbc, bins=few, narrowest=(0.0, 0.0, 0.0), atom_mask=atom_mask).places
    codes = xp.zeros_like(places[:, 0])
    for axis in range(3):
        for bit in range(_BITS):
            codes = codes | (((places[:, axis] >> bit) & 1) << (3 * bit + axis))
    codes = xp.where(atom_mask, codes, xp.full_like(codes, 2**31 - 1))
    return xp.argsort(codes, stable=True).astype(np.int32)
