"""Errors of averages over correlated data, and where a run has come to equilibrium.

| symbol | variable | |
|---|---|---|
| g | `inefficiency` | number of consecutive samples that are worth one independent sample |
| tau | | integrated autocorrelation time in samples, g = 1 + 2 tau |
| n | | number of independent samples, T / g |

Errors are such that a mean is within one of them in 68 of 100 cases, however few independent samples there are: with n
of them, sqrt(var / n) is multiplied by the quantile of Student's distribution of n - 1 degrees of freedom.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from scipy.special import ndtr, stdtrit

from helio.errors import HelioError

FEW = 10  # independent samples, below which the correlation is hard to tell from the series itself
FEW_NOTE = "Errors that rest on fewer than 10 independent samples are rough, and rather too small than too large."
# The sum of the autocorrelation ends where the window is this many times g / 2; 5 as advised by Sokal (1997).
_WINDOW = 5.0
_LONGEST = 0.25  # share of a series, the longest window: beyond it there is more noise than correlation
_TELLING = 20  # samples, in fewer of which a begin is not told from chance
_LEAST = 2.0  # independent samples that any series is taken to be worth
_MOST_ROWS = 512  # beyond which neighbours are joined before the correlation of many series is looked at
_AT_ONCE = 2_000_000  # numbers whose correlation is looked at together


def inefficiency(series: np.ndarray) -> float:
    """The statistical inefficiency g of a series (T,), at least 1.

    g = 1 + 2 sum_k rho(k), the sum ending self-consistently (Sokal, in Functional Integration (1997), p. 131). That the
    mean of the series is taken away makes the correlation too small by the square of the mean's own error, which is
    given back (Wolff, Comput. Phys. Commun. 156, 143 (2004)).
    """
    return float(_correlation(np.asarray(series, float)[:, None])[0][0])


def mean_and_error(series: np.ndarray, *, most_samples: float = np.inf) -> tuple[float, float]:
    """Mean and standard error of a correlated series (T,); the error is NaN for fewer than 4 values.

    `most_samples` is the largest number of independent samples that it can be worth, where something beyond the series
    tells; below two of them there is no error.
    """
    series = np.asarray(series, float)
    if len(series) < 4:
        return float(series.mean()), float("nan")
    return float(series.mean()), float(correlated_error(series, most_samples=most_samples))


def correlated_error(samples: np.ndarray, *, most_samples: float = np.inf) -> np.ndarray:
    """Standard errors of the means of correlated samples (T, ...), T at least 4, element by element (...)."""
    flat = _joined(samples).reshape(-1, int(np.prod(samples.shape[1:])))
    g, variance = _correlation(flat)
    count = np.minimum(np.maximum(len(flat) / g, _LEAST), most_samples)
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.where(count >= _LEAST, np.sqrt(variance / count) * student(count), np.nan)
    return error.reshape(samples.shape[1:])


def spread_error(samples: np.ndarray) -> np.ndarray:
    """Standard error of the mean of independent samples (S, ...), such as runs; NaN for one."""
    if len(samples) < 2:
        return np.full(np.shape(samples)[1:], np.nan)
    return np.std(samples, axis=0, ddof=1) / np.sqrt(len(samples)) * student(len(samples))


def student(count: np.ndarray | float, errors: float = 1.0) -> np.ndarray:
    """How many times sqrt(var / n) the error of a mean over n samples is: 1.84 for two, 1.06 for ten.

    With `errors` beyond 1: the same of what is as rare as that many errors of a normal distribution.
    """
    return stdtrit(np.asarray(count, float) - 1, ndtr(errors))


def few_notes(series: Iterable[np.ndarray]) -> tuple[str, ...]:
    """A sentence where one of some series (T,) is worth few independent samples."""
    return (FEW_NOTE,) if any(len(one) / inefficiency(one) < FEW for one in series if np.ptp(one) > 0) else ()


def _correlation(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inefficiencies and variances (M,) of series (T, M)."""
    at_once = max(1, _AT_ONCE // max(1, len(samples)))
    parts = [_correlation_of_few(samples[:, begin : begin + at_once]) for begin in range(0, samples.shape[1], at_once)]
    return np.concatenate([g for g, _ in parts]), np.concatenate([variance for _, variance in parts])


def _correlation_of_few(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    count = len(samples)
    deviations = samples - samples.mean(axis=0)
    variance = (deviations**2).mean(axis=0)
    still = np.ptp(samples, axis=0) < 1e-12 * np.abs(samples.mean(axis=0))
    if count < 4:
        return np.ones(samples.shape[1]), variance * count / max(1, count - 1)
    lags = np.arange(max(1, int(_LONGEST * count)) + 1)[:, None]
    spectrum = np.fft.rfft(deviations, 2 * count, axis=0)
    covariance = np.fft.irfft(np.abs(spectrum) ** 2, axis=0)[: len(lags)] / count
    # Each covariance lacks the square of the mean's error, which is the sum of all of them divided by T.
    total = (2 * np.cumsum(covariance, axis=0) - covariance[0]) / (1 - (2 * lags + 1) / count)
    given_back = covariance[0] + np.maximum(total, 0) / count
    with np.errstate(invalid="ignore", divide="ignore"):
        sums = total / given_back
        enough = lags >= _WINDOW * sums / 2
    ends = np.where(enough.any(axis=0), enough.argmax(axis=0), len(lags) - 1)
    columns = np.arange(samples.shape[1])
    still |= variance == 0
    g = np.where(still, 1.0, np.maximum(1.0, sums[ends, columns]))
    return g, np.where(still, variance, given_back[ends, columns])


def _joined(samples: np.ndarray) -> np.ndarray:
    while len(samples) > _MOST_ROWS and samples.ndim > 1:
        samples = _halved(samples)
    return samples


def equilibration(series: np.ndarray, *, candidates: int = 50) -> tuple[int, float]:
    """Where equilibrium begins in a series (T,), and g from there on.

    The first sample t0 that makes the number of independent samples behind it, (T - t0) / g(t0), largest (Chodera,
    J. Chem. Theory Comput. 12, 1799 (2016)), among `candidates` in the first nine tenths. Of fewer than 20 samples it
    is the first.
    """
    if len(series) < _TELLING:
        return 0, inefficiency(series)
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

    Errors are those of the means of correlated blocks, element by element (`correlated_error`): blocks that are longer
    than the correlation count as independent, shorter ones by what they are worth.
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
        return correlated_error(self.means())

    def notes(self) -> tuple[str, ...]:
        """A sentence where half of the elements are worth few independent samples."""
        if len(self._blocks) < 4:
            return (FEW_NOTE,)
        flat = self.means().reshape(len(self._blocks), -1)
        flat = flat[:, np.ptp(flat, axis=0) > 0]
        return (FEW_NOTE,) if flat.size and np.median(len(flat) / _correlation(flat)[0]) < FEW else ()

    def jackknife(
        self, function: Callable[[np.ndarray], np.ndarray], *, blocks: int = 20
    ) -> tuple[np.ndarray, np.ndarray]:
        """Value and standard error of a function of the mean: it is evaluated with one block left out at a time.

        What a block changes is taken as a series along time, whose correlation counts as in `error`.
        """
        means = self.means()
        count = min(blocks, len(means))
        groups = np.stack([group.mean(axis=0) for group in np.array_split(means, count)])
        weights = np.array([len(group) for group in np.array_split(np.arange(len(means)), count)], float)
        total = np.tensordot(weights, groups, axes=1)
        without = np.stack(
            [function((total - w * group) / (weights.sum() - w)) for w, group in zip(weights, groups, strict=True)]
        )
        changes = (count - 1) * (without.mean(axis=0) - without)
        error = correlated_error(changes) if count >= 4 else spread_error(changes)
        return np.asarray(function(self.mean())), error


def _halved(samples: np.ndarray) -> np.ndarray:
    """Means of neighbours; of an odd number the first is left out."""
    samples = samples[len(samples) % 2 :]
    return 0.5 * (samples[::2] + samples[1::2])
