"""Sums of errors, and which of them mean something."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

_SIGMAS = 3.0  # of a correlation that is not zero by chance
_CERTAIN = 0.999  # the largest correlation, whose z is finite
_FEWEST = 8  # structures: of fewer one that is unlike the others decides


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


@dataclass(frozen=True)
class SlopeSums:
    """Sums over (reference, prediction) of structures of as many values each: a mean is taken off each place.

    The mean of a place is that over structures, so that a constant error of a model, as of its pressure, has no effect.
    """

    structures: int = 0
    means: np.ndarray | None = None  # of reference and prediction, (2, V)
    products: np.ndarray | None = None  # of the differences from the means, (2, 2), summed over values and structures

    def including(self, reference: np.ndarray, prediction: np.ndarray) -> SlopeSums:
        """These sums and those of one more structure (Welford, Technometrics 4, 419 (1962))."""
        values = np.stack([np.ravel(reference), np.ravel(prediction)]).astype(np.float64)
        means = np.zeros_like(values) if self.means is None else self.means
        products = np.zeros((2, 2)) if self.products is None else self.products
        shift, count = values - means, self.structures + 1
        return SlopeSums(count, means + shift / count, products + shift @ shift.T * (self.structures / count))

    @property
    def slope(self) -> float | None:
        """By how much the prediction rises where the reference rises by 1; None where the reference does not change."""
        if self.products is None or self.products[0, 0] <= 0:
            return None
        return float(self.products[0, 1] / self.products[0, 0])

    @property
    def correlation(self) -> float | None:
        """Between reference and prediction, -1 to 1; None where one of them does not change."""
        if self.products is None or self.products.diagonal().min() <= 0:
            return None
        return float(np.clip(self.products[0, 1] / np.sqrt(self.products[0, 0] * self.products[1, 1]), -1, 1))

    @property
    def opposite(self) -> bool:
        """Whether the two have opposite signs beyond chance: z of Fisher is below -3, each structure counted once."""
        if self.correlation is None or self.structures < _FEWEST:
            return False
        return bool(np.arctanh(max(self.correlation, -_CERTAIN)) * np.sqrt(self.structures - 3) < -_SIGMAS)


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
