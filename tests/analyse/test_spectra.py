"""Spectra of oscillators whose frequencies, intensities and widths are known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from ase import Atoms

from helio.analyse import Frames
from helio.analyse.infrared import absorption_factor, infrared
from helio.analyse.power import SPEED_OF_LIGHT, window_error, windows
from helio.analyse.spectrum import spectrum
from helio.errors import HelioError

BAND = 1650.0  # 1/cm
INTERVAL = 0.001  # ps
FRAMES = 6000
TEMPERATURE = 300.0
LOG = {"step": [0, 1], "time_ps": [0.0, 1.0], "potential_eV": [0.0, 0.0], "temperature_K": [TEMPERATURE] * 2}


def oscillation(amplitudes: np.ndarray, phases: np.ndarray, wavenumber: float = BAND) -> tuple[np.ndarray, np.ndarray]:
    """Positions and velocities (T, ...) of oscillators."""
    omega = 2 * np.pi * SPEED_OF_LIGHT * wavenumber
    angles = omega * np.arange(FRAMES).reshape(-1, *([1] * phases.ndim)) * INTERVAL + phases
    return amplitudes * np.cos(angles), -omega * amplitudes * np.sin(angles)


@pytest.fixture
def dimers(make_frames: Callable[..., Frames]) -> Frames:
    """Twelve HF molecules in a box, each an oscillator in three directions at rest as a whole; charges of one half."""
    random = np.random.default_rng(0)
    spots = np.stack(np.meshgrid(np.arange(3), np.arange(2), np.arange(2)), axis=-1).reshape(-1, 3) * 5.0
    atoms = Atoms("HF" * 12, np.repeat(spots, 2, axis=0), cell=[15, 10, 10], pbc=True)
    atoms.positions[1::2, 0] += 0.92
    masses = atoms.get_masses()[:2]
    share = np.array([-masses[1], masses[0]]) / masses.sum()  # of the distance, so that the centre stays
    # Of the distance: amplitudes of a Gaussian distribution with <x^2> = kT / (mu omega^2).
    reduced = masses.prod() / masses.sum()
    omega = 2 * np.pi * SPEED_OF_LIGHT * BAND
    spread = np.sqrt(8.617333e-5 * TEMPERATURE / reduced * 9648.53) / omega  # eV/amu in (A/ps)^2
    moves, velocities = oscillation(spread * np.sqrt(2), random.uniform(0, 2 * np.pi, (12, 3)))
    positions = atoms.positions + (moves[:, :, None] * share[:, None]).reshape(FRAMES, 24, 3)
    velocities = (velocities[:, :, None] * share[:, None]).reshape(FRAMES, 24, 3)
    charge = np.tile([0.5, -0.5], (FRAMES, 12))
    return make_frames(atoms, positions, interval_ps=INTERVAL, velocity=velocities, charge=charge, log=LOG)


def test_band_of_velocities(dimers: Frames) -> None:
    found = spectrum(dimers, resolution_per_cm=30)
    assert len(found.values) == 1
    assert found.values[0].value == pytest.approx(BAND, abs=1)
    assert found.values[0].error == pytest.approx(15, rel=0.01)  # half of the resolution
    whole = found.curve("all")
    step = whole.x[1] - whole.x[0]
    assert whole.y.sum() * step == pytest.approx(1, rel=1e-3)
    # The kinetic energy is shared as the inverse masses.
    shares = [found.curve(element).y.sum() * step for element in "HF"]
    assert shares == pytest.approx([18.998 / 20.006, 1.008 / 20.006], rel=1e-3)
    half = whole.x[whole.y > 0.5 * whole.y.max()]
    assert 15 < np.ptp(half) < 45
    assert "a resolution of 30 1/cm" in found.notes[0]


def test_area_of_infrared_absorption(dimers: Frames) -> None:
    """The sum rule: the area is pi sum q^2 / mu / (V c^2) for harmonic oscillators, at any temperature."""
    found = infrared(dimers, resolution_per_cm=30)
    curve = found.curve("infrared")
    area = curve.y.sum() * (curve.x[1] - curve.x[0])
    reduced = 1.008 * 18.998 / 20.006
    radius = 2.8179403e-13 * 5.4857990907e-4  # cm: of a particle of one amu with one charge
    # The dipole is q times the distance; its mean square was given to each of three directions, phases at random.
    mean = np.mean([np.sum(d**2) for d in _sums(dimers)]) / (12 * 3 * 0.25 * 8.617333e-5 * 300 / reduced * 9648.53)
    mean *= (2 * np.pi * SPEED_OF_LIGHT * BAND) ** 2
    expected = np.pi * 12 * 0.25 * radius / reduced / (1500e-24) * mean
    assert area == pytest.approx(expected, rel=0.01)
    assert found.values[0].value == pytest.approx(BAND, abs=2)


def _sums(frames: Frames) -> list[np.ndarray]:
    """Dipoles of the box less their mean."""
    dipoles = [0.5 * (m.positions[::2] - m.positions[1::2]).astype(float).sum(axis=0) for m in frames]
    return list(np.array(dipoles) - np.mean(dipoles, axis=0))


def test_quantum_corrections_agree_where_kt_is_large() -> None:
    low = [absorption_factor(np.array([1.0]), 300.0, name)[0] for name in ("harmonic", "standard", "schofield", "none")]
    np.testing.assert_allclose(low, low[0], rtol=0.01)
    x = 3000 * 1.239842e-4 / (8.617333e-5 * 300)
    at = {n: absorption_factor(np.array([3000.0]), 300.0, n)[0] for n in ("harmonic", "standard", "none")}
    assert at["harmonic"] / at["none"] == pytest.approx(x / (1 - np.exp(-x)), rel=1e-4)
    assert at["standard"] / at["none"] == pytest.approx(2 / (1 + np.exp(-x)), rel=1e-4)
    with pytest.raises(HelioError, match="one of harmonic, standard, schofield, none"):
        absorption_factor(np.array([1.0]), 300.0, "best")


def test_white_noise_is_flat() -> None:
    series = np.random.default_rng(0).normal(size=(20_000, 5))
    cut = windows(len(series), 0.001, 50.0)
    spectra = cut.power(series)
    area = spectra.mean(axis=0).sum() * (cut.wavenumbers[1] - cut.wavenumbers[0])
    assert area == pytest.approx(5, rel=0.03)
    inside = slice(8, -8)
    mean, error = spectra.mean(axis=0)[inside], window_error(spectra)[inside]
    deviations = (mean - mean.mean()) / error
    assert np.std(deviations) == pytest.approx(1, abs=0.2)


def test_mistakes(make_frames: Callable[..., Frames]) -> None:
    atoms = Atoms("HF", [[0, 0, 0], [0, 0, 0.92]])
    still = np.repeat(atoms.positions[None], 40, axis=0)
    with pytest.raises(HelioError, match="hold no velocities"):
        spectrum(make_frames(atoms, still))
    frames = make_frames(atoms, still, velocity=still, interval_ps=0.01)
    with pytest.raises(HelioError, match="10 fs apart; a spectrum needs them at most"):
        spectrum(frames)
    with pytest.raises(HelioError, match="hold no charges"):
        infrared(frames)
