"""The coarse picture of one periodic structure: its building blocks, how they are turned and what joins them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, eq=False)
class Framework:
    """G blocks in a periodic cell, joined by E edges; an edge is where a connection of one block meets another's."""

    name: str
    cell: np.ndarray  # (3, 3) float64, rows are vectors, A
    centers: np.ndarray  # (G, 3) float64, fractional, in [0, 1)
    blocks: np.ndarray  # (G,) int32, index into the library
    rotations: np.ndarray  # (G, 3, 3) float64, proper: r = R @ r_block + center
    edges: np.ndarray  # (E, 5) int32: block i, block j, image of j
    ends: np.ndarray  # (E, 2) int32: which connection of block i meets which of block j
    labels: dict[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.blocks)
