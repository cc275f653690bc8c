"""Lists made on the host by vesin: any cell, any periodic directions. Linear in the number of atoms."""

from __future__ import annotations

import numpy as np
import vesin

from helio.errors import HelioError
from helio.neighbors.padded import NeighborList, Neighbors

MAX_EXTENT = 20_000.0  # A; cells of vesin's grid over much more overflow its integers


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
    half: bool = True,
) -> NeighborList:
    """All pairs within `cutoff`, as a padded matrix of numpy arrays.

    Args:
        positions: (N, 3) in A, inside the cell or not.
        cell: (3, 3) in A, row vectors.
        pbc: the periodic directions.
        cutoff: in A; None takes every pair of a system that is not periodic.
        rows: number of rows, N or more (rows of padding atoms stay empty).
        half: whether to name each pair once, too.

    Raises:
        HelioError: no cutoff for a periodic system, or atoms farther apart than `MAX_EXTENT`.
    """
    count = len(positions)
    rows = rows or count
    if not any(pbc):
        # A cutoff far beyond the molecule costs seconds for the empty cells around it, and finds nothing more.
        extent = float(np.linalg.norm(np.ptp(positions, axis=0))) + 1.0
        cutoff = extent if cutoff is None else min(cutoff, extent)
    if cutoff is None:
        raise HelioError("a periodic system needs a long-range cutoff (--long-range-cutoff, in A)")
    first, second, shifts = _pairs(positions, cell, pbc, cutoff)
    counts = np.bincount(first, minlength=count)
    width = round_up(int(counts.max(initial=0)))

    # Pairs come sorted by the first atom, so a pair's column is its rank within the row.
    column = np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts, counts)
    index = np.full((rows, width), rows, np.int32)
    index[first, column] = second
    shift = None
    if any(pbc):
        shift = np.zeros((rows, width, 3), np.int16)
        shift[first, column] = shifts
    once = None
    if half:
        places = np.stack([first, column], axis=1)[_is_first_of_two(first, second, shifts)]
        once = np.zeros((round_up(len(places)), 2), np.int32)
        once[:, 0] = rows
        once[: len(places)] = places
    return NeighborList(index=index, shift=shift, half=once, overflow=np.zeros((), bool))  # pyright: ignore


def _is_first_of_two(first: np.ndarray, second: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """One of i, j, S and j, i, -S, by the same rule as in lists made on the device."""
    x, y, z = np.sign(shifts).T
    leading = np.where(x != 0, x, np.where(y != 0, y, z))
    ahead = (first < second) == ((first + second) % 2 == 0)
    return np.where(first == second, leading > 0, ahead)


def _pairs(
    positions: np.ndarray, cell: np.ndarray, pbc: tuple[bool, bool, bool], cutoff: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Directed pairs i, j, S in an order that depends on the positions alone."""
    check_extent(positions, pbc)
    box = cell * np.asarray(pbc)[:, None]
    calculator = vesin.NeighborList(cutoff=cutoff, full_list=True, sorted=True)
    first, second, shifts = calculator.compute(
        points=np.ascontiguousarray(positions, np.float64), box=box, periodic=list(pbc), quantities="ijS"
    )
    order = np.lexsort((shifts[:, 2], shifts[:, 1], shifts[:, 0], second, first))
    return first[order].astype(np.int64), second[order].astype(np.int32), shifts[order]


def check_extent(positions: np.ndarray, pbc: tuple[bool, bool, bool]) -> None:
    """Raise `HelioError` for atoms (N, 3) so far apart that vesin's grid would end the process by a signal."""
    if all(pbc) or len(positions) == 0:
        return
    with np.errstate(over="ignore"):
        extent = np.ptp(positions, axis=0).max()
    if not extent <= MAX_EXTENT:
        raise HelioError(
            f"atoms lie {extent:.3g} A apart, more than the {MAX_EXTENT:g} A that a system may measure where it is not "
            "periodic: check the units of the positions, or simulate the parts one by one"
        )


def host_neighbors(
    positions: np.ndarray,
    cell: np.ndarray,
    pbc: tuple[bool, bool, bool],
    *,
    short_cutoff: float,
    long_cutoff: float | None,
    skin: float = 0.0,
    rows: int | None = None,
    reciprocal: np.ndarray | None = None,
    mesh: tuple[int, int, int] | None = None,
) -> Neighbors:
    """Both lists of one system, each for its cutoff plus `skin` (A); arguments as in `host_list`."""
    reach = None if long_cutoff is None else long_cutoff + skin
    return Neighbors(
        short=host_list(positions, cell, pbc, cutoff=short_cutoff + skin, rows=rows),
        long=host_list(positions, cell, pbc, cutoff=reach, rows=rows, half=False),
        reciprocal=reciprocal,  # pyright: ignore
        mesh=mesh,
    )
