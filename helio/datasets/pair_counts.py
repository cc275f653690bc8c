"""How many pairs of atoms a structure has within some cutoffs: what the sizes of its lists will be."""

from __future__ import annotations

import numpy as np
import vesin

from helio.neighbors import check_extent

# In A. The cutoffs that networks have.
CUTOFFS = (3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0)
# A pair at the cutoff itself counts: sizes are upper bounds.
_MARGIN = 1e-6


def most_within(
    positions: np.ndarray, cell: np.ndarray, pbc: tuple[bool, bool, bool], *, cutoffs: tuple[float, ...] = CUTOFFS
) -> tuple[np.ndarray, np.ndarray, float]:
    """Pairs within each cutoff (A), each named once; the most neighbours of an atom; the shortest distance in A.

    The distance is infinite where no two atoms are within the longest cutoff. Images of an atom count. Raises
    `HelioError` for atoms too far apart to be one system.
    """
    check_extent(positions, pbc)
    box = np.asarray(cell, np.float64) * np.asarray(pbc)[:, None]
    first, second, distance = vesin.NeighborList(cutoff=max(cutoffs) + _MARGIN, full_list=False).compute(
        points=np.ascontiguousarray(positions, np.float64), box=box, periodic=list(pbc), quantities="ijd"
    )
    pairs, columns = np.zeros(len(cutoffs), np.int32), np.zeros(len(cutoffs), np.int32)
    for place, cutoff in enumerate(cutoffs):
        inside = distance <= cutoff + _MARGIN
        pairs[place] = np.count_nonzero(inside)
        ends = np.concatenate([first[inside], second[inside]]).astype(np.int64)
        columns[place] = np.bincount(ends, minlength=1).max()
    return pairs, columns, float(distance.min(initial=np.inf))
