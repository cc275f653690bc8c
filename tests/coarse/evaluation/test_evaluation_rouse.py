"""Closed forms of Rouse chains in groups against long simulation of them."""

from __future__ import annotations

import numpy as np
import pytest

from helio.coarse.evaluation.properties import measure
from helio.coarse.evaluation.rouse import exact_properties
from helio.coarse.evaluation.track import CHAIN, Track
from helio.coarse.groups import centers, groups_of, radii_of_gyration
from helio.coarse.reference.rouse import RouseChain
from helio.coarse.system import fine_system


@pytest.mark.parametrize("members", [[0] * 4 + [1] * 3 + [2] * 3, [0] * 5 + [1] * 5])
def test_closed_forms(members):
    chain = RouseChain(10, bond=1.2, friction=1.5)
    system = fine_system(np.zeros(10), np.ones(10), [(i, i + 1) for i in range(9)])
    groups = groups_of(system, np.array(members))
    beads = np.concatenate([b.positions for b in chain.simulate(frames=20_000, interval=1.0, seed=3)])
    track = Track(
        "rouse", centers(system, groups, beads), 1.0, groups.masses, groups.bonds, groups.molecules, (CHAIN,), None,
        radii_of_gyration(system, beads) ** 2,
    )  # fmt: skip
    found, exact = measure(track, gyration="beads"), exact_properties(chain, groups)
    assert found.keys() == exact.keys()
    for name, (value, error) in found.items():
        assert abs(value - exact[name].value) < 4 * error + 0.01 * value, name
        assert error < 0.1 * value, name
    assert exact["rg_squared"].value == pytest.approx(chain.mean_square_gyration)
