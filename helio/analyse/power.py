"""Power spectra of long series by averages over overlapping windows, and the units of vibrations.

| symbol | variable | |
|---|---|---|
| S(nu) | `power` | density of <x^2> per frequency: its integral over nu >= 0 is <x^2> |

Welch, IEEE Trans. Audio Electroacoust. 15, 70 (1967), with Hann's window, half overlapping.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from helio.analyse.statistics import spread_error
from helio.errors import HelioError

SPEED_OF_LIGHT = 0.0299792458  # cm/ps, exact
# Hann's window makes lines this many times 1/length wide (full width at half height, Harris, Proc. IEEE 66, 51 (1978)).
_HANN_WIDTH = 1.44
_PADDING = 4  # points per independent one, which makes peaks smooth


@dataclass(frozen=True)
class Windows:
    """Parts of a series of equal length that overlap by half."""

    length: int  # in samples
    starts: np.ndarray
    interval_ps: float

    @property
    def wavenumbers(self) -> np.ndarray:
        """Of the points of the spectrum, in 1/cm."""
        return np.fft.rfftfreq(_PADDING * self.length, self.interval_ps) / SPEED_OF_LIGHT

    @property
    def resolution(self) -> float:
        """Width of a sharp line in 1/cm."""
        return _HANN_WIDTH / (self.length * self.interval_ps * SPEED_OF_LIGHT)

    @property
    def highest(self) -> float:
        """The highest wavenumber that can be seen, in 1/cm."""
        return 0.5 / (self.interval_ps * SPEED_OF_LIGHT)

    def power(self, series: np.ndarray) -> np.ndarray:
        """Spectra (W, F) of all windows of a series (T, ...), summed over columns, per 1/cm.

        The mean of a window is taken away first.
        """
        columns = series.reshape(len(series), -1)
        shape = np.hanning(self.length + 1)[:-1, None]
        # Two sides become one; the window lowers the power.
        norm = 2 * self.interval_ps * SPEED_OF_LIGHT / (shape**2).sum()
        spectra = np.empty((len(self.starts), len(self.wavenumbers)))
        at_once = max(1, 1_000_000 // self.length)
        for number, start in enumerate(self.starts):
            window, total = columns[start : start + self.length], 0.0
            for begin in range(0, columns.shape[1], at_once):
                part = window[:, begin : begin + at_once].astype(float)
                transform = np.fft.rfft((part - part.mean(axis=0)) * shape, _PADDING * self.length, axis=0)
                total = total + (np.abs(transform) ** 2).sum(axis=1)
            spectra[number] = norm * total
        return spectra


def windows(count: int, interval_ps: float, resolution_per_cm: float) -> Windows:
    """Windows in a series of `count` samples for lines of a certain width, or as narrow as two windows allow.

    Raises:
        HelioError: the series is shorter than 32 samples, or the resolution is not positive.
    """
    if resolution_per_cm <= 0:
        raise HelioError(f"a resolution of {resolution_per_cm:g} 1/cm makes no sense")
    if count < 32:
        raise HelioError(f"too few frames for a spectrum: {count}, at least 32 are needed")
    wanted = int(np.ceil(_HANN_WIDTH / (resolution_per_cm * interval_ps * SPEED_OF_LIGHT)))
    length = max(16, min(wanted, 2 * count // 3))  # at least two windows
    return Windows(length, np.arange(0, count - length + 1, length // 2), interval_ps)


def window_error(spectra: np.ndarray) -> np.ndarray:
    """Standard error of the mean of spectra (W, F); NaN for one.

    Hann windows that overlap by half are nearly independent: their spectra have a correlation of 1/36 (Welch).
    """
    return spread_error(spectra) * np.sqrt(1 + 2 / 36)
