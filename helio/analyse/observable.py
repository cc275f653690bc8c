"""What an analysis gives: numbers, curves and maps, each with its unit and its error.

Errors are standard errors of the mean (one standard deviation), NaN where nothing can be said. Several runs of one
system are combined by `combine`: the mean over the runs, and its error from their spread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from helio.analyse.statistics import spread_error
from helio.errors import HelioError


@dataclass(frozen=True)
class Value:
    """One number."""

    name: str  # for people: "density", "first peak of O-O"
    value: float
    error: float  # standard error, in the same unit; NaN if unknown
    unit: str = ""  # "" if it has none
    note: str = ""  # a few words, such as how it is to be read


@dataclass(frozen=True)
class Curve:
    """y against x, both (n,). Curves of one observable with the same labels share a plot."""

    name: str
    x: np.ndarray
    y: np.ndarray
    error: np.ndarray | None  # standard errors of y, (n,); None where the curve is no estimate
    x_label: str  # with unit: "r (Å)"
    y_label: str
    reference: bool = False  # from elsewhere, drawn along
    log_x: bool = False
    log_y: bool = False


@dataclass(frozen=True)
class Map:
    """z (ny, nx) over x (nx,) and y (ny,), the middles of bins; NaN where there is nothing."""

    name: str
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    x_label: str
    y_label: str
    z_label: str
    unit: str = ""  # of z
    error: np.ndarray | None = None  # standard errors of z, (ny, nx)


@dataclass(frozen=True)
class Observable:
    """The result of one analysis of one trajectory, or of several together."""

    name: str  # as in `helio analyse NAME`
    title: str
    values: tuple[Value, ...] = ()
    curves: tuple[Curve, ...] = ()
    maps: tuple[Map, ...] = ()
    notes: tuple[str, ...] = ()  # sentences: what was chosen, what was assumed, what to doubt
    method: str = ""  # a sentence, with its source
    runs: tuple[str, ...] = field(default=())  # names of the trajectories it comes from

    def value(self, name: str) -> Value:
        """The number called `name`; `KeyError` if there is none."""
        return {value.name: value for value in self.values}[name]

    def curve(self, name: str) -> Curve:
        """The curve called `name`; `KeyError` if there is none."""
        return {curve.name: curve for curve in self.curves}[name]

    def with_curves(self, *curves: Curve) -> Observable:
        """The same with more curves, such as a reference."""
        return replace(self, curves=(*self.curves, *curves))


def combine(observables: Sequence[Observable]) -> Observable:
    """The mean of one observable over several runs, its errors from the spread between them.

    With R runs the error is the standard deviation of the runs' results divided by sqrt(R), times Student's factor for
    so few (`spread_error`). Numbers, curves and maps
    that not all of the runs have are left out. Curves are brought to the x of the first run where all have it.

    Raises:
        HelioError: there is none, or they are results of different analyses.
    """
    if not observables:
        raise HelioError("there is nothing to combine")
    first = observables[0]
    if others := {other.name for other in observables} - {first.name}:
        raise HelioError(f"{first.name} and {', '.join(sorted(others))} are different analyses and cannot be combined")
    if len(observables) == 1:
        return first
    values = [
        [o.value(v.name) for o in observables] for v in first.values if all(_has(o.values, v) for o in observables)
    ]
    curves = [
        [o.curve(c.name) for o in observables] for c in first.curves if all(_has(o.curves, c) for o in observables)
    ]
    maps = [[m for o in observables for m in o.maps if m.name == mine.name] for mine in first.maps]
    return replace(
        first,
        values=tuple(_mean_value(same) for same in values),
        curves=tuple(_mean_curve(same) for same in curves),
        maps=tuple(_mean_map(same) for same in maps if len(same) == len(observables) and _same_bins(same)),
        notes=(
            f"Mean of {len(observables)} runs; errors from the spread between them.",
            *dict.fromkeys(note for observable in observables for note in observable.notes),
        ),
        runs=tuple(run for observable in observables for run in observable.runs),
    )


def _has(items: tuple[Value, ...] | tuple[Curve, ...], item: Value | Curve) -> bool:
    return any(other.name == item.name for other in items)


def _mean(results: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    array = np.stack(results)
    return array.mean(axis=0), spread_error(array)


def _mean_value(same: list[Value]) -> Value:
    mean, error = _mean([np.asarray(value.value, float) for value in same])
    return replace(same[0], value=float(mean), error=float(error))


def _mean_curve(same: list[Curve]) -> Curve:
    if same[0].reference:
        return same[0]
    x = same[0].x
    if any(len(curve.x) != len(x) or not np.allclose(curve.x, x) for curve in same):
        low, high = max(curve.x.min() for curve in same), min(curve.x.max() for curve in same)
        x = x[(x >= low) & (x <= high)]
    mean, error = _mean([np.interp(x, curve.x, curve.y) for curve in same])
    return replace(same[0], x=x, y=mean, error=error)


def _same_bins(same: list[Map]) -> bool:
    return all(
        one.z.shape == same[0].z.shape and np.allclose(one.x, same[0].x) and np.allclose(one.y, same[0].y)
        for one in same
    )


def _mean_map(same: list[Map]) -> Map:
    mean, error = _mean([one.z for one in same])
    return replace(same[0], z=mean, error=error)
