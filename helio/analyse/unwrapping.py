"""Positions without jumps: molecules whole, and nothing put back into the box while it moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import breadth_first_order

from helio.analyse.frames import Frames

Reader = Callable[[Any], np.ndarray]  # a moment to (P, 3)
_BUDGET = 200_000_000  # bytes of the series that are in memory at once


def whole_positions(frames: Frames) -> Reader:
    """A function from consecutive moments to positions (n, 3) of all atoms of the universe, in A.

    In the first chosen frame bonded atoms are brought together. From there on a run's positions are continuous by
    themselves; those of other programs are made so: from one chosen frame to the next an atom takes the shortest way.
    """
    first = frames.first()
    boxed = any(frames.periodic) and first.dimensions is not None and bool((first.dimensions[:3] > 0).any())
    if not boxed:
        return lambda moment: moment.positions.astype(float)
    offsets = _offsets(frames)
    if frames.unwrapped:
        return lambda moment: moment.positions + offsets @ moment.triclinic_dimensions.astype(float)
    return _Continued(offsets, np.array(frames.periodic))


class _Continued:
    """Goes on from frame to frame; moves are counted in the cell of the later one."""

    def __init__(self, offsets: np.ndarray, periodic: np.ndarray) -> None:
        self._offsets, self._periodic = offsets, periodic
        self._scaled: np.ndarray | None = None

    def __call__(self, moment: Any) -> np.ndarray:
        cell = moment.triclinic_dimensions.astype(float)
        scaled = moment.positions @ np.linalg.inv(cell)
        if self._scaled is None:
            self._scaled = scaled + self._offsets
        else:
            move = scaled - self._scaled
            self._scaled = self._scaled + move - np.rint(move) * self._periodic
        return self._scaled @ cell


def _offsets(frames: Frames) -> np.ndarray:
    """Whole cells (n, 3) by which atoms move in the first chosen frame so that no bond crosses a boundary."""
    moment = frames.first()
    cell = moment.triclinic_dimensions.astype(float)
    inverse = np.linalg.pinv(cell)
    count = len(moment.positions)
    bonds = np.asarray(frames.universe.bonds.indices).reshape(-1, 2)
    _, roots = np.unique(frames.molecules, return_index=True)
    rows = np.concatenate([bonds, np.column_stack([np.full(len(roots), count), roots])])  # one node above all molecules
    graph = csr_array(coo_array((np.ones(len(rows)), rows.T), shape=(count + 1, count + 1)))
    order, before = breadth_first_order(graph, count, directed=False)
    positions = np.concatenate([moment.positions.astype(float), np.zeros((1, 3))])
    parents = np.where(before[:count] == count, np.arange(count), before[:count])
    steps = -np.rint((positions[:count] - positions[parents]) @ inverse).astype(int) * np.array(frames.periodic)
    offsets = np.zeros((count, 3), int)
    for atom in order[1:]:
        offsets[atom] = offsets[parents[atom]] + steps[atom]
    return offsets


def centers(frames: Frames, groups: np.ndarray) -> csr_array:
    """The matrix (G, n) that turns positions of all atoms into centres of mass of groups.

    Args:
        frames: of n atoms.
        groups: the number of each atom's group from 0 to G - 1, -1 for atoms in none, (n,).
    """
    inside = np.flatnonzero(groups >= 0)
    masses = np.asarray(frames.universe.atoms.masses, float)[inside]
    totals = np.bincount(groups[inside], masses)
    shape = (len(totals), len(groups))
    return csr_array(coo_array((masses / totals[groups[inside]], (groups[inside], inside)), shape=shape))


def particle_series(
    frames: Frames, make_reader: Callable[[], Reader], count: int, *, budget: int = _BUDGET
) -> Iterator[tuple[slice, np.ndarray]]:
    """Series (T, p, 3) in float32 of as many of `count` particles at a time as fit into memory.

    The trajectory is read once for each such group. `make_reader` gives, for each time it is read, a function from a
    moment to vectors (count, 3).
    """
    at_once = max(1, budget // (12 * len(frames)))
    for begin in range(0, count, at_once):
        part = slice(begin, min(begin + at_once, count))
        series = np.empty((len(frames), part.stop - part.start, 3), np.float32)
        reader = make_reader()
        for i, moment in enumerate(frames):
            series[i] = reader(moment)[part]
        yield part, series
