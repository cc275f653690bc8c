"""Shear viscosity from the fluctuations of the pressure.

| symbol | variable | |
|---|---|---|
| P_ab | `series` | traceless part of the pressure tensor: xy, xz, yz, (xx - yy)/2, (yy - zz)/2 |
| eta = V / (k T) int_0^t <P_ab(0) P_ab(s)> ds | `integral` | Green (1954), Kubo (1957) |

The five components have the same variance in an isotropic liquid (Daivis and Evans, J. Chem. Phys. 100, 541 (1994)).
"""

from __future__ import annotations

import numpy as np

from helio.analyse.analysis import Analysis
from helio.analyse.frames import Frames
from helio.analyse.observable import Curve, Observable, Value
from helio.analyse.statistics import equilibration, spread_error
from helio.errors import HelioError

_BOLTZMANN_J = 1.380649e-23  # J/K, exact in the SI
_COLUMNS = tuple(f"pressure_{axes}_bar" for axes in ("xx", "yy", "zz", "xy", "xz", "yz"))
# Vibrations of hydrogen have periods of 9 fs and more; an integral over fewer than two points of each is off.
_COARSEST_PS = 0.005
_LONGEST_PS = 5.0  # default end of the integral: in liquids such as water the correlations end within 3 ps
_SEGMENTS = 4
_POINTS = 500


def viscosity(frames: Frames, *, cutoff_ps: float | None = None) -> Observable:
    """Shear viscosity by Green and Kubo from the pressure tensor in a run's log.

    Args:
        frames: of a periodic run at constant volume that was logged at least every 5 fs.
        cutoff_ps: end of the integral; by default 5 ps or a tenth of the time, whichever is shorter. The curve shows
            whether the integral has become constant there.

    Raises:
        HelioError: the log does not hold the pressure tensor, often enough and long enough, or `cutoff_ps` is beyond a
            quarter of its time.
    """
    frames.need_log("time_ps", "volume_A3", "temperature_K", *_COLUMNS)
    log = frames.log
    interval = _interval(frames, log["time_ps"])
    begin, _ = equilibration(log["temperature_K"][:: max(1, len(log["temperature_K"]) // 5000)])
    begin *= max(1, len(log["temperature_K"]) // 5000)
    series = _traceless(log)[:, begin:]
    length = series.shape[1] // _SEGMENTS
    cutoff = min(_LONGEST_PS, series.shape[1] * interval / 10) if cutoff_ps is None else cutoff_ps
    lags = round(cutoff / interval) + 1
    if not 3 <= lags <= length:
        raise HelioError(
            f"a viscosity from correlations up to {cutoff:g} ps needs {_SEGMENTS * cutoff:g} ps in equilibrium, "
            f"{frames.label} has {series.shape[1] * interval:g} ps"
        )
    volume, temperature = float(log["volume_A3"][begin:].mean()), float(log["temperature_K"][begin:].mean())
    # 1 bar^2 A^3 ps / J = 1e10 * 1e-30 * 1e-12 Pa s; in mPa s.
    factor = volume / (_BOLTZMANN_J * temperature) * 1e-29
    samples = np.concatenate(
        [autocorrelation(series[:, k * length : (k + 1) * length], lags) for k in range(_SEGMENTS)]
    )  # (5 components x segments, lags), independent of each other
    steps = 0.5 * (samples[:, 1:] + samples[:, :-1]) * interval
    integrals = factor * np.concatenate([np.zeros((len(samples), 1)), np.cumsum(steps, axis=1)], axis=1)
    mean, error = _mean(integrals)
    return Observable(
        name="viscosity",
        title="Shear viscosity",
        values=(Value("viscosity", float(mean[-1]), float(error[-1]), "mPa s"),),
        curves=_curves(np.arange(lags) * interval, samples, mean, error),
        notes=_notes(frames, cutoff, interval, begin * interval, log["volume_A3"][begin:]),
        method="Green-Kubo integral over five components of the pressure tensor; errors from the spread between "
        f"components and {_SEGMENTS} parts of the time.",
        runs=(frames.label,),
    )


def autocorrelation(series: np.ndarray, lags: int) -> np.ndarray:
    """<x(s) x(s + t)> over all s for the first lags t from 0 on, for each row of (R, T): (R, lags)."""
    count = series.shape[1]
    spectrum = np.fft.rfft(series, 2 * count, axis=1)
    return np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, :lags] / (count - np.arange(lags))


def _interval(frames: Frames, times: np.ndarray) -> float:
    steps = np.diff(times)
    if len(steps) < 100:
        raise HelioError(
            f"the log of {frames.label} has too few rows for a viscosity: {len(times)}, at least 100 are needed"
        )
    if np.ptp(steps) > 1e-3 * steps.mean() or steps.mean() > 1.01 * _COARSEST_PS:
        raise HelioError(
            f"the log of {frames.label} has a row every {1000 * steps.max():g} fs; a viscosity needs one at least "
            f"every {1000 * _COARSEST_PS:g} fs, evenly: run with a smaller --log-every"
        )
    return float(steps.mean())


def _traceless(log: dict[str, np.ndarray]) -> np.ndarray:
    """Components (5, T) in bar."""
    xx, yy, zz, xy, xz, yz = (log[column] for column in _COLUMNS)
    return np.stack([xy, xz, yz, 0.5 * (xx - yy), 0.5 * (yy - zz)])


def _mean(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return samples.mean(axis=0), spread_error(samples)


def _curves(times: np.ndarray, samples: np.ndarray, mean: np.ndarray, error: np.ndarray) -> tuple[Curve, ...]:
    shown = np.unique(np.linspace(0, len(times) - 1, _POINTS).astype(int))
    correlation, spread = _mean(samples / samples[:, 0].mean())
    return (
        Curve("viscosity", times[shown], mean[shown], error[shown], "t (ps)", "integral up to t (mPa s)"),
        Curve("pressure", times[shown], correlation[shown], spread[shown], "t (ps)", "correlation of the pressure"),
    )


def _notes(frames: Frames, cutoff: float, interval: float, begin_ps: float, volume: np.ndarray) -> tuple[str, ...]:
    notes = [
        f"Integrated to {cutoff:.3g} ps; the log has a row every {1000 * interval:.3g} fs, the first {begin_ps:.3g} ps "
        "are left out."
    ]
    if np.ptp(volume) > 1e-6 * volume[0]:
        notes.append("The volume changes: a barostat acts on the pressure whose fluctuations are measured.")
    settings = frames.run.read_settings() if frames.run is not None and frames.run.settings.exists() else {}
    if settings.get("thermostat") == "langevin" and settings.get("ensemble") != "nve":
        notes.append(
            "A Langevin thermostat slows shear down: the viscosity is that with friction, not the liquid's own."
        )
    return tuple(notes)


def _fits(frames: Frames) -> bool:
    times = frames.log.get("time_ps", np.zeros(0))
    return len(times) >= 1000 and all(c in frames.log for c in _COLUMNS) and times[1] - times[0] <= 1.01 * _COARSEST_PS


ANALYSIS = Analysis(
    name="viscosity",
    title="Shear viscosity",
    help="Green-Kubo integral of the pressure tensor in the log.",
    function=viscosity,
    fits=_fits,
)
