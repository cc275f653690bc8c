"""Simulated Rouse chains against their closed forms, and these against the matrix of the equation of motion."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm

from helio.coarse.reference.rouse import RouseChain, rouse_chains
from helio.errors import HelioError

CHAIN = RouseChain(12, bond=1.3, friction=2.0, temperature=0.7)


def simulated(chain: RouseChain, *, frames: int, interval: float, seed: int) -> np.ndarray:
    return np.concatenate([block.positions for block in chain.simulate(frames=frames, interval=interval, seed=seed)])


def spring_matrix(beads: int) -> np.ndarray:
    """A of zeta dr/dt = -k A r: the Laplacian of the chain."""
    steps = np.diff(np.eye(beads), axis=0)
    return steps.T @ steps


def test_modes_are_those_of_the_matrix():
    k = 3 * CHAIN.temperature / CHAIN.bond**2
    rates = np.linalg.eigvalsh(spring_matrix(12))[1:] * k / CHAIN.friction
    assert np.allclose(CHAIN.relaxation_times, 1 / rates)
    # C(t) from the propagator and the covariance of the equation of motion.
    covariance = np.linalg.pinv(spring_matrix(12)) * CHAIN.bond**2 / 3
    ends = np.zeros(12)
    ends[[0, -1]] = -1, 1
    times = np.array([0.0, 0.3, 4.0, 40.0])
    moved = [ends @ expm(-k * t / CHAIN.friction * spring_matrix(12)) @ covariance @ ends for t in times]
    assert 3 * moved[0] == pytest.approx(11 * CHAIN.bond**2)
    assert np.allclose(CHAIN.end_to_end_correlation(times), np.array(moved) / moved[0], atol=1e-12)
    assert CHAIN.mean_square_gyration == pytest.approx(3 * np.trace(covariance) / 12)


def test_shapes_at_equilibrium():
    """Frames several relaxation times apart are nearly independent: errors of the mean are then known."""
    positions = simulated(CHAIN, frames=6000, interval=3 * CHAIN.relaxation_times[0], seed=1)
    bonds = np.square(np.diff(positions, axis=1)).sum(axis=2)
    ends = np.square(positions[:, -1] - positions[:, 0]).sum(axis=1)
    gyration = positions.var(axis=1).sum(axis=1)
    for found, exact in (
        (bonds.mean(axis=1), CHAIN.bond**2),
        (ends, 11 * CHAIN.bond**2),
        (gyration, CHAIN.mean_square_gyration),
    ):
        assert abs(found.mean() - exact) < 4 * found.std() / np.sqrt(len(found))
        assert found.std() / np.sqrt(len(found)) < 0.02 * exact


def test_diffusion():
    """Steps of the centre of mass are independent: <d^2> = 6 D dt."""
    centre = simulated(CHAIN, frames=8000, interval=5.0, seed=2).mean(axis=1)
    assert np.allclose(centre[0], 0)
    squares = np.square(np.diff(centre, axis=0)).ravel()
    exact = 2 * CHAIN.diffusivity * 5.0
    assert abs(squares.mean() - exact) < 4 * exact * np.sqrt(2 / len(squares))
    assert pytest.approx(0.7 / 24) == CHAIN.diffusivity


def test_end_to_end_relaxation():
    """The correlation over 12,000 independent pairs: begin anew for each."""
    wait = 0.7 * CHAIN.relaxation_times[0]
    series = simulated(CHAIN, frames=24000, interval=wait, seed=3)
    ends = series[:, -1] - series[:, 0]
    for lag in (1, 2, 3):
        found = (ends[lag:] * ends[:-lag]).sum(axis=1).mean() / np.square(ends).sum(axis=1).mean()
        assert found == pytest.approx(CHAIN.end_to_end_correlation(np.array(lag * wait)), abs=0.02)


def test_steps_do_not_depend_on_the_interval():
    """Ten steps of dt are one of 10 dt, in the covariance of a bead's displacement."""
    fine = simulated(CHAIN, frames=40001, interval=0.1, seed=4)[::10]
    coarse = simulated(CHAIN, frames=4001, interval=1.0, seed=5)
    first, second = (np.square(np.diff(series, axis=0)).mean(axis=(0, 2)) for series in (fine, coarse))
    assert np.allclose(first, second, rtol=0.1)
    assert second[0] > 1.2 * second[6]  # ends move more than the middle


def test_blocks_and_names(monkeypatch):
    made = rouse_chains(3, beads=(10, 20), frames=50, interval=2.0, seed=0)
    assert [len(trajectory.system) for trajectory in made] == [10, 15, 20]
    assert [trajectory.name for trajectory in made] == ["rouse-0000-10", "rouse-0001-15", "rouse-0002-20"]
    once = np.concatenate([block.positions for block in made[1].frames()])
    monkeypatch.setattr("helio.coarse.trajectory.BLOCK_BEADS", 15 * 7)
    blocks = [block.positions for block in made[1].frames()]
    assert len(blocks) == 8 and np.array_equal(np.concatenate(blocks), once)


def test_mistakes():
    with pytest.raises(HelioError, match="two beads or more"):
        RouseChain(1)
    with pytest.raises(HelioError, match=r"shortest chain \(20 beads\) is longer"):
        rouse_chains(2, beads=(20, 10), frames=5, interval=1.0, seed=0)
    with pytest.raises(HelioError, match="above zero, not 0"):
        rouse_chains(2, beads=(10, 10), frames=5, interval=0.0, seed=0)
