"""Diffusivity from mean squared displacements, fitted within a window of lags.

| symbol | variable |
|---|---|
| MSD(t) = <(x(s + t) - x(s))^2>, per direction | `squares` |
| D = slope of MSD / 2 within the window | `diffusivity` |
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from helio.analyse.diffusion import mean_squared_displacement
from helio.coarse.evaluation.estimate import Estimate, of_samples
from helio.errors import HelioError

_LAGS = 100
_ENOUGH = 30  # independent series (particles times directions) from which on time is not divided
_SEGMENTS = 5
_LINEAR = 0.1  # the MSD is diffusive where its exponent is this near to 1
_LONGEST = 0.25  # of the time: longer lags have few independent pairs of frames


class Window(NamedTuple):
    """Lags of a fit, in units of time, and whether the MSD is linear in them."""

    begin: float
    end: float
    linear: bool


class Diffusion(NamedTuple):
    """A diffusivity and the curve it comes from."""

    diffusivity: Estimate
    times: np.ndarray  # (L,)
    squares: np.ndarray  # (L,) mean squared displacement in three directions
    window: Window


def without_drift(centers: np.ndarray, masses: np.ndarray) -> np.ndarray:
    """Positions (T, G, 3) from which the motion of the centre of mass of all groups, of masses (G,), is taken off."""
    drift = np.tensordot(centers.astype(float), masses / masses.sum(), axes=(1, 0))
    return centers - (drift - drift[0])[:, None]


def diffusion(series: np.ndarray, interval: float, *, window: tuple[float, float] | None = None) -> Diffusion:
    """Diffusivity of particles with unwrapped positions (T, S, 3), alike, in squared lengths per time.

    The line of least squares through the MSD within `window`; by default from where its exponent stays within 0.1 of 1
    over a factor of four, to ten times that, at most a quarter of the time. A window
    beyond that quarter is moved into it; one that ends before the third lag, as frames are too far apart for it, is
    replaced by the default. Errors are the spread over
    particles, directions and, where these are few, five segments of time.

    Raises:
        HelioError: there are fewer than 40 frames.
    """
    if len(series) < 40:
        raise HelioError(f"a diffusivity needs 40 frames or more, not {len(series)}")
    segments = 1 if 3 * series.shape[1] >= _ENOUGH else _SEGMENTS
    longest = max(4, int(_LONGEST * len(series)))
    if segments > 1:
        longest = min(longest, len(series) // segments - 1)
    lags = np.unique(np.geomspace(1, longest, _LAGS).astype(int))
    parts = np.array_split(series[: len(series) // segments * segments], segments)
    squares = np.concatenate([mean_squared_displacement(part, lags).reshape(len(lags), -1) for part in parts], axis=1)
    times = lags * interval
    chosen = _window(times, squares.mean(axis=1)) if window is None or window[1] < times[2] else _moved(times, window)
    inside = (times >= chosen.begin * (1 - 1e-9)) & (times <= chosen.end * (1 + 1e-9))
    return Diffusion(of_samples(_slopes(times[inside], squares[inside]) / 2), times, 3 * squares.mean(axis=1), chosen)


def _window(times: np.ndarray, squares: np.ndarray) -> Window:
    last = float(times[-1])
    exponents = np.gradient(np.log(np.maximum(squares, 1e-300)), np.log(times))
    crooked = np.abs(exponents - 1) > _LINEAR
    # On the way from flying to being caged the exponent passes 1: it must stay there.
    stays = [t for t in times[times <= last / 4] if not crooked[(times >= t) & (times <= 4 * t)].any()]
    begin = float(stays[0]) if stays else 0.4 * last
    end = min(last, 10 * begin)
    return Window(begin, end, bool(stays))


def _moved(times: np.ndarray, window: tuple[float, float]) -> Window:
    """`window`, or the last 60 % of the lags where it does not lie within them."""
    inside = (times >= window[0]) & (times <= window[1])
    if inside.sum() >= 3:
        return Window(window[0], window[1], True)
    return Window(0.4 * float(times[-1]), float(times[-1]), False)


def _slopes(times: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Of the line of least squares through each column, (S,)."""
    away = times - times.mean()
    return away @ squares / (away @ away)
