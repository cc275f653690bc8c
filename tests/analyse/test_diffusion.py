"""Diffusion of particles whose coefficient is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from ase import Atoms

from helio.analyse import Frames, open_frames
from helio.analyse.diffusion import _window, diffusion, mean_squared_displacement
from helio.errors import HelioError

D = 0.5  # A^2/ps, 5e-9 m^2/s
EDGE = 12.0


def brownian(count: int, steps: int, seed: int = 0) -> np.ndarray:
    """Positions (steps, count, 3) one ps apart."""
    random = np.random.default_rng(seed)
    start = neon(count).positions[None]
    return start + np.cumsum(random.normal(scale=np.sqrt(2 * D), size=(steps, count, 3)), axis=0)


def neon(count: int) -> Atoms:
    """On a lattice, too far apart for bonds."""
    lattice = np.stack(np.meshgrid(*[np.arange(5) * EDGE / 5] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    return Atoms(f"Ne{count}", lattice[:count], cell=[EDGE] * 3, pbc=True)


def test_squares_are_those_of_the_definition() -> None:
    series = np.random.default_rng(0).normal(size=(50, 4)).cumsum(axis=0)
    lags = np.array([1, 7, 20])
    direct = [((series[lag:] - series[:-lag]) ** 2).mean(axis=0) for lag in lags]
    np.testing.assert_allclose(mean_squared_displacement(series, lags), direct, atol=1e-9)


@pytest.mark.parametrize("count", [4, 100])
def test_brownian_particles(make_frames: Callable[..., Frames], count: int) -> None:
    frames = make_frames(neon(count), brownian(count, 600))
    found = diffusion(frames, viscosity_mPa_s=0.9, temperature_K=300.0)
    value = found.value("diffusion of Ne")
    # The drift of all is taken away: with N particles D is (N - 1) / N of what was put in.
    assert abs(value.value - 10 * D * (1 - 1 / count)) < 3 * value.error
    assert 0 < value.error < (0.1 if count == 100 else 0.35) * value.value
    shift = found.value("diffusion of Ne, infinite box").value - value.value
    assert shift == pytest.approx(2.837297 * 1.380649e-23 * 300 / (6 * np.pi * 0.9e-3 * EDGE * 1e-10) * 1e9)
    assert "fitted from" in found.notes[0]


def test_crossing_from_flying_to_a_cage_is_no_diffusion() -> None:
    """An exponent of 2, then 0.5, then 1: the fit begins with the last."""
    times = np.linspace(0.05, 200, 4000)
    msd = np.where(times < 0.5, times**2, np.where(times < 5, 0.25 * (times / 0.5) ** 0.5, 0.25 * 10**0.5 * times / 5))
    begin, end, linear = _window(times, msd, None, None)
    assert 4 < begin < 6 and end == pytest.approx(10 * begin) and linear
    *_, linear = _window(times[times < 4], msd[times < 4], None, None)
    assert not linear


def test_errors_are_those_of_repeated_runs() -> None:
    """The spread of results over independent sets is what each says of itself."""
    lags = np.unique(np.linspace(1, 100, 40).astype(int))
    slopes, errors = [], []
    for seed in range(30):
        samples = mean_squared_displacement(brownian(20, 300, seed), lags).reshape(len(lags), -1).T
        estimate = np.polyfit(lags[5:20], samples[:, 5:20].T, 1)[0] / 2
        slopes.append(estimate.mean())
        errors.append(estimate.std(ddof=1) / np.sqrt(len(estimate)))
    assert np.mean(slopes) == pytest.approx(D, rel=0.05)
    assert np.std(slopes) == pytest.approx(np.mean(errors), rel=0.4)


def test_wrapped_positions_of_another_program(tmp_path, make_frames: Callable[..., Frames]) -> None:
    """The same steps, put back into the box and written by MDAnalysis, give the same as the run."""
    import MDAnalysis

    count, steps = 40, 200
    positions = brownian(count, steps)
    expected = diffusion(make_frames(neon(count), positions))
    universe = MDAnalysis.Universe.empty(count, trajectory=True)
    universe.add_TopologyAttr("names", ["Ne"] * count)
    universe.add_TopologyAttr("elements", ["Ne"] * count)
    universe.dimensions = [EDGE] * 3 + [90] * 3
    with MDAnalysis.Writer(str(tmp_path / "t.xtc"), count) as writer:
        for number, moment in enumerate(positions):
            universe.atoms.positions = moment % EDGE  # pyright: ignore
            universe.trajectory.ts.time = float(number)
            writer.write(universe.atoms)
    (tmp_path / "top.xyz").write_text(f"{count}\n\n" + "Ne 0 0 0\n" * count)
    frames = open_frames(tmp_path / "t.xtc", tmp_path / "top.xyz")
    assert not frames.unwrapped and frames.has_box()
    found = diffusion(frames, fit_begin_ps=1, fit_end_ps=20)
    again = diffusion(open_frames(tmp_path / "run"), fit_begin_ps=1, fit_end_ps=20)
    assert found.values[0].value == pytest.approx(again.values[0].value, rel=0.02)
    assert expected.values[0].name == found.values[0].name == "diffusion of Ne"


def test_mistakes(make_frames: Callable[..., Frames]) -> None:
    frames = make_frames(neon(20), brownian(20, 40))
    with pytest.raises(HelioError, match="window from 30 to 10 ps"):
        diffusion(frames, fit_begin_ps=30.0)
    with pytest.raises(HelioError, match="no log with temperature_K"):
        diffusion(frames, viscosity_mPa_s=1.0)
    short = open_frames(frames.path, end_ps=10)
    with pytest.raises(HelioError, match="too few frames for this analysis: 11, at least 20"):
        diffusion(short)
