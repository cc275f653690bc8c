"""Sizes of batches, chosen from the data: few shapes, little padding.

Structures are sorted by their size and cut into classes. All structures of a class are padded to its largest number of
atoms N and of pairs P, and its batches hold B structures. Of all cuts into k classes the one with the least padding is
found by dynamic programming; k is the smallest number with which no more than `TARGET` of all atoms and of all pairs is
padding. A class as small as a few structures would give batches that weigh too much in training, so classes hold at
least half a batch, unless the padding stays too large then.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from helio.errors import HelioError

TARGET = 0.12
MOST_SHAPES = 12
# What an atom costs in a step, in units of a pair's cost: dense layers of an atom against filters of a pair.
_ATOM_COST = 2.0
_CANDIDATES = 128  # places where the sorted structures may be cut


class Shape(NamedTuple):
    """The sizes of a batch."""

    structures: int  # B
    atoms: int  # N
    pairs: int  # P, places of the short list's half list
    columns: int  # K of the short list
    long_columns: int  # K of the long list
    pbc: tuple[bool, bool, bool]


class Waste(NamedTuple):
    """Shares of padding."""

    atoms: float
    pairs: float  # of the short list
    structures: float


@dataclass(frozen=True)
class Sizes:
    """Sizes of structures, (M,) each."""

    atoms: np.ndarray
    pairs: np.ndarray
    columns: np.ndarray

    def of(self, members: np.ndarray) -> Sizes:
        """The sizes of some of them."""
        return Sizes(self.atoms[members], self.pairs[members], self.columns[members])


@dataclass(frozen=True)
class BatchLimits:
    """How large a batch may be."""

    structures: int
    atoms: int | None = None  # padded ones
    blocks: int = 1  # the number of structures is a multiple of it

    def __post_init__(self) -> None:
        """Check the limits."""
        if self.structures < 1 or self.blocks < 1 or (self.atoms is not None and self.atoms < 1):
            raise HelioError(
                f"a batch needs at least one structure, atom and block, not {self.structures}, {self.atoms} and "
                f"{self.blocks}"
            )
        if self.structures % self.blocks:
            raise HelioError(f"{self.structures} structures per batch cannot be shared evenly by {self.blocks} devices")

    def most(self, atoms: int) -> int:
        """The most structures of so many atoms."""
        by_atoms = self.structures if self.atoms is None else self.atoms // atoms // self.blocks * self.blocks
        return max(self.blocks, min(self.structures, by_atoms))

    def batches(self, count: int, atoms: int) -> tuple[int, int]:
        """Number of batches for `count` structures of up to so many atoms, and structures in each, all alike."""
        number = -(-count // self.most(atoms))
        each = -(-count // number)
        return number, -(-each // self.blocks) * self.blocks


def classes(sizes: Sizes, limits: BatchLimits) -> list[np.ndarray]:
    """The structures of each class, in ascending order of their numbers."""
    order = np.lexsort((sizes.atoms, sizes.pairs + _ATOM_COST * sizes.atoms))
    sorted_sizes = sizes.of(order)
    cuts = _candidates(sorted_sizes)
    for least in (limits.structures // 2, 1):
        costs = _costs(sorted_sizes, cuts, limits, least)
        best = _divisions(costs, min(MOST_SHAPES, len(cuts) - 1))
        for division in best:
            found = [np.sort(order[cuts[a] : cuts[b]]) for a, b in itertools.pairwise(division)]
            result = waste([sizes.of(members) for members in found], limits)
            if max(result.atoms, result.pairs) <= TARGET:
                return found
    return found


def waste(parts: list[Sizes], limits: BatchLimits) -> Waste:
    """The padding in one pass over classes of these sizes."""
    totals = np.zeros((3, 2))
    for part in parts:
        atoms, pairs = int(part.atoms.max()), int(part.pairs.max())
        number, each = limits.batches(len(part.atoms), atoms)
        places = number * each
        totals += [
            [part.atoms.sum(), places * atoms],
            [part.pairs.sum(), places * pair_places(pairs)],
            [len(part.atoms), places],
        ]
    shares = 1 - totals[:, 0] / np.maximum(totals[:, 1], 1)
    return Waste(*(float(share) for share in shares))


def pair_places(pairs: int) -> int:
    """Places for so many pairs: a multiple of four, at least four."""
    return max(4, -(-pairs // 4) * 4)


def _candidates(sizes: Sizes) -> np.ndarray:
    """Places between structures of different size, `_CANDIDATES` of them at most, with both ends."""
    count = len(sizes.atoms)
    different = np.flatnonzero((np.diff(sizes.atoms) != 0) | (np.diff(sizes.pairs) != 0)) + 1
    if len(different) > _CANDIDATES:
        wanted = np.linspace(0, count, _CANDIDATES + 1)[1:-1]
        different = np.unique(different[np.searchsorted(different, wanted).clip(max=len(different) - 1)])
    return np.concatenate([[0], different, [count]])


def _costs(sizes: Sizes, cuts: np.ndarray, limits: BatchLimits, least: int) -> np.ndarray:
    """What a class from one cut to another costs; infinite where it would have fewer structures than `least`."""
    segments = list(itertools.pairwise(cuts))
    most_atoms = np.array([sizes.atoms[a:b].max() for a, b in segments])
    most_pairs = np.array([sizes.pairs[a:b].max() for a, b in segments])
    costs = np.full((len(cuts), len(cuts)), np.inf)
    least = min(least, int(cuts[-1]))
    for start in range(len(segments)):
        atoms = np.maximum.accumulate(most_atoms[start:])
        pairs = np.maximum.accumulate(most_pairs[start:])
        for step, (n, p) in enumerate(zip(atoms.tolist(), pairs.tolist(), strict=True)):
            count = int(cuts[start + step + 1] - cuts[start])
            if count >= least:
                number, each = limits.batches(count, n)
                costs[start, start + step + 1] = number * each * (pair_places(p) + _ATOM_COST * n)
    return costs


def _divisions(costs: np.ndarray, most: int) -> list[list[int]]:
    """The cheapest division into 1, 2, ... classes, as places of the cuts; those that exist."""
    end = len(costs) - 1
    total, origins, found = costs[0].copy(), [np.zeros(end + 1, int)], []
    for number in range(1, most + 1):
        if np.isfinite(total[end]):
            path = [end]
            for origin in reversed(origins):
                path.append(int(origin[path[-1]]))
            found.append(path[::-1])
        if number < most:
            through = total[:, None] + costs
            origins.append(through.argmin(axis=0))
            total = through.min(axis=0)
    return found
