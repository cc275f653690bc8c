"""Vibrational density of states: power spectra of velocities."""

from __future__ import annotations

import numpy as np
from scipy.signal import find_peaks

from helio.analyse.analysis import Analysis
from helio.analyse.frames import Frames
from helio.analyse.observable import Curve, Observable, Value
from helio.analyse.power import SPEED_OF_LIGHT, Windows, window_error, windows
from helio.analyse.unwrapping import particle_series
from helio.errors import HelioError

_MOST_BANDS = 8
HIGHEST = 4500.0  # 1/cm, above all vibrations; drawn up to here
_SLOWEST = 4000.0  # 1/cm; frames must be close enough together to see up to here


def spectrum(frames: Frames, *, resolution_per_cm: float = 10.0) -> Observable:
    """Power spectrum of the velocities, weighted by masses, in all and by elements.

    The area under a curve is its share of the kinetic energy: 1 for all atoms together.

    Args:
        frames: with velocities, equally far apart and at most 4 fs.
        resolution_per_cm: width that a sharp line gets, in 1/cm.

    Raises:
        HelioError: no velocities, or frames too few or too far apart.
    """
    frames.need("velocity")
    frames.need_frames(32)
    cut = windows(len(frames), frames.interval_ps, resolution_per_cm)
    check_interval(frames, cut)
    elements = np.unique(frames.atoms.elements)
    by_element = _by_element(frames, cut, list(elements))
    whole = np.sum(list(by_element.values()), axis=0)
    norm = 1 / (whole.mean(axis=0).sum() * (cut.wavenumbers[1] - cut.wavenumbers[0]))
    shown = cut.wavenumbers <= HIGHEST
    x = cut.wavenumbers[shown]
    labels = ("wavenumber (1/cm)", "density of states (cm)")
    spectra = {"all": whole} | (by_element if len(by_element) > 1 else {})
    return Observable(
        name="spectrum",
        title="Vibrational density of states",
        values=tuple(bands(x, norm * whole[:, shown], cut.resolution)),
        curves=tuple(
            Curve(name, x, norm * s.mean(axis=0)[shown], norm * window_error(s)[shown], *labels)
            for name, s in spectra.items()
        ),
        notes=window_notes(cut),
        method="Power spectrum of the velocities, weighted by masses, by Welch's method; errors from the spread "
        "between windows.",
        runs=(frames.label,),
    )


def check_interval(frames: Frames, cut: Windows) -> None:
    """Raise `HelioError` unless frames are close enough together for all vibrations."""
    if cut.highest < _SLOWEST:
        raise HelioError(
            f"the frames of {frames.label} are {1000 * cut.interval_ps:g} fs apart; a spectrum needs them at most "
            f"{1000 * 0.5 / (_SLOWEST * SPEED_OF_LIGHT):.1f} fs apart: run with a smaller --save-every"
        )


def window_notes(cut: Windows) -> tuple[str, ...]:
    """What was averaged over, and how sharp it is."""
    return (
        f"{len(cut.starts)} windows (Hann, half overlapping) of {cut.length * cut.interval_ps:.3g} ps: a resolution of "
        f"{cut.resolution:.3g} 1/cm; frames {1000 * cut.interval_ps:.3g} fs apart show up to {cut.highest:.0f} 1/cm.",
    )


def _by_element(frames: Frames, cut: Windows, elements: list[str]) -> dict[str, np.ndarray]:
    """Spectra (W, F) of sqrt(m) v, summed over the atoms of each element."""
    weights = np.sqrt(frames.atoms.masses)[:, None]
    symbols = np.array(frames.atoms.elements)
    found = {element: np.zeros((len(cut.starts), len(cut.wavenumbers))) for element in elements}

    def make_reader():
        return lambda moment: moment.velocities[frames.atoms.ix] * weights

    for part, series in particle_series(frames, make_reader, len(frames.atoms)):
        for element in elements:
            found[element] += cut.power(series[:, symbols[part] == element])
    return found


def bands(x: np.ndarray, spectra: np.ndarray, resolution: float) -> list[Value]:
    """Where bands are, for spectra (W, F) at wavenumbers x: peaks above a twentieth of the highest.

    A band lies at the centre of gravity of its upper half; its error comes from leaving out one window at a time, and
    is at least half of the resolution: two or three windows can agree by chance. Of bands whose upper halves overlap
    the strongest is told. Names are rounded, so that those of several runs agree.
    """
    mean = spectra.mean(axis=0)
    step = x[1] - x[0]
    peaks, _ = find_peaks(mean, prominence=0.05 * mean.max(), distance=max(1, round(2 * resolution / step)))
    found: dict[str, Value] = {}
    taken = np.zeros(len(x), bool)
    for peak in peaks[np.argsort(-mean[peaks])][:_MOST_BANDS]:
        name, near = f"band near {round(float(x[peak]), -2):.0f}", _upper_half(mean, peak)
        if name in found or taken[near].any():
            continue
        taken[near] = True
        count = len(spectra)
        without = [_centre(x[near], (mean * count - one)[near]) for one in spectra] if count > 1 else []
        spread = float(np.sqrt(count - 1) * np.std(without)) if without else float("nan")
        error = max(spread, resolution / 2) if without else spread
        found[name] = Value(name, _centre(x[near], mean[near]), error, "1/cm")
    return sorted(found.values(), key=lambda band: band.value)


def _upper_half(mean: np.ndarray, peak: int) -> slice:
    """The points around a peak that are above half of it."""
    low = np.flatnonzero(mean < 0.5 * mean[peak])
    left, right = low[low < peak], low[low > peak]
    return slice(left[-1] + 1 if len(left) else 0, right[0] if len(right) else len(mean))


def _centre(x: np.ndarray, y: np.ndarray) -> float:
    return float((x * y).sum() / y.sum())


def _fits(frames: Frames) -> bool:
    if len(frames) < 200 or not frames.has("velocity"):
        return False
    steps = np.diff(frames.times_ps)
    return bool(0 < steps[0] <= 0.5 / (_SLOWEST * SPEED_OF_LIGHT) and np.allclose(steps, steps[0], rtol=1e-3))


ANALYSIS = Analysis(
    name="spectrum",
    title="Vibrational density of states",
    help="Power spectrum of the velocities, in all and by elements.",
    function=spectrum,
    fits=_fits,
)
