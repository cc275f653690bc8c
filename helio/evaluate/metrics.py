"""Sums of errors, and which of them mean something."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ErrorSums:
    """Number of values, sum of absolute and of squared errors: all that mean errors need, for sets of any size."""

    count: int = 0
    absolute: float = 0.0
    squared: float = 0.0

    def including(self, errors: np.ndarray) -> ErrorSums:
        """These sums and those of `errors` (any shape)."""
        errors = np.asarray(errors, np.float64)
        return ErrorSums(
            self.count + errors.size,
            self.absolute + float(np.abs(errors).sum()),
            self.squared + float((errors**2).sum()),
        )

    @property
    def mae(self) -> float | None:
        """Mean absolute error; None without values."""
        return self.absolute / self.count if self.count else None

    @property
    def rmse(self) -> float | None:
        """Root-mean-square error; None without values."""
        return (self.squared / self.count) ** 0.5 if self.count else None

    def to_dict(self) -> dict[str, float | int | None]:
        """Count, MAE and RMSE."""
        return {"count": self.count, "mae": self.mae, "rmse": self.rmse}


def without_group_means(values: np.ndarray, groups: Sequence[Hashable]) -> np.ndarray:
    """Values minus the mean of their group; NaN for a value that is alone in its group.

    Energies of different compositions have no common zero, so only differences within a composition are compared;
    a value alone has nothing to be compared with.
    """
    numbers: dict[Hashable, int] = {}
    member = np.array([numbers.setdefault(group, len(numbers)) for group in groups], int)
    size = np.bincount(member, minlength=len(numbers))
    mean = np.bincount(member, weights=values, minlength=len(numbers)) / np.maximum(size, 1)
    return np.where(size[member] > 1, values - mean[member], np.nan)


class PairSample:
    """A random sample of (reference, prediction) pairs, of bounded size however many are added.

    Every pair draws a random number and the pairs with the smallest ones stay.
    """

    def __init__(self, limit: int = 20_000, seed: int = 0):
        self.limit = limit
        self.seen = 0
        self._random = np.random.default_rng(seed)
        self._pairs = np.empty((0, 2))
        self._draws = np.empty(0)

    def add(self, reference: np.ndarray, prediction: np.ndarray) -> None:
        """Offer pairs of values (two arrays of one shape)."""
        pairs = np.stack([np.ravel(reference), np.ravel(prediction)], axis=1)
        self.seen += len(pairs)
        self._pairs = np.concatenate([self._pairs, pairs])
        self._draws = np.concatenate([self._draws, self._random.random(len(pairs))])
        if len(self._pairs) > 2 * self.limit:
            self._shrink()

    def pairs(self) -> np.ndarray:
        """The sample, (S, 2): reference and prediction."""
        if len(self._pairs) > self.limit:
            self._shrink()
        return self._pairs

    def _shrink(self) -> None:
        kept = np.argpartition(self._draws, self.limit)[: self.limit]
        self._pairs, self._draws = self._pairs[kept], self._draws[kept]
