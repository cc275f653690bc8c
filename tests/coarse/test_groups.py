"""Systems and groups: every bead in one group, groups within molecules, centres that keep mass and momentum."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from helio.coarse.groups import centers, groups_of, make_groups, mapping_matrix, radii_of_gyration
from helio.coarse.system import FineSystem, fine_system
from helio.errors import HelioError

pytest.importorskip("pymetis")


def chains(*lengths: int, box: float | None = None) -> FineSystem:
    first = np.concatenate([[0], np.cumsum(lengths)])
    bonds = [(i, i + 1) for a, b in pairwise(first) for i in range(a, b - 1)]
    masses = 1 + np.arange(first[-1]) % 3
    return fine_system(np.arange(first[-1]) % 4, masses, bonds, box=None if box is None else [box] * 3)


@st.composite
def forests(draw: st.DrawFn) -> FineSystem:
    """Branched molecules whose beads stand in any order."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    sizes = draw(st.lists(st.integers(1, 60), min_size=1, max_size=5).filter(lambda sizes: max(sizes) > 1))
    bonds, first = [], 0
    for size in sizes:
        bonds += [(first + i, first + max(0, i - 1 - int(rng.integers(0, 3)))) for i in range(1, size)]
        first += size
    new = rng.permutation(first)
    return fine_system(np.zeros(first), rng.uniform(1, 20, first), new[np.array(bonds)])


@settings(max_examples=40, deadline=None)
@given(forests(), st.sampled_from([1, 4, 7.5, 25]))
def test_partition(system: FineSystem, beads_per_group: float) -> None:
    groups = make_groups(system, beads_per_group=beads_per_group, seed=3)
    assert set(groups.members) == set(range(len(groups)))
    inside = groups.members[system.bonds[:, 0]] == groups.members[system.bonds[:, 1]]
    graph = coo_array((np.ones(inside.sum()), system.bonds[inside].T), shape=(len(system), len(system)))
    assert connected_components(graph)[0] == len(groups)  # each group is connected
    for molecule in range(system.molecule_count):
        members = set(groups.members[system.molecules == molecule])
        assert len(members) <= max(1, round((system.molecules == molecule).sum() / beads_per_group))
        assert not members & set(groups.members[system.molecules != molecule])
    assert np.array_equal(groups.members, make_groups(system, beads_per_group=beads_per_group, seed=3).members)
    # Mass and momentum: the total centre of mass of the groups is that of the beads.
    assert groups.masses.sum() == pytest.approx(system.masses.sum())
    positions = np.random.default_rng(1).normal(size=(2, len(system), 3))
    fine = np.einsum("n,tnd->td", system.masses, positions)
    assert np.allclose(np.einsum("g,tgd->td", groups.masses, centers(system, groups, positions)), fine)
    assert np.allclose(mapping_matrix(system, groups).sum(axis=1), 1)


def test_pieces_that_metis_leaves_go_to_their_neighbours() -> None:
    """A tree of 60 beads for which METIS, asked for connected parts, gives one in two pieces."""
    rng = np.random.default_rng(111)
    bonds = np.array([(i, max(0, i - 1 - int(rng.integers(0, 3)))) for i in range(1, 60)])
    system = fine_system(np.zeros(60), np.ones(60), rng.permutation(60)[bonds])
    groups = make_groups(system, beads_per_group=4, seed=3)
    for group in range(len(groups)):
        inside = (groups.members[system.bonds] == group).all(axis=1)
        assert inside.sum() == groups.sizes[group] - 1  # a tree is connected if it has one bond less than beads


def test_chains_are_cut_evenly() -> None:
    system = chains(400, 15, 1, 15)
    groups = make_groups(system, beads_per_group=7)
    assert set(groups.sizes[groups.molecules == 0]) <= {6, 7, 8} and (groups.molecules == 0).sum() == 57
    assert [sorted(groups.sizes[groups.molecules == m]) for m in (1, 2, 3)] == [[7, 8], [1], [7, 8]]
    first, second = (groups.members[system.molecules == m] for m in (1, 3))
    assert np.array_equal(first - first.min(), second - second.min())  # the same molecule is cut in the same way
    assert len(groups.bonds) == 56 + 1 + 1
    assert make_groups(chains(30), beads_per_group=100).sizes.tolist() == [30]


def test_permutation_of_centres() -> None:
    """Beads in another order, with the groups carried along, have the same centres."""
    system, order = chains(20, 12), np.random.default_rng(0).permutation(32)
    groups = make_groups(system, beads_per_group=5)
    positions = np.random.default_rng(1).normal(size=(1, 32, 3))
    place = np.argsort(order)
    other = fine_system(system.types[order], system.masses[order], place[system.bonds])
    carried = groups_of(other, groups.members[order])
    assert np.allclose(centers(other, carried, positions[:, order]), centers(system, groups, positions))
    assert np.array_equal(carried.bonds, groups.bonds)


def test_radius_of_gyration() -> None:
    """Two masses m1, m2 at distance d: Rg = d sqrt(m1 m2) / (m1 + m2)."""
    system = fine_system([0, 1, 0, 0], [1.0, 3.0, 2.0, 2.0], [(0, 1), (2, 3)])
    positions = np.zeros((1, 4, 3))
    positions[0, 1, 0], positions[0, 2:, 1] = 5.0, (7.0, 9.0)
    assert np.allclose(radii_of_gyration(system, positions), [[5 * 3**0.5 / 4, 1.0]])


def test_molecules_and_bonds() -> None:
    system = fine_system([0] * 5, [1] * 5, [(4, 0), (0, 4), (2, 1)], bond_types=[5, 5, 2])
    assert system.molecules.tolist() == [0, 1, 1, 2, 0] and system.molecule_count == 3
    assert system.bonds.tolist() == [[0, 4], [1, 2]]
    assert system.bond_types is not None and system.bond_types.tolist() == [5, 2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 0], [1, 1], []), "has no bonds"),
        (([0, 0], [1, 1], [(0, 2)]), r"the bond \[0, 2\] names a bead that does not exist"),
        (([0, 0], [1, 1], [(1, 1)]), "bead 1 is bonded to itself"),
        (([0, 0], [1, 0], [(0, 1)]), "needs a mass above zero"),
        (([0, -1], [1, 1], [(0, 1)]), "bead 1 has the type -1"),
        (([], [], []), "needs a list of bead types"),
    ],
)
def test_mistakes(arguments: tuple, message: str) -> None:
    with pytest.raises(HelioError, match=message):
        fine_system(*arguments)


def test_more_mistakes() -> None:
    system = chains(5, 5)
    with pytest.raises(HelioError, match=r"at least one bead each, not 0\.5"):
        make_groups(system, beads_per_group=0.5)
    with pytest.raises(HelioError, match="group 0 joins molecules 0 and 1"):
        groups_of(system, np.zeros(10))
    with pytest.raises(HelioError, match="none left out"):
        groups_of(system, np.full(10, 2))
    with pytest.raises(HelioError, match="three edges"):
        fine_system([0, 0], [1, 1], [(0, 1)], box=[1, 1, 0])
