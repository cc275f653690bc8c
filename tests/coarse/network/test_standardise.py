"""Scales of motion whose moments are known."""

from __future__ import annotations

import numpy as np
import pytest

from helio.coarse.groups import groups_of
from helio.coarse.network.standardise import Sample, measure_scales
from helio.coarse.system import fine_system


def test_scales() -> None:
    rng = np.random.default_rng(0)
    system = fine_system([0, 0, 0], [1, 2, 3], [(0, 1), (1, 2)])
    groups = groups_of(system, np.arange(3))
    steps = 0.5 * rng.normal(size=(4000, 1, 3))
    centers = np.cumsum(steps, axis=0) + np.array([[0, 0, 0], [1.0, 0, 0], [1, 9.0, 0]])
    boxes = np.full((4000, 3), 10.0)
    sample = Sample(centers, np.full((4000, 1), 2.0), boxes, groups, system.masses)
    found = measure_scales([sample, sample], radius=None)
    assert found.step == pytest.approx(0.5, rel=0.02) and found.change == pytest.approx(0.5 * 2**0.5, rel=0.02)
    assert found.bond == pytest.approx(1.0) and found.longest_bond == pytest.approx(1.0)  # by the shortest way
    assert (found.bead_mass, found.group_mass, found.gyration, found.largest_gyration) == (2, 2, 2, 2)
    assert found.target("acceleration") == found.change and found.target("displacement") == found.step
