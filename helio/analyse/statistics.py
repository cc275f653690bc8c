"""Errors of averages over correlated data, and where a run has come to equilibrium.

| symbol | variable | |
|---|---|---|
| g | `inefficiency` | number of consecutive samples that are worth one independent sample |
| tau | | integrated autocorrelation time in samples, g = 1 + 2 tau |
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from helio.errors import HelioError

FEW = 10  # independent samples, below which the correlation cannot be told from them
FEW_NOTE = "Errors that rest on fewer than 10 independent samples may be half their true size."
# The sum of the autocorrelation ends where the window is this many times g / 2; 5 as advised by Sokal (1997).
_WINDOW = 5.0
_LOOKED_AT = 200  # elements of an array whose correlation is looked at


def inefficiency(series: np.ndarray) -> float:
    """The statistical inefficiency g of a series (T,), at least 1.

    g = 1 + 2 sum_k rho(k), the sum ending self-consistently (Sokal, in Functional Integration (1997), p. 131).
    """
    deviations = np.asarray(series, float) - np.mean(series)
    count = len(deviations)
    if count < 4 or not deviations.any() or np.ptp(series) < 1e-12 * abs(np.mean(series)):
        return 1.0
    spectrum = np.fft.rfft(deviations, 2 * count)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[:count]
    sums = 2 * np.cumsum(correlation / correlation[0]) - 1
    enough = np.flatnonzero(np.arange(count) >= _WINDOW * sums / 2)
    return float(max(1.0, sums[enough[0] if len(enough) else -1]))


def mean_and_error(series: np.ndarray) -> tuple[float, float]:
    """Mean and standard error of a correlated series (T,): the error is sqrt(g var / T), NaN for fewer than 4."""
    series = np.asarray(series, float)
    if len(series) < 4:
        return float(series.mean()), float("nan")
    return float(series.mean()), float(np.sqrt(inefficiency(series) * series.var(ddof=1) / len(series)))


def equilibration(series: np.ndarray, *, candidates: int = 50) -> tuple[int, float]:
    """Where equilibrium begins in a series (T,), and g from there on.

    The first sample t0 that makes the number of independent samples behind it, (T - t0) / g(t0), largest (Chodera,
    J. Chem. Theory Comput. 12, 1799 (2016)), among `candidates` in the first nine tenths.
    """
    starts = np.unique(np.linspace(0, int(0.9 * len(series)), candidates).astype(int))
    found = [inefficiency(series[start:]) for start in starts]
    best = int(np.argmax([(len(series) - start) / g for start, g in zip(starts, found, strict=True)]))
    return int(starts[best]), found[best]


def bootstrap(
    samples: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray] | None = None, *, draws: int = 500, seed: int = 0
) -> np.ndarray:
    """Standard error of a statistic of independent samples (S, ...), such as runs: its spread over resampled sets.

    The statistic takes samples (S, ...); by default it is their mean.
    """
    random = np.random.default_rng(seed)
    function = statistic or (lambda chosen: chosen.mean(axis=0))
    drawn = [function(samples[random.integers(len(samples), size=len(samples))]) for _ in range(draws)]
    return np.std(drawn, axis=0, ddof=1)


class Blocks:
    """Running averages of arrays, one per frame, over blocks of frames that grow so that few are kept.

    Errors come from blocking (Flyvbjerg and Petersen, J. Chem. Phys. 91, 461 (1989)). The length B of a block is chosen
    element by element: the shortest with B^3 > 2 n (s_B / s_1)^4, with n blocks of length 1 and s_B the error from
    blocks of length B (Lee et al., Phys. Rev. E 83, 066706 (2011)), but at least 8 blocks.
    """

    def __init__(self, *, most: int = 512) -> None:
        """Keep between `most` / 2 and `most` blocks."""
        self._most, self._length, self._filled = most, 1, 0
        self._blocks: list[np.ndarray] = []
        self._sum: np.ndarray | None = None
        self.count = 0  # of frames

    def add(self, sample: np.ndarray | float) -> None:
        """Add what one frame gives."""
        sample = np.array(sample, float)
        self._sum = sample if self._sum is None else self._sum + sample
        self._filled += 1
        self.count += 1
        if self._filled == self._length:
            self._blocks.append(self._sum / self._length)
            self._sum, self._filled = None, 0
        if len(self._blocks) == self._most:
            self._blocks = list(_halved(np.stack(self._blocks)))
            self._length *= 2

    def means(self, least: int = 2) -> np.ndarray:
        """Means of the blocks (n, ...), in order; frames that fill no block are left out.

        Raises `HelioError` if there are fewer than `least`.
        """
        if len(self._blocks) < least:
            raise HelioError(f"too few frames for this analysis: {self.count}, at least {least} are needed")
        return np.stack(self._blocks)

    def mean(self) -> np.ndarray:
        """Mean over all frames."""
        total = sum((block * self._length for block in self._blocks), np.zeros(()))
        return (total if self._sum is None else total + self._sum) / max(1, self.count)

    def error(self) -> np.ndarray:
        """Standard error of the mean of each element; NaN with fewer than 4 blocks."""
        if len(self._blocks) < 4:
            return np.full(np.shape(self.mean()), np.nan)
        return blocked_error(self.means())

    def notes(self) -> tuple[str, ...]:
        """A sentence where blocks of the longest length are still correlated, so that errors are too small."""
        if len(self._blocks) < 4:
            return ()
        samples = self.means()
        flat = samples.reshape(len(samples), -1)
        worth = [len(flat) / inefficiency(column) for column in flat[:, np.ptp(flat, axis=0) > 0].T[:_LOOKED_AT]]
        return (FEW_NOTE,) if worth and np.median(worth) < FEW else ()

    def jackknife(
        self, function: Callable[[np.ndarray], np.ndarray], *, blocks: int = 20
    ) -> tuple[np.ndarray, np.ndarray]:
        """Value and standard error of a function of the mean: it is evaluated with one block left out at a time."""
        means = self.means()
        count = min(blocks, len(means))
        groups = np.stack([group.mean(axis=0) for group in np.array_split(means, count)])
        weights = np.array([len(group) for group in np.array_split(np.arange(len(means)), count)], float)
        total = np.tensordot(weights, groups, axes=1)
        without = np.stack(
            [function((total - w * group) / (weights.sum() - w)) for w, group in zip(weights, groups, strict=True)]
        )
        spread = np.sum((without - without.mean(axis=0)) ** 2, axis=0)
        return np.asarray(function(self.mean())), np.sqrt((count - 1) / count * spread)


def blocked_error(samples: np.ndarray) -> np.ndarray:
    """Standard error of the mean of correlated samples (n, ...), n at least 4, by blocking as in `Blocks`."""
    count = len(samples)
    first = error = samples.std(axis=0, ddof=1) / np.sqrt(count)
    settled = np.zeros(np.shape(first), bool)
    length = 1
    while len(samples) >= 16:
        with np.errstate(divide="ignore", invalid="ignore"):
            enough = length**3 > 2 * count * np.where(first > 0, (error / first) ** 4, 0.0)
        settled |= enough
        if settled.all():
            break
        samples, length = _halved(samples), 2 * length
        error = np.where(settled, error, samples.std(axis=0, ddof=1) / np.sqrt(len(samples)))
    return error


def _halved(samples: np.ndarray) -> np.ndarray:
    """Means of neighbours; of an odd number the first is left out."""
    samples = samples[len(samples) % 2 :]
    return 0.5 * (samples[::2] + samples[1::2])
