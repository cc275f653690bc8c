"""Which blocks are the same, and how one is turned onto another.

Blocks with the same key are compared in space: two points of the one, of rare colours (`Block.colors`), are laid upon
two of the other in all ways that colours and distances allow; each way is a rotation, under which every point has its
nearest of the same colour. Mirror images and other conformers do not match.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from helio.frameworks.block import Block
from helio.frameworks.framework import Framework
from helio.frameworks.library import Library

TOLERANCE = 0.25  # A, between a point and its like
_DIFFERENCE = 0.5  # A, between the distances of two points that may be alike


@dataclass(frozen=True, eq=False)
class Match:
    """How a known block lies on another."""

    rotation: np.ndarray  # (3, 3)
    connections: np.ndarray  # (c,) connection of the other block that each of the known block's lies on
    deviation: float  # largest distance left, A


def match(known: Block, other: Block, *, tolerance: float = TOLERANCE) -> Match | None:
    """The rotation that lays `known` upon `other`, or None where none does within `tolerance` (A)."""
    if known.key != other.key:
        return None
    colors = [np.unique(block.colors, return_inverse=True)[1] for block in (known, other)]
    points = [np.concatenate([block.positions, block.connections]) for block in (known, other)]
    best: Match | None = None
    for rotation in _rotations(*points, *colors):
        order = _order(points[0] @ rotation.T, points[1], *colors, tolerance=4 * tolerance)
        if order is None:
            continue
        rotation = _fit(points[0], points[1][order])
        deviation = float(np.linalg.norm(points[0] @ rotation.T - points[1][order], axis=1).max())
        if deviation <= tolerance and (best is None or deviation < best.deviation):
            best = Match(rotation, order[len(known) :] - len(known), deviation)
        if best is not None and best.deviation < 0.02:
            break
    return best


def _rotations(known: np.ndarray, other: np.ndarray, colors: np.ndarray, other_colors: np.ndarray) -> list[np.ndarray]:
    """Rotations that lay two points of `known`, not in line with the origin, upon points of the same colours."""
    lengths, other_lengths = np.linalg.norm(known, axis=1), np.linalg.norm(other, axis=1)
    counts = np.bincount(colors)[colors].astype(float)
    first = int(np.argmin(np.where(lengths > 0.5, counts, np.inf)))
    if lengths[first] <= 0.5:
        return [np.eye(3)]
    across = np.linalg.norm(np.cross(known, known[first]), axis=1) / lengths[first]
    second = int(np.argmin(np.where(across > 0.5, counts, np.inf)))
    likes = np.flatnonzero((other_colors == colors[first]) & (np.abs(other_lengths - lengths[first]) < _DIFFERENCE))
    if across[second] <= 0.5:  # all in one line
        return [_frame(other[k]) @ _frame(known[first]).T for k in likes]
    seconds = np.flatnonzero(other_colors == colors[second])
    apart = np.linalg.norm(known[first] - known[second])
    return [
        _frame(other[k], other[m]) @ _frame(known[first], known[second]).T
        for k in likes
        for m in seconds
        if m != k and abs(np.linalg.norm(other[k] - other[m]) - apart) < _DIFFERENCE
    ]


def _frame(axis: np.ndarray, other: np.ndarray | None = None) -> np.ndarray:
    """Three orthogonal unit vectors in columns: along `axis`, and across it towards `other` or anywhere."""
    along = axis / np.linalg.norm(axis)
    across = np.eye(3)[np.argmin(np.abs(along))] if other is None else other
    across = across - (across @ along) * along
    across = across / np.linalg.norm(across) if np.linalg.norm(across) > 1e-6 else _frame(axis)[:, 1]
    return np.stack([along, across, np.cross(along, across)], axis=1)


def _order(
    known: np.ndarray, other: np.ndarray, colors: np.ndarray, other_colors: np.ndarray, *, tolerance: float
) -> np.ndarray | None:
    """Which point of `other` each of `known` lies on, one to one within the same colour; None if some are too far."""
    distances = np.where(colors[:, None] == other_colors[None], cdist(known, other), np.inf)
    nearest = distances.argmin(axis=1)
    if distances.min(axis=1).max() > tolerance:
        return None
    if len(np.unique(nearest)) == len(nearest):
        return nearest
    return linear_sum_assignment(np.where(np.isinf(distances), 1e6, distances))[1]


def _fit(known: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The rotation R with known @ R.T closest to `other` (Kabsch)."""
    left, _, right = np.linalg.svd(other.T @ known)
    return left @ np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))]) @ right


class Collection:
    """A library that grows by the blocks of frameworks."""

    def __init__(self) -> None:
        self._blocks: list[Block] = []
        self._names: list[str] = []
        self._by_key: dict[str, list[int]] = {}

    @property
    def library(self) -> Library:
        """All blocks so far."""
        return Library(tuple(self._blocks), tuple(self._names))

    def adopt(self, framework: Framework, blocks: list[Block]) -> Framework:
        """The framework in terms of the library's blocks, with those that were not known added.

        Args:
            framework: block g of it is `blocks[g]`.
            blocks: its own.
        """
        numbers, rotations = [], framework.rotations.copy()
        ends = framework.ends.copy()
        for g, block in enumerate(blocks):
            number, found = self._find(block)
            if found is None:
                number = self._add(block, f"{framework.name}:{g}")
            else:
                rotations[g] = rotations[g] @ found.rotation
                own = np.argsort(found.connections)  # the library's connection that lies on each of the block's
                for column in (0, 1):
                    at = framework.edges[:, column] == g
                    ends[at, column] = own[framework.ends[at, column]]
            numbers.append(number)
        return replace(framework, blocks=np.array(numbers, np.int32), rotations=rotations, ends=ends)

    def _find(self, block: Block) -> tuple[int, Match | None]:
        for number in self._by_key.get(block.key, []):
            if (found := match(self._blocks[number], block)) is not None:
                return number, found
        return -1, None

    def _add(self, block: Block, name: str) -> int:
        self._by_key.setdefault(block.key, []).append(len(self._blocks))
        self._blocks.append(block)
        self._names.append(name)
        return len(self._blocks) - 1
