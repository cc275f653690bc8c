"""Viscosity and dielectric constant from fluctuations that are known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from ase import Atoms
from scipy.signal import lfilter

from helio.analyse import Frames
from helio.analyse.dielectric import dielectric
from helio.analyse.viscosity import autocorrelation, viscosity
from helio.errors import HelioError

KT = 8.617333e-5 * 300  # eV


@pytest.fixture
def dipoles(make_frames: Callable[..., Frames]) -> Frames:
    """27 molecules whose dipoles of 0.5 x 0.9 e A point anywhere, anew in each frame."""
    random = np.random.default_rng(0)
    spots = np.stack(np.meshgrid(*[np.arange(3)] * 3), axis=-1).reshape(-1, 3) * 4.0
    atoms = Atoms("HF" * 27, np.repeat(spots, 2, axis=0), cell=[12.0] * 3, pbc=True)
    directions = random.normal(size=(3000, 27, 3))
    directions *= 0.9 / np.linalg.norm(directions, axis=-1, keepdims=True)
    positions = np.repeat(atoms.positions[None], 3000, axis=0)
    positions[:, 1::2] += directions
    atoms.positions[:] = positions[0]
    charge = np.tile([0.5, -0.5], (3000, 27))
    pairs = np.arange(54).reshape(27, 2)
    log = {"step": [0, 1], "time_ps": [0.0, 3000.0], "potential_eV": [0.0, 0.0], "temperature_K": [300.0, 300.0]}
    return make_frames(atoms, positions, pairs=pairs, charge=charge, log=log)


def test_independent_dipoles(dipoles: Frames) -> None:
    found = dielectric(dipoles)
    expected = 1 + 4 * np.pi * 14.399645 * 27 * 0.45**2 / (3 * 12**3 * KT)
    value = found.value("dielectric constant")
    assert abs(value.value - expected) < 3 * value.error
    assert value.error == pytest.approx((expected - 1) * np.sqrt(2 / 3 / 3000), rel=0.6)
    moment = found.value("dipole of a molecule")
    assert moment.value == pytest.approx(0.45 / 0.20819433, rel=1e-5)
    assert found.value("charge of a molecule, root mean square").value == pytest.approx(0, abs=1e-12)


def test_dielectric_needs_charges_and_a_box(make_frames: Callable[..., Frames]) -> None:
    atoms = Atoms("HF", [[0, 0, 0], [0, 0, 0.92]], cell=[9] * 3, pbc=True)
    with pytest.raises(HelioError, match="hold no charges; a run saves them with `--save charges`"):
        dielectric(make_frames(atoms, np.repeat(atoms.positions[None], 30, axis=0)))


TAU, VARIANCE, INTERVAL, VOLUME = 0.1, 1e6, 0.004, 30_000.0  # ps, bar^2, ps, A^3


def pressures(rows: int) -> dict[str, np.ndarray]:
    """Exponentially correlated off-diagonal components and differences of diagonal ones."""
    random = np.random.default_rng(0)
    rho = np.exp(-INTERVAL / TAU)
    noise = random.normal(size=(6, rows + 500)) * np.sqrt(VARIANCE * (1 - rho**2))
    xy, xz, yz, *diagonal = np.asarray(lfilter([1], [1, -rho], noise, axis=1))[:, 500:]
    # (xx - yy)/2 has the variance of xy if each of xx, yy, zz has twice that.
    xx, yy, zz = np.sqrt(2) * np.array(diagonal)
    columns = {
        f"pressure_{n}_bar": v for n, v in (("xx", xx), ("yy", yy), ("zz", zz), ("xy", xy), ("xz", xz), ("yz", yz))
    }
    times = np.arange(rows) * INTERVAL
    temperature = 300 + random.normal(size=rows)
    return {
        "step": np.arange(rows),
        "time_ps": times,
        "potential_eV": temperature,
        "temperature_K": temperature,
    } | columns


@pytest.fixture
def liquid(make_frames: Callable[..., Frames]) -> Frames:
    atoms = Atoms("Ne", cell=[30.0] * 3, pbc=True)
    log = pressures(40_000)
    log["volume_A3"] = np.full(len(log["step"]), VOLUME)
    return make_frames(atoms, np.zeros((2, 1, 3)), interval_ps=160.0, log=log)


def test_exponential_correlations(liquid: Frames) -> None:
    """The integral of variance exp(-t / tau) is variance tau."""
    found = viscosity(liquid, cutoff_ps=1.0)
    expected = VOLUME * 1e-30 / (1.380649e-23 * 300) * VARIANCE * 1e10 * TAU * 1e-12 * 1e3
    value = found.value("viscosity")
    assert abs(value.value - expected) < 3 * value.error
    assert 0.005 * expected < value.error < 0.1 * expected
    correlation = found.curve("pressure")
    np.testing.assert_allclose(correlation.y, np.exp(-correlation.x / TAU), atol=0.06)
    assert found.notes[0].startswith("Integrated to 1 ps; the log has a row every 4 fs")


def test_autocorrelation_is_that_of_the_definition() -> None:
    x = np.random.default_rng(0).normal(size=(2, 40))
    direct = [[np.mean(row[: 40 - lag] * row[lag:]) for lag in range(5)] for row in x]
    np.testing.assert_allclose(autocorrelation(x, 5), direct, atol=1e-12)


def test_a_sparse_log_is_refused(make_frames: Callable[..., Frames]) -> None:
    log = pressures(200) | {"volume_A3": np.full(200, VOLUME)}
    log["time_ps"] = np.arange(200) * 0.02
    frames = make_frames(Atoms("Ne", cell=[30.0] * 3, pbc=True), np.zeros((2, 1, 3)), interval_ps=4.0, log=log)
    with pytest.raises(HelioError, match="a row every 20 fs; a viscosity needs one at least every 5 fs"):
        viscosity(frames)
