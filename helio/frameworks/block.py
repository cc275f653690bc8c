"""A building block: a metal node or a linker, with the points at which it joins others."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial.distance import pdist

from helio.frameworks.identity import graph_colors, graph_hash


@dataclass(frozen=True, eq=False)
class Block:
    """Atoms, bonds and connection points of a building block, in A; `key` says which are the same."""

    numbers: np.ndarray  # (n,) int32 atomic numbers
    positions: np.ndarray  # (n, 3) float64, the origin is the centroid of the connections
    bonds: np.ndarray  # (b, 2) int32, i < j, sorted
    connections: np.ndarray  # (c, 3) float64, midpoints of the bonds that leave the block
    docking: np.ndarray  # (c,) int32, the atom that each connection leaves from
    node: bool  # True for metal nodes and the nodes of COFs, False for linkers

    def __len__(self) -> int:
        return len(self.numbers)

    @cached_property
    def key(self) -> str:
        """Hash of the graph of atoms and connections, and of `node`; independent of geometry and order."""
        return graph_hash(*self._graph)

    @cached_property
    def colors(self) -> tuple[str, ...]:
        """Colour of each atom and then of each connection; those that a symmetry of the graph exchanges are equal."""
        return tuple(graph_colors(*self._graph))

    @cached_property
    def diameter(self) -> float:
        """Largest distance between any two of its atoms and connections, A."""
        points = np.concatenate([self.positions, self.connections])
        return float(pdist(points).max()) if len(points) > 1 else 0.0

    @property
    def _graph(self) -> tuple[list[str], np.ndarray]:
        kind = "node" if self.node else "linker"
        labels = [f"{kind} {number}" for number in self.numbers] + [f"{kind} X"] * len(self.connections)
        leaving = np.stack([self.docking, len(self) + np.arange(len(self.docking))], axis=1)
        return labels, np.concatenate([self.bonds, leaving])


def make_block(
    numbers: np.ndarray,
    positions: np.ndarray,
    bonds: np.ndarray,
    connections: np.ndarray,
    docking: np.ndarray,
    *,
    node: bool,
) -> Block:
    """A block about the centroid of its connections (at least one), from Cartesian coordinates with any origin."""
    origin = connections.mean(axis=0)
    pairs = np.unique(np.sort(np.asarray(bonds, np.int32).reshape(-1, 2), axis=1), axis=0)
    return Block(
        numbers=np.asarray(numbers, np.int32),
        positions=np.asarray(positions, np.float64) - origin,
        bonds=pairs,
        connections=np.asarray(connections, np.float64) - origin,
        docking=np.asarray(docking, np.int32),
        node=node,
    )
