"""Frameworks whose rotations are forgotten are found again; frameworks that cannot be built are refused in a word."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from helio.errors import HelioError
from helio.frameworks.assembly.assemble import _ADAPTIVE, Assembled, _Fit, _ranks, assemble, assemble_all
from helio.frameworks.assembly.first_turns import _spheres, partly
from helio.frameworks.assembly.fitting import Pose, _Problem, fitted
from helio.frameworks.assembly.matching import matched
from helio.frameworks.assembly.oracle import forgotten, recovery, shared_edges
from helio.frameworks.assembly.sites import joints
from helio.frameworks.assembly.spinning import straight_axis
from helio.frameworks.connectivity import nets
from helio.frameworks.crystal import connection_gaps, crystal_of
from helio.frameworks.library import Library


def test_known_framework_fits_by_construction(known):
    framework, library = known
    assert connection_gaps(framework, library).max() < 1e-12


def test_rotations_are_found_again(known):
    """In a cube and in a skewed cell, where fractional vectors have other lengths than in the block's own cell."""
    framework, library = known
    (found,), errors, _ = recovery([framework], library, seed=1)
    assert not errors
    assert found.edges == 1.0
    assert found.gap < 0.02


def test_all_neighbours_within_reach_are_seen():
    """Those of a long linker in a thin cell are further away than the nearest images; both its ends are on spheres."""
    cell, center = np.array([[8.0, 0, 0], [4, 10, 0], [0, 0, 11]]), np.array([18.0, 5, 0])
    radii = {0: np.array([3.0]), 1: np.array([15.7])}
    offsets, sizes = _spheres(1, np.array([0]), radii, np.array([np.zeros(3), center]), cell)
    images = np.array(list(itertools.product(range(-6, 7), repeat=3))) @ cell - center
    near = np.abs(np.linalg.norm(images, axis=1) - 3.0) - 15.7 <= 2.0
    assert len(offsets) == near.sum() and (sizes == 3.0).all()
    assert np.linalg.norm(offsets[:, None] - images[near], axis=-1).min(axis=0).max() < 1e-9
    assert np.linalg.norm(offsets - center, axis=1).min() < 1e-9 > np.linalg.norm(offsets + center, axis=1).min()


def test_some_blocks_are_turned_anew():
    turns, fresh = np.zeros((7, 3, 3)), np.ones((50, 7, 3, 3))
    mixed = partly(turns, fresh, np.random.default_rng(0))
    anew = mixed.all(axis=(2, 3))
    assert (anew == mixed.any(axis=(2, 3))).all()
    assert set(anew.sum(axis=1).tolist()) == {1, 2, 3} and anew.any(axis=0).all()


def test_assembled_crystal_is_one_net(known):
    framework, library = known
    found = assemble(forgotten(framework), library)
    crystal = crystal_of(found.framework, library)
    assert nets(crystal) == [(len(crystal), 3)]
    lengths = np.linalg.norm(crystal.bond_vectors[-len(found.gaps) :], axis=1)
    np.testing.assert_allclose(lengths, 1.4, atol=0.02)  # 0.7 A from each side


def test_order_of_blocks_does_not_matter(known):
    framework, library = known
    order = np.array([2, 0, 3, 1])
    shuffled = replace(forgotten(framework), centers=framework.centers[order], blocks=framework.blocks[order])
    back = assemble(shuffled, library).framework.edges.copy()
    back[:, :2] = order[back[:, :2]]
    assert shared_edges(framework, replace(framework, edges=back)) == 1.0


def test_batch_gives_what_each_gives_alone(known):
    framework, library = known
    other = replace(framework, name="smaller", cell=framework.cell * 1.01)
    together = assemble_all([forgotten(framework), forgotten(other)], library)
    for one, whole in zip((framework, other), together, strict=True):
        assert isinstance(whole, Assembled)
        alone = assemble(forgotten(one), library)
        assert shared_edges(alone.framework, whole.framework) == 1.0
        np.testing.assert_allclose(np.sort(whole.gaps), np.sort(alone.gaps), atol=1e-3)


def test_adapting_closes_gaps(known):
    """Places that are noisy, and a cell that is too large: nodes and linkers still meet."""
    framework, library = known
    random = np.random.default_rng(3)
    noise = random.normal(scale=0.3, size=(4, 3)) @ np.linalg.inv(framework.cell)
    rough = replace(forgotten(framework), cell=framework.cell * 1.04, centers=(framework.centers + noise) % 1.0)
    stiff, soft = assemble(rough, library), assemble(rough, library, adapt=True)
    assert stiff.mean_gap > 0.25
    assert soft.mean_gap < 0.05
    assert soft.framework.centers.min() >= 0 and soft.framework.centers.max() < 1
    np.testing.assert_allclose(np.sort(connection_gaps(soft.framework, library)), np.sort(soft.gaps), atol=1e-9)
    assert nets(crystal_of(soft.framework, library))[0][1] == 3


