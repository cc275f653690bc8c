from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase.build import molecule

from helio.distillation.diversity import farthest_points
from helio.distillation.dynamics import Dynamics
from helio.distillation.modes import displaced
from helio.distillation.recipe import Sampling
from helio.distillation.teacher import evaluate, systems_of
from helio.units import BOLTZMANN


def test_farthest_points_cover_every_cluster():
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(6, 10)) * 10
    points = np.concatenate([centre + 0.01 * rng.normal(size=(50, 10)) for centre in centres])
    chosen = farthest_points(points, 6)
    assert sorted(chosen // 50) == [0, 1, 2, 3, 4, 5]
    assert list(farthest_points(points[:3], 5)) == [0, 1, 2]


@pytest.fixture(scope="module")
def systems():
    return systems_of([molecule(name) for name in ("H2O", "NH3", "CH4", "CH3OH")])


def test_dynamics_depend_on_the_seed_alone(teacher, systems):
    run, sampling = Dynamics(teacher), Sampling(samples=2, interval_fs=2, warmup_fs=2)  # pyright: ignore
    first = run.samples(sampling, systems, [100.0] * 4, [1, 2, 3, 4])
    again = run.samples(sampling, systems, [100.0] * 4, [1, 2, 3, 4])
    other = run.samples(sampling, systems, [100.0] * 4, [5, 6, 7, 8])
    assert [len(samples) for samples in first] == [2, 2, 2, 2]
    for start, one, two, three in zip(systems, first, again, other, strict=True):
        assert np.array_equal(one[1].positions, two[1].positions)
        assert not np.array_equal(one[1].positions, three[1].positions)
        assert 1e-3 < np.abs(one[0].positions - start.positions).max() < 0.5
        assert len(one[0]) == len(start)


def test_a_molecule_that_comes_apart_leaves_the_others_alone(teacher, systems):
    doomed = systems_of([molecule("H2")])[0]
    doomed.positions[:] = [[0, 0, 0], [0.02, 0, 0]]
    run, sampling = Dynamics(teacher), Sampling(samples=1, interval_fs=3, warmup_fs=0)  # pyright: ignore
    found = run.samples(sampling, [systems[0], doomed, systems[2]], [300.0] * 3, [1, 2, 3])
    assert [len(samples) for samples in found] == [1, 0, 1]


def test_displacements_have_the_energy_of_harmonic_oscillators(teacher):
    """On average k_B T / 2 for each mode of a molecule at a stiff minimum: here two atoms held by ZBL and network."""
    start = systems_of([molecule("N2")])[0]
    distances = np.linspace(0.9, 2.2, 261)
    moved = [_stretched(start, distance) for distance in distances]
    energies = np.array([float(one.prediction.energy) for one in evaluate(teacher, moved)])
    curvature = np.gradient(np.gradient(energies, distances), distances)
    place = int(np.argmax(curvature[5:-5])) + 5
    sampling = Sampling(method="modes", samples=2000)  # pyright: ignore[reportCallIssue]
    (samples,) = displaced(teacher, sampling, [moved[place]], [50.0], [0])
    lengths = np.array([np.linalg.norm(one.positions[1] - one.positions[0]) for one in samples])
    assert lengths.mean() == pytest.approx(distances[place], abs=0.005)
    assert lengths.var() == pytest.approx(BOLTZMANN * 50 / curvature[place], rel=0.15)


def _stretched(start, distance):
    return replace(start, positions=np.array([[0.0, 0, 0], [0, 0, distance]]))


def test_a_box_smaller_than_the_cutoff(teacher):
    """Images beyond the next cell are neighbours, too: boxes of different size in one batch."""
    boxes = []
    for edge in (5.0, 7.0):
        atoms = molecule("H2O", cell=[edge] * 3, pbc=True)
        boxes += systems_of([atoms])
    sampling = Sampling(samples=1, interval_fs=1, warmup_fs=0)  # pyright: ignore[reportCallIssue]
    found = Dynamics(teacher).samples(sampling, boxes, [100.0] * 2, [1, 2])
    assert [len(samples) for samples in found] == [1, 1]
