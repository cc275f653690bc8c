"""Quantities along time: what they average to, where equilibrium begins, how to draw many points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from helio.analyse.observable import Curve, Value
from helio.analyse.relaxation import most_samples
from helio.analyse.statistics import equilibration, mean_and_error

_POINTS = 1_000  # drawn of one curve
_SAMPLES = 10_000  # looked at for equilibrium
DRIFTING = "The mean rests on less than the last half of the run, which drifts before: it means little."


@dataclass(frozen=True)
class Equilibrated:
    """Mean and error of the part of a series that is in equilibrium."""

    begin: int  # its first sample
    mean: float
    error: float
    samples: float  # that are independent

    def value(self, name: str, unit: str, times_ps: np.ndarray) -> Value:
        """As a number of an observable, with a note on the part; `times_ps` are those of the series."""
        samples = f"{self.samples:.0f} independent samples" if self.samples >= 2 else "no two independent samples"
        note = f"from {times_ps[self.begin]:.4g} ps on, {samples}"
        return Value(name, self.mean, self.error, unit, note)


def equilibrated(series: np.ndarray, times_ps: np.ndarray, *, relaxation: float = 0.0) -> Equilibrated:
    """Average over the part of a series (T,) at times (T,) that is in equilibrium (`statistics.equilibration`).

    `relaxation` is the time in ps in which thermostat or barostat bring the quantity to its mean (`relaxation_ps`).
    """
    few = thinned(series, _SAMPLES)
    start, g = equilibration(few)
    begin = start * len(series) // len(few)
    most = most_samples(float(times_ps[-1] - times_ps[begin]), relaxation)
    mean, error = mean_and_error(few[start:], most_samples=most)
    return Equilibrated(begin, mean, error, min((len(few) - start) / g, most))


def thinned(series: np.ndarray, most: int) -> np.ndarray:
    """A series (T,) of at most `most` values: averages over as many neighbours as needed, the last over the rest."""
    size = -(-len(series) // most)
    edges = np.arange(0, len(series), size)
    return np.add.reduceat(np.asarray(series, float), edges) / np.diff(edges, append=len(series))


def time_curves(name: str, times_ps: np.ndarray, series: np.ndarray, y_label: str) -> tuple[Curve, Curve]:
    """The series, thinned out by averages over neighbours, and its running mean with error."""
    times, values = thinned(times_ps, _POINTS), thinned(series, _POINTS)
    running = np.cumsum(values) / np.arange(1, len(values) + 1)
    places = np.unique(np.linspace(min(4, len(values)), len(values), 100).astype(int))
    errors = np.array([mean_and_error(values[:place])[1] for place in places])
    return (
        Curve(name, times, values, None, "t (ps)", y_label),
        Curve(f"{name}, running mean", times[places - 1], running[places - 1], errors, "t (ps)", y_label),
    )


def drift(times_ps: np.ndarray, series: np.ndarray) -> tuple[float, float]:
    """Slope of the line of least squares per ns, and its standard error for correlated deviations."""
    if len(series) < 4:
        return float("nan"), float("nan")
    time = (times_ps - times_ps.mean()) / 1000
    square = float(time @ time)
    slope = float(time @ series) / square
    rest = series - series.mean() - slope * time
    _, error = mean_and_error(rest)
    return slope, error * float(np.sqrt(len(series) / square))
