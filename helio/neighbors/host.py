"""Lists made on the host by vesin: any cell, any periodic directions. Linear in the number of atoms."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import vesin

from helio.errors import HelioError
from helio.neighbors.padded import NeighborList, Neighbors


def round_up(size: int) -> int:
    """Round a list's width up in steps of about an eighth, so that compiled programs are reused."""
    if size <= 8:
        return max(4, size + size % 2)
    step = max(4, 2 ** (int(size).bit_length() - 4))
    return -(-size // step) * step


def host_list(
    positions: np.ndarray,
    cell: np.ndarray,
    pbc: tuple[bool, bool, bool],
    *,
    cutoff: float | None,
    rows: int | None = None,
    width: int | None = None,
    rounding: Callable[[int], int] = round_up,
) -> NeighborList:
    """All pairs within `cutoff`, as a padded matrix of numpy arrays.

    Args:
        positions: (N, 3) in A, inside the cell or not.
        cell: (3, 3) in A, row vectors.
        pbc: the periodic directions.
        cutoff: in A; None takes every pair of a system that is not periodic.
        rows: number of rows, N or more (rows of padding atoms stay empty).
        width: number of columns; more are used if `width` does not suffice. None: what the fullest row needs.
        rounding: how the number of columns is rounded up.

    Raises:
        HelioError: no cutoff for a periodic system.
    """
    count = len(positions)
    rows = rows or count
    if cutoff is None:
        if any(pbc):
            raise HelioError("a periodic system needs a long-range cutoff (--long-range-cutoff, in A)")
        cutoff = float(np.linalg.norm(np.ptp(positions, axis=0))) + 1.0
    first, second, shifts = _pairs(positions, cell, pbc, cutoff)
    counts = np.bincount(first, minlength=count)
    needed = rounding(int(counts.max(initial=0)))
    width = max(needed, width or 0)

    # Pairs come sorted by the first atom, so a pair's column is its rank within the row.
    column = np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts, counts)
    index = np.full((rows, width), rows, np.int32)
    index[first, column] = second
    shift = None
    if any(pbc):
        shift = np.zeros((rows, width, 3), np.int16)
        shift[first, column] = shifts
    return NeighborList(index=index, shift=shift, overflow=np.zeros((), bool))  # pyright: ignore


def _pairs(
    positions: np.ndarray, cell: np.ndarray, pbc: tuple[bool, bool, bool], cutoff: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Directed pairs i, j, S in an order that depends on the positions alone."""
    box = cell * np.asarray(pbc)[:, None]
    calculator = vesin.NeighborList(cutoff=cutoff, full_list=True, sorted=True)
    first, second, shifts = calculator.compute(
        points=np.ascontiguousarray(positions, np.float64), box=box, periodic=list(pbc), quantities="ijS"
    )
    order = np.lexsort((shifts[:, 2], shifts[:, 1], shifts[:, 0], second, first))
    return first[order].astype(np.int64), second[order].astype(np.int32), shifts[order]


def host_neighbors(
    positions: np.ndarray,
    cell: np.ndarray,
    pbc: tuple[bool, bool, bool],
    *,
    short_cutoff: float,
    long_cutoff: float | None,
    skin: float = 0.0,
    rows: int | None = None,
    widths: tuple[int, int] | None = None,
    reciprocal: np.ndarray | None = None,
) -> Neighbors:
    """Both lists of one system, each for its cutoff plus `skin` (A); arguments as in `host_list`."""
    short_width, long_width = widths or (None, None)
    return Neighbors(
        short=host_list(positions, cell, pbc, cutoff=short_cutoff + skin, rows=rows, width=short_width),
        long=host_list(
            positions,
            cell,
            pbc,
            cutoff=None if long_cutoff is None else long_cutoff + skin,
            rows=rows,
            width=long_width,
        ),
        reciprocal=reciprocal,  # pyright: ignore
    )