def test_a_net_in_all_dimensions_is_preferred(known):
    framework, library = known
    own = joints(framework, library)
    found = assemble(forgotten(framework), library, adapt=True)
    pose = Pose(found.framework.centers @ found.framework.cell, found.framework.rotations, found.framework.cell)
    nodes, linkers = (sites.placed(pose.centers, pose.rotations) for sites in (own.nodes, own.linkers))
    pairs = matched(nodes, linkers, pose.cell)
    assert _ranks(own, pose, pairs) == [3]
    flat = replace(pairs, shifts=pairs.shifts * (own.linkers.block[pairs.linker] != 3)[:, None])
    assert _ranks(own, pose, flat) == [2]  # both ends of one linker on the same node
    poor, good, far = (replace(pairs, misfits=pairs.misfits + more, gaps=pairs.gaps + more) for more in (0, 0.01, 0.9))
    ways = [_Fit(pose, poor, False), _Fit(pose, good, True), _Fit(pose, far, True)]
    assert sorted(ways, key=_Fit.order) == [ways[1], ways[0], ways[2]]
    assert [way.good(_ADAPTIVE) for way in ways] == [False, True, False]


def test_matching_is_the_same_from_both_sides():
    random = np.random.default_rng(0)
    cell = np.array([[10.0, 0, 0], [4, 9, 0], [-3, 2, 8]])
    nodes, linkers = random.uniform(0, 10, (2, 12, 3, 3))
    forward, backward = matched(nodes, linkers, cell), matched(linkers, nodes, cell)
    assert sorted(enumerate(forward.linker)) == sorted((j, i) for i, j in enumerate(backward.linker))
    assert forward.misfits.sum() == pytest.approx(backward.misfits.sum())
    np.testing.assert_allclose(forward.shifts, -backward.shifts[forward.linker], atol=1e-9)


def test_derivatives_of_the_fit(known):
    framework, library = known
    own = joints(framework, library)
    random = np.random.default_rng(1)
    turns = Rotation.random(4, np.random.default_rng(1)).as_matrix()
    start = Pose(framework.centers @ framework.cell, turns, framework.cell)
    nodes, linkers = (sites.placed(start.centers, turns) for sites in (own.nodes, own.linkers))
    pairs = matched(nodes, linkers, start.cell)
    images = np.rint(pairs.shifts @ np.linalg.inv(start.cell))
    for free, count in ((False, 12), (True, 30)):
        problem = _Problem(own, pairs.linker, images, start, free)
        jacobian = problem.jacobian(start)
        assert jacobian.shape[1] == count
        direction = random.normal(size=count)
        ahead, behind = (problem.residuals(problem.moved(start, sign * 1e-5 * direction)) for sign in (1, -1))
        np.testing.assert_allclose(jacobian @ direction, (ahead - behind) / 2e-5, atol=1e-6)
    better = fitted(start, own, pairs, cell=True)
    assert (problem.residuals(better) ** 2).sum() < (problem.residuals(start) ** 2).sum()


def test_straight_linkers_are_turned_out_of_clashes(known):
    library = known[1]
    assert [straight_axis(block) is None for block in library.blocks] == [True, False, False, False]


def test_what_cannot_be_assembled_is_told(known):
    framework, library = known
    fewer = replace(framework, name="torn", centers=framework.centers[:3], blocks=framework.blocks[:3])
    alone = replace(framework, name="alone", centers=framework.centers[:1], blocks=framework.blocks[:1])
    near = replace(framework, name="near", centers=framework.centers * 0.05)
    flat = replace(framework, name="flat", cell=np.ones((3, 3)))
    good, *bad = assemble_all([forgotten(one) for one in (framework, fewer, alone, near, flat)], library)
    assert isinstance(good, Assembled)
    assert [str(one) for one in bad] == [
        "torn cannot be assembled: its nodes have 6 connections, its linkers 4",
        "alone has no linker with a connection",
        str(bad[2]),
        "flat cannot be assembled: its cell or its centres make no sense",
    ]
    assert "near cannot be assembled: two of its blocks are" in str(bad[2])
    with pytest.raises(HelioError, match="6 connections"):
        assemble(fewer, Library(library.blocks, library.names))
