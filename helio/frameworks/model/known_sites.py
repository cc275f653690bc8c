"""Sites of the frameworks that a model was trained on: where blocks begin when places are drawn a second time.

Blocks are looked up in a library, and sites may be, too: of all frameworks with as many blocks and connections, those
of the one whose cell has the shape most like that of the sample,

    min |g - g_i|,  g = c c^T / V^(2/3)

over the six different numbers of g, c being the reduced cell. New are then blocks, their combination and the cell, but
not the net.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from helio.frameworks.library import Library

_PARTS = np.triu_indices(3)


@dataclass(frozen=True, eq=False)
class KnownSites:
    """M frameworks with one kind of node and one of linker."""

    fractional: np.ndarray  # (M, 20, 3) float32, in the reduced cell
    node: np.ndarray  # (M, 20) uint8, 1 for nodes
    kinds: np.ndarray  # (M, 3) int32: blocks, connections of a node, of a linker
    shapes: np.ndarray  # (M, 6) float32: g

    def nearest(self, blocks: np.ndarray, cell: np.ndarray, library: Library) -> tuple[np.ndarray, np.ndarray] | None:
        """The blocks (N,) in another order, and the sites (N, 3) of a framework for them; None where none is known.

        Args:
            blocks: numbers in the library of one kind of node and one of linker.
            cell: reduced.
            library: the blocks.
        """
        node = np.array([library[number].node for number in blocks])
        if node.all() or not node.any():
            return None
        first, second = blocks[node][0], blocks[~node][0]
        kind = len(blocks), len(library[first].connections), len(library[second].connections)
        own = (self.kinds == kind).all(axis=1) & (self.node.sum(axis=1) == node.sum())
        if not own.any():
            return None
        apart = np.where(own, np.linalg.norm(self.shapes - shape(cell), axis=1), np.inf)
        chosen = int(apart.argmin())
        places = self.node[chosen, : len(blocks)] > 0
        return np.where(places, first, second).astype(np.int32), self.fractional[chosen, : len(blocks)]


def shape(cell: np.ndarray) -> np.ndarray:
    """The numbers g of a cell."""
    return (cell @ cell.T / abs(np.linalg.det(cell)) ** (2 / 3))[_PARTS]


def known_sites(
    blocks: np.ndarray, mask: np.ndarray, cells: np.ndarray, fractional: np.ndarray, library: Library
) -> KnownSites:
    """Those of M frameworks with one kind of node and one of linker; arrays as in `FrameworkArrays`."""
    node = np.array([block.node for block in library.blocks])
    ways = np.array([len(block.connections) for block in library.blocks])
    first = [own[real & node[own]][0] for own, real in zip(blocks, mask, strict=True)]
    second = [own[real & ~node[own]][0] for own, real in zip(blocks, mask, strict=True)]
    return KnownSites(
        fractional=fractional.astype(np.float32),
        node=(node[blocks] & mask).astype(np.uint8),
        kinds=np.stack([mask.sum(axis=1), ways[first], ways[second]], axis=1).astype(np.int32),
        shapes=np.array([shape(cell) for cell in cells], np.float32),
    )
