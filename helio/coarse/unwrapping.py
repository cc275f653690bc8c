"""Positions without jumps in an orthogonal box: by image flags, or by continuity from frame to frame."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import breadth_first_order

from helio.coarse.system import FineSystem
from helio.errors import HelioError

# A bead that goes this share of an edge between two frames may as well have gone the other way round.
_AMBIGUOUS = 0.4


def unwrapped_by_images(positions: np.ndarray, images: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Positions r + n L, (T, N, 3), of wrapped ones (T, N, 3), image flags n (T, N, 3) and edges L (T, 3)."""
    return positions + images * boxes[:, None, :]


class Continuity:
    """Unwraps blocks of consecutive frames: molecules are whole in the first, then each bead goes the shortest way.

    Moves are counted in the box of the later frame.
    """

    def __init__(self, system: FineSystem) -> None:
        self._system = system
        self._scaled: np.ndarray | None = None  # unwrapped positions of the last frame, in edges
        self._frames = 0

    def __call__(self, positions: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """Unwrapped positions (t, N, 3) of wrapped ones (t, N, 3) in boxes with edges (t, 3).

        Raises:
            HelioError: frames are so far apart that beads may have gone either way.
        """
        out = np.empty(positions.shape)
        for t, (frame, box) in enumerate(zip(positions, boxes, strict=True)):
            scaled = frame / box
            if self._scaled is None:
                scaled = scaled + offsets_to_whole(self._system, frame, box)
            else:
                move = scaled - self._scaled
                move -= np.rint(move)
                if (far := np.abs(move).max()) > _AMBIGUOUS:
                    bead = int(np.abs(move).max(axis=1).argmax())
                    raise HelioError(
                        f"bead {bead} moves {far:.2f} of the box's edge before frame {self._frames}: frames are too "
                        "far apart to unwrap by continuity; record more often, or with image flags"
                    )
                scaled = self._scaled + move
            self._scaled = scaled
            self._frames += 1
            out[t] = scaled * box
        return out


def offsets_to_whole(system: FineSystem, positions: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Numbers of edges (N, 3) by which beads at positions (N, 3) move so that no molecule is cut by the boundary.

    The first bead of a molecule stays. Where bonds join a molecule to itself across the box, some go on crossing.
    """
    count = len(system)
    _, roots = np.unique(system.molecules, return_index=True)
    rows = np.concatenate([system.bonds, np.column_stack([np.full(len(roots), count), roots])])  # one above all
    graph = csr_array(coo_array((np.ones(len(rows)), rows.T), shape=(count + 1, count + 1)))
    order, before = breadth_first_order(graph, count, directed=False)
    parents = np.where(before[:count] == count, np.arange(count), before[:count])
    steps = -np.rint((positions - positions[parents]) / box).astype(int)
    offsets = np.zeros((count, 3), int)
    for bead in order[1:]:
        offsets[bead] = offsets[parents[bead]] + steps[bead]
    return offsets


class JumpCheck:
    """Refuses consecutive frames whose beads jump by half an edge or more, as when they are put back into the box."""

    def __init__(self, system: FineSystem, name: str) -> None:
        self._system, self._name = system, name
        self._last: np.ndarray | None = None

    def __call__(self, positions: np.ndarray, boxes: np.ndarray) -> None:
        """Check a block of positions (t, N, 3) in boxes (t, 3).

        Raises:
            HelioError: the positions are wrapped.
        """
        for frame, box in zip(positions, boxes, strict=True):
            first, second = self._system.bonds.T
            lengths = np.abs(frame[first] - frame[second]) if self._last is None else np.abs(frame - self._last)
            if (lengths > box / 2).any():
                raise HelioError(
                    f"the positions of {self._name} are wrapped into the box and come without image flags: give "
                    "unwrapped positions or image flags, or, if frames are close together, unwrap by continuity"
                )
            self._last = frame
