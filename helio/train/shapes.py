"""Sizes of batches, chosen from the data: few shapes, little padding.

All structures of a class are padded to its largest number of atoms N and of pairs P, and its batches hold B structures.
Classes come from one that holds everything: again and again, the cut of one class by atoms, by pairs or by a sum of
both is made that saves the most padding, until no more than `TARGET` of all atoms and of all pairs is padding. A class
of a few structures would give batches that weigh too much in training, so classes hold at least half a batch, unless
the padding stays too large then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from helio.errors import HelioError

TARGET = 0.145
MOST_SHAPES = 16
# For passes that are few: compiling for more shapes would take longer than their padding.
FEW_SHAPES = 4
# Places per structure with which a batch counts as full.
_FULL = 1.02
# What the padding of an atom costs, in units of the mean number of pairs of an atom: the best of these is used.
_ATOM_COSTS = (0.5, 1.0, 0.25)


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
    shapes: int = MOST_SHAPES  # the most of them

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
        """Number of batches for `count` structures of up to so many atoms, and places in each, all alike.

        Batches are as large as they may be, or smaller where that fills the blocks better.
        """
        most = self.most(atoms)
        ways = []
        for size in range(most, max(self.blocks, most // 2) - 1, -self.blocks):
            number = -(-count // size)
            each = -(-count // (number * self.blocks)) * self.blocks
            ways.append((number, each))
            if number * each <= _FULL * count:
                return number, each
        return min(ways, key=lambda way: way[0] * way[1])


def classes(sizes: Sizes, limits: BatchLimits) -> list[np.ndarray]:
    """The structures of each class, in ascending order of their numbers."""
    atoms, pairs = np.asarray(sizes.atoms, np.int64), np.asarray(sizes.pairs, np.int64)
    base = int(pairs.max()) + 1
    different, member = np.unique(atoms * base + pairs, return_inverse=True)
    kinds = _Kinds(different // base, different % base, np.bincount(member))
    best: tuple[float, list[np.ndarray]] | None = None
    for least in (max(1, limits.structures // 2), 1):
        for factor in _ATOM_COSTS:
            divided = _Division(kinds, factor * float(pairs.sum() / atoms.sum()), least)
            padding = divided.until(TARGET, limits)
            if best is None or (max(padding, TARGET), len(divided.parts)) < (max(best[0], TARGET), len(best[1])):
                best = padding, divided.parts
        if best is not None and best[0] <= TARGET:
            break
    assert best is not None
    owner = np.zeros(len(different), int)
    for number, part in enumerate(best[1]):
        owner[part] = number
    found = owner[member]
    return [np.flatnonzero(found == number) for number in range(len(best[1]))]


def waste(parts: list[Sizes], limits: BatchLimits) -> Waste:
    """The padding in one pass over classes of these sizes."""
    return _waste([_Kinds(part.atoms, part.pairs, np.ones_like(part.atoms)) for part in parts], limits)


def _waste(parts: list[_Kinds], limits: BatchLimits) -> Waste:
    totals = np.zeros((3, 2))
    for part in parts:
        atoms, pairs, count = int(part.atoms.max()), int(part.pairs.max()), int(part.counts.sum())
        number, each = limits.batches(count, atoms)
        places = number * each
        totals += [
            [part.counts @ part.atoms, places * atoms],
            [part.counts @ part.pairs, places * pair_places(pairs)],
            [count, places],
        ]
    shares = 1 - totals[:, 0] / np.maximum(totals[:, 1], 1)
    return Waste(*(float(share) for share in shares))


def pair_places(pairs: int) -> int:
    """Places for so many pairs: a multiple of four, at least four."""
    return max(4, -(-pairs // 4) * 4)


@dataclass(frozen=True)
class _Kinds:
    """Different pairs of sizes, and how many structures have them."""

    atoms: np.ndarray
    pairs: np.ndarray
    counts: np.ndarray

    def of(self, part: np.ndarray) -> _Kinds:
        return _Kinds(self.atoms[part], self.pairs[part], self.counts[part])


class _Division:
    """Classes of kinds, cut further and further."""

    def __init__(self, kinds: _Kinds, atom_cost: float, least: int) -> None:
        self._kinds, self._atom_cost, self._least = kinds, atom_cost, least
        self.parts = [np.arange(len(kinds.atoms))]
        self._cuts = [self._best_cut(self.parts[0])]

    def until(self, target: float, limits: BatchLimits) -> float:
        """Cut until no more than the target is padding, or no cut helps; return the larger share of padding."""
        while (padding := self._padding(limits)) > target and len(self.parts) < limits.shapes:
            number = max(range(len(self.parts)), key=lambda place: self._cuts[place][0])
            saved, *halves = self._cuts[number]
            if saved <= 0:
                break
            self.parts[number : number + 1] = halves
            self._cuts[number : number + 1] = [self._best_cut(half) for half in halves]
        return padding

    def _padding(self, limits: BatchLimits) -> float:
        found = _waste([self._kinds.of(part) for part in self.parts], limits)
        return max(found.atoms, found.pairs)

    def _best_cut(self, part: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """What the best cut in two saves, and the two."""
        own = self._kinds.of(part)
        best = (0.0, part, part)
        whole = own.counts.sum() * self._cost(own.atoms.max(), own.pairs.max())
        for sums in (own.atoms, own.pairs, own.pairs + self._atom_cost * own.atoms):
            order = np.argsort(sums, kind="stable")
            below = own.of(order)
            upward = self._cost(np.maximum.accumulate(below.atoms), np.maximum.accumulate(below.pairs))
            above = own.of(order[::-1])
            downward = self._cost(np.maximum.accumulate(above.atoms), np.maximum.accumulate(above.pairs))[::-1]
            count = np.cumsum(below.counts)[:-1]
            rest = below.counts.sum() - count
            saved = whole - count * upward[:-1] - rest * downward[1:]
            saved = np.where((count >= self._least) & (rest >= self._least), saved, 0.0)
            if len(saved) and saved.max() > best[0]:
                place = int(saved.argmax()) + 1
                best = float(saved.max()), part[order[:place]], part[order[place:]]
        return best

    def _cost(self, atoms: np.ndarray, pairs: np.ndarray) -> np.ndarray:
        return pairs + self._atom_cost * atoms
