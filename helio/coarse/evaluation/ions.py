"""What share of a current each kind of ion carries, and the conductivity.

| symbol | variable |
|---|---|
| L_ab = 1 / (6 V kT) d/dt <dP_a(t) dP_b(t)>, P_a = q_a sum_i r_i over ions of kind a | `_onsager` |
| sigma = sum_ab L_ab; t_a = sum_b L_ab / sigma | `transport` |
| ideal: sigma = sum_a n_a q_a^2 D_a / (V kT) (Nernst and Einstein) | `ideal_transport` |
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from helio.analyse.diffusion import mean_squared_displacement
from helio.coarse.evaluation.displacement import Diffusion, Window
from helio.coarse.evaluation.estimate import Estimate, of_samples
from helio.errors import HelioError

_SEGMENTS = 5
_LAGS = 30  # at least, where the window holds as many


class Transport(NamedTuple):
    """Transference number of the cations, and conductivity times kT (charges squared per length and time)."""

    transference: Estimate
    conductivity: Estimate


def ideal_transport(
    cations: Diffusion, anions: Diffusion, *, numbers: tuple[int, int], charges: tuple[float, float], volume: float
) -> Transport:
    """Of ions that move independently of each other, from the diffusivities of both kinds."""
    weights = [n * q * q / volume for n, q in zip(numbers, charges, strict=True)]
    (plus, plus_error), (minus, minus_error) = cations.diffusivity, anions.diffusivity
    parts, errors = (weights[0] * plus, weights[1] * minus), (weights[0] * plus_error, weights[1] * minus_error)
    total = sum(parts)
    share_error = np.hypot(errors[0] * parts[1], errors[1] * parts[0]) / total**2
    return Transport(
        Estimate(parts[0] / total, float(share_error)), Estimate(float(total), float(np.hypot(errors[0], errors[1])))
    )


def transport(
    series: np.ndarray, charges: np.ndarray, interval: float, *, window: Window | tuple[float, float], volume: float
) -> Transport:
    """With the correlations between ions, from the collective displacements of cations and anions.

    Noisy: all ions of a kind are one particle here. Errors are from the spread over five segments of time.

    Args:
        series: unwrapped positions of the ions (T, S, 3), drift removed.
        charges: of them (S,), of both signs.
        interval: time between frames.
        window: of lags, within which lines are fitted.
        volume: of the box.

    Raises:
        HelioError: the charges have one sign only, or the window holds fewer than 3 lags of a segment.
    """
    if not (charges > 0).any() or not (charges < 0).any():
        raise HelioError("transference needs ions of both signs")
    begin, end = max(1, round(window[0] / interval)), round(window[1] / interval)
    segments = np.array_split(series[: len(series) // _SEGMENTS * _SEGMENTS], _SEGMENTS)
    lags = np.arange(begin, min(end, len(segments[0]) // 2) + 1)
    if len(lags) < 3:
        raise HelioError(f"the window from {window[0]:g} to {window[1]:g} holds too few lags of a fifth of the time")
    lags = lags[:: max(1, len(lags) // _LAGS)]
    found = np.array([_onsager(segment, charges, lags * interval, lags) for segment in segments]) / (6 * volume)
    sigma, plus = found.sum(axis=(1, 2)), found[:, 0].sum(axis=1)
    total = of_samples(sigma)
    without = [np.delete(plus, i).sum() / np.delete(sigma, i).sum() for i in range(_SEGMENTS)]  # jackknife of a ratio
    error = np.sqrt((_SEGMENTS - 1) * np.var(without))
    return Transport(Estimate(float(plus.sum() / sigma.sum()), float(error)), total)


def _onsager(series: np.ndarray, charges: np.ndarray, times: np.ndarray, lags: np.ndarray) -> np.ndarray:
    """Slopes of <dP_a dP_b>, (2, 2), a and b being cations and anions."""
    moments = [np.tensordot(series[:, kind], charges[kind], axes=(1, 0)) for kind in (charges > 0, charges < 0)]
    squares = [mean_squared_displacement(m, lags).sum(axis=1) for m in (*moments, moments[0] + moments[1])]
    cross = (squares[2] - squares[0] - squares[1]) / 2
    away = times - times.mean()
    plus, minus, both = (float(away @ curve / (away @ away)) for curve in (squares[0], squares[1], cross))
    return np.array([[plus, both], [both, minus]])
