"""Infrared spectra from the dipoles that a model's charges make.

    alpha(nu) n(nu) = 4 pi^2 omega / (3 V hbar c) (1 - e^-x) Q(omega) I(omega),    x = hbar omega / kT

I is the spectrum of the classical autocorrelation of the dipole M, and Q corrects it for quantum mechanics (Ramirez,
Lopez-Ciudad, Kumar and Marx, J. Chem. Phys. 121, 3973 (2004)):

| `correction` | Q |
|---|---|
| harmonic | x / (1 - e^-x): exact for harmonic vibrations, and keeps the sum rules |
| standard | 2 / (1 + e^-x) |
| schofield | e^(x/2) |
| none | 1 |
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from helio.analyse.analysis import Analysis
from helio.analyse.dipoles import molecular_dipoles
from helio.analyse.frames import Frames
from helio.analyse.observable import Curve, Observable
from helio.analyse.power import window_error, windows
from helio.analyse.spectrum import ANALYSIS as VELOCITIES
from helio.analyse.spectrum import HIGHEST, bands, check_interval, window_notes
from helio.errors import HelioError
from helio.units import BOLTZMANN, COULOMB

_PER_CM_IN_EV = 1.239841984e-4  # h c / cm, CODATA 2018
_LOWEST = 1.0  # 1/cm; nothing below is meant

Correction = Literal["harmonic", "standard", "schofield", "none"]


def infrared(
    frames: Frames,
    *,
    resolution_per_cm: float = 10.0,
    correction: Correction = "harmonic",
    temperature_K: float | None = None,
) -> Observable:
    """Infrared absorption from the charges that the model gives the atoms.

    Args:
        frames: with charges, equally far apart and at most 4 fs.
        resolution_per_cm: width that a sharp line gets, in 1/cm.
        correction: for quantum mechanics, as in the table above.
        temperature_K: by default the mean of the run's log.

    Raises:
        HelioError: no charges, frames too few or too far apart, no temperature, or another correction.
    """
    frames.need("charge")
    frames.need_frames(32)
    if temperature_K is None:
        frames.need_log("temperature_K")
        temperature_K = float(frames.log["temperature_K"].mean())
    cut = windows(len(frames), frames.interval_ps, resolution_per_cm)
    check_interval(frames, cut)
    total, volume = _dipole(frames)
    shown = (cut.wavenumbers <= HIGHEST) & (cut.wavenumbers >= _LOWEST)
    x = cut.wavenumbers[shown]
    spectra = cut.power(total)[:, shown] * absorption_factor(x, temperature_K, correction)
    label = "absorption (relative to the strongest)"
    if volume is not None:
        spectra, label = spectra / volume, "absorption coefficient × refractive index (1/cm)"
    else:
        spectra = spectra / spectra.mean(axis=0).max()
    return Observable(
        name="infrared",
        title="Infrared spectrum",
        values=tuple(bands(x, spectra, cut.resolution)),
        curves=(Curve("infrared", x, spectra.mean(axis=0), window_error(spectra), "wavenumber (1/cm)", label),),
        notes=(
            *window_notes(cut),
            f"Quantum correction: {correction}, at {temperature_K:.1f} K. Dipoles of molecules about their centres of "
            "mass; charge that flows between molecules does not absorb here.",
        ),
        method="Spectrum of the dipole's fluctuations (Ramirez et al., J. Chem. Phys. 121, 3973 (2004)) by Welch's "
        "method; errors from the spread between windows.",
        runs=(frames.label,),
    )


def _dipole(frames: Frames) -> tuple[np.ndarray, float | None]:
    """Of all molecules together along time, (T, 3) in e A, and the mean volume in A^3, None without a box."""
    boxed = frames.has_box()
    dipoles = molecular_dipoles(frames)
    total, volumes = np.empty((len(frames), 3)), np.empty(len(frames))
    for i, moment in enumerate(frames):
        total[i], volumes[i] = dipoles(moment).sum(axis=0), moment.volume
    return total, float(volumes.mean()) if boxed else None


def absorption_factor(wavenumbers: np.ndarray, temperature: float, correction: str) -> np.ndarray:
    """What turns the power of the dipole per wavenumber (e^2 A^2 cm) into alpha n times the volume (A^3 / cm).

    Raises `HelioError` for a correction that is not known.
    """
    x = wavenumbers * _PER_CM_IN_EV / (BOLTZMANN * temperature)
    quantum = {
        "harmonic": x,
        "standard": 2 * np.tanh(x / 2),
        "schofield": 2 * np.sinh(x / 2),
        "none": 1 - np.exp(-x),
    }  # (1 - e^-x) Q
    if correction not in quantum:
        raise HelioError(f"the correction is one of {', '.join(quantum)}, not {correction!r}")
    # The power per wavenumber is 4 pi c I, which leaves 4 pi^3 nu / (3 h c); e^2 = COULOMB eV A.
    return 4 * np.pi**3 * COULOMB * wavenumbers / (3 * _PER_CM_IN_EV) * quantum[correction]


ANALYSIS = Analysis(
    name="infrared",
    title="Infrared spectrum",
    help="Infrared absorption from the model's charges.",
    function=infrared,
    fits=lambda frames: VELOCITIES.fits(frames) and frames.has("charge") and "temperature_K" in frames.log,
)
