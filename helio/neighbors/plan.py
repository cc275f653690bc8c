"""The sizes that a list on the device is compiled for."""

from __future__ import annotations

import math
from itertools import product
from typing import NamedTuple

import numpy as np
from scipy.spatial import KDTree

from helio.neighbors.bins import Binned, Periodic, Triple, binned, cell_order, heights
from helio.neighbors.host import round_up

# By how much the cell may shrink along any direction before a plan has to be made anew.
CELL_MARGIN = 1.05
# Bins of half the cutoff hold fewer candidates than bins of the cutoff; but in bins with fewer atoms than this the
# places kept free for fluctuations cost more than is won (measured on water, 5 and 12.5 A).
_ATOMS_PER_BIN = 12
# Rows of the list that are made at once: the fastest on a CPU, whose caches hold them; a GPU may be given more.
_ROWS = 512


class Plan(NamedTuple):
    """All sizes of a list on the device, fixed when it is compiled. Too small ones raise the list's overflow flag."""

    cutoff: float  # A, with the skin in it
    bins: Triple  # number of bins in each direction
    reach: Triple  # how many bins to look around in each direction, to either side
    bin_capacity: int  # most atoms of a bin
    candidates: int  # most atoms within the cutoff of the box around a bin's atoms
    columns: int  # K, most neighbours of an atom
    half_pairs: int | None  # P, most pairs of the half list on one device; None for a list without
    rows: int  # rows made at once; the list does not depend on it


def plan_list(
    positions: np.ndarray,
    cell: np.ndarray,
    pbc: Periodic,
    *,
    cutoff: float,
    half: bool,
    columns: int | None = None,
    spare: float = 1.1,
    rows: int = _ROWS,
    devices: int = 1,
) -> Plan:
    """Choose sizes that fit these positions (of real atoms alone), with room to move. Linear in the number of atoms.

    Args:
        positions: (N, 3) in A, anywhere.
        cell: (3, 3) in A, row vectors, with any vectors that complete it in directions that are not periodic.
        pbc: the periodic directions.
        cutoff: in A, with the skin in it.
        half: whether the list names each pair once, too.
        columns: at least so many neighbours of an atom; counted where None.
        spare: each size is what is needed times this, rounded up.
        rows: how many rows are made at once; more need more memory.
        devices: how many share the rows, in the order of the bins.
    """
    positions, cell = np.asarray(positions, np.float64), np.asarray(cell, np.float64)
    bins, reach = _grid(positions, cell, pbc, cutoff)
    found = binned(
        positions,
        cell,
        pbc,
        bins=bins,
        narrowest=narrowest(cutoff, bins, reach),
        atom_mask=np.ones(len(positions), bool),
    )
    flat = np.asarray(np.ravel_multi_index(tuple(found.places.T), bins))
    tree = KDTree(_images(found.wrapped, cell, pbc, cutoff))
    pairs = None
    if columns is None or half:
        counts = tree.query_ball_point(found.wrapped, cutoff, return_length=True) - 1  # not with itself
        columns = columns or round_up(math.ceil(counts.max() * spare))
        if half:
            order = cell_order(positions, cell, pbc, bins=bins, atom_mask=np.ones(len(positions), bool))
            pairs = round_up(math.ceil(most_pairs(counts[order], devices) * spare))
    return Plan(
        cutoff=float(cutoff),
        bins=bins,
        reach=reach,
        bin_capacity=round_up(math.ceil(np.bincount(flat).max() * spare)),
        candidates=round_up(math.ceil(_most_candidates(found, flat, tree, cutoff) * spare)),
        columns=columns,
        half_pairs=pairs,
        rows=rows,
    )


def most_pairs(counts: np.ndarray, devices: int) -> int:
    """The most pairs of a half list that fall to one device, from the numbers of neighbours (N,) in the rows' order."""
    blocks = np.pad(counts, (0, -len(counts) % devices)).reshape(devices, -1)
    most = int(blocks.sum(axis=1).max())
    # Of a pair either atom may have the place: about half of them, with the width of a binomial distribution.
    return -(-most // 2) + (3 * math.isqrt(most) if devices > 1 else 0)


def narrowest(cutoff: float, bins: Triple, reach: Triple) -> tuple[float, float, float]:
    """The least width of a bin in A, so that `reach` bins cover the cutoff; none where they cover all bins anyway."""
    x, y, z = (0.0 if r >= n - 1 else 1.001 * cutoff / r for n, r in zip(bins, reach, strict=True))
    return x, y, z


def _grid(positions: np.ndarray, cell: np.ndarray, pbc: Periodic, cutoff: float) -> tuple[Triple, Triple]:
    """Number and reach of the bins."""
    everyone = np.ones(len(positions), bool)
    box = binned(positions, cell, pbc, bins=(1, 1, 1), narrowest=(0.0, 0.0, 0.0), atom_mask=everyone).widths
    width = CELL_MARGIN * cutoff / 2
    number = np.maximum(1, box // width)
    while number.prod() > max(1, len(positions) / _ATOMS_PER_BIN):
        width *= 1.1
        number = np.maximum(1, box // width)
    reach = np.ceil(CELL_MARGIN * cutoff * number / box)
    reach = np.where(pbc, reach, np.minimum(reach, number - 1))
    (a, b, c), (x, y, z) = number.astype(int).tolist(), reach.astype(int).tolist()
    return (a, b, c), (x, y, z)


def _images(wrapped: np.ndarray, cell: np.ndarray, pbc: Periodic, cutoff: float) -> np.ndarray:
    """The atoms of the cell and all their images within the cutoff of the cell, (M, 3) in A."""
    depth = np.where(pbc, cutoff / heights(cell), 0.0)
    fractional = wrapped @ np.linalg.inv(cell)
    images = []
    for shift in product(*(range(-math.ceil(d), math.ceil(d) + 1) for d in depth)):
        moved = fractional + shift
        near = np.all(~np.asarray(pbc) | ((moved >= -depth - 1e-6) & (moved <= 1 + depth + 1e-6)), axis=1)
        images.append(moved[near] @ cell)
    return np.concatenate(images)


def _most_candidates(found: Binned, flat: np.ndarray, tree: KDTree, cutoff: float) -> int:
    """The most images that lie within the cutoff of the box around one bin's atoms."""
    most = 0
    order = np.argsort(flat, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(flat[order])) + 1):
        low, high = found.wrapped[members].min(axis=0), found.wrapped[members].max(axis=0)
        around = tree.query_ball_point((low + high) / 2, np.linalg.norm(high - low) / 2 + cutoff + 1e-6)
        points = tree.data[around]
        outside = np.maximum(np.maximum(low - points, points - high), 0)
        most = max(most, int(np.sum(np.sum(outside**2, axis=1) <= (cutoff * 1.001) ** 2)))
    return most
