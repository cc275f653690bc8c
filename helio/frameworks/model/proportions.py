"""How large cells are for their blocks: what frameworks with one kind of node and one of linker have in common.

The distance l at which a node and a linker meet, the sum of the mean distances of their connections from their centres,
over the cube root of the volume is nearly the same number for all frameworks of a net. Kinds of nets are told apart by
the numbers of blocks in a cell and of the connections of a node and of a linker.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from helio.frameworks.block import Block
from helio.frameworks.library import Library

_LEAST = 0.02  # of spreads: nets of which few are known look more alike than they are


@dataclass(frozen=True, eq=False)
class Proportions:
    """One row for each kind of net that is known."""

    rows: np.ndarray  # (K, 5): blocks, connections of a node, of a linker; mean and spread of ln(l / volume^(1/3))

    def misfit(self, count: int, ways: np.ndarray, meeting: np.ndarray, volume: float) -> np.ndarray:
        """How unlikely pairs of a node and a linker are in a cell, in squared spreads; infinite for unknown nets.

        Args:
            count: blocks in the cell.
            ways: connections of the node and of the linker, (..., 2).
            meeting: l of each pair, A, (...).
            volume: of the cell, A^3.
        """
        found = np.full(meeting.shape, np.inf)
        logarithm = np.log(meeting / volume ** (1 / 3))
        for blocks, first, second, mean, spread in self.rows:
            fits = (blocks == count) & (ways[..., 0] == first) & (ways[..., 1] == second)
            own = ((logarithm - mean) / max(spread, _LEAST)) ** 2
            found = np.where(fits, np.minimum(found, own), found)
        return found


def reach(block: Block) -> float:
    """Mean distance of a block's connections from its centre, A."""
    return float(np.linalg.norm(block.connections, axis=1).mean())


def fit_proportions(blocks: np.ndarray, mask: np.ndarray, cells: np.ndarray, library: Library) -> Proportions | None:
    """Proportions of M frameworks; None where one of them has several kinds of nodes or of linkers.

    Args:
        blocks: (M, G) numbers in the library.
        mask: which are real.
        cells: (M, 3, 3), A.
        library: the blocks.
    """
    seen = defaultdict(list)
    for own, real, cell in zip(blocks, mask, cells, strict=True):
        kinds = sorted(np.unique(own[real]).tolist(), key=lambda kind: not library[kind].node)
        if [library[kind].node for kind in kinds] != [True, False]:
            return None
        node, linker = (library[kind] for kind in kinds)
        meeting = (reach(node) + reach(linker)) / abs(np.linalg.det(cell)) ** (1 / 3)
        seen[int(real.sum()), len(node.connections), len(linker.connections)].append(np.log(meeting))
    return Proportions(np.array([[*kind, np.mean(own), np.std(own)] for kind, own in sorted(seen.items())]))
