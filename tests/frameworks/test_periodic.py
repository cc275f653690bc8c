"""Images, bond graphs and joins in cells of any shape, against brute force."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from helio.errors import HelioError
from helio.frameworks.crystal import Crystal
from helio.frameworks.decompose.primitive import primitive
from helio.frameworks.joining import join
from helio.frameworks.periodic import nearest_images, reduced
from helio.frameworks.periodic_graph import fragments, ring_bonds

SKEWED = np.array([[10.0, 0, 0], [7.0, 9.0, 0], [-4.0, 6.0, 8.0]])


def test_the_nearest_image_is_the_one_of_all() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(40, 3)) * 30
    shortest, images = nearest_images(vectors, SKEWED)
    np.testing.assert_allclose(shortest, vectors + images @ SKEWED, atol=1e-12)
    near = vectors - np.round(vectors @ np.linalg.inv(SKEWED)) @ SKEWED
    every = np.array(list(product(range(-3, 4), repeat=3))) @ SKEWED
    best = np.linalg.norm(near[:, None] + every, axis=-1).min(axis=1)
    np.testing.assert_allclose(np.linalg.norm(shortest, axis=1), best)


def test_a_reduced_cell_spans_the_same_lattice() -> None:
    cell = reduced(np.array([[1, 3, 0], [0, 1, 0], [2, 5, 1.0]]) @ SKEWED)
    ratio = cell @ np.linalg.inv(SKEWED)
    np.testing.assert_allclose(ratio, np.round(ratio), atol=1e-9)
    assert np.linalg.det(ratio) == pytest.approx(1)
    assert np.linalg.norm(cell, axis=1).max() <= np.linalg.norm(SKEWED, axis=1).max() + 1e-9


def test_fragments_are_unwrapped_and_their_ranks_are_known() -> None:
    # Atoms 0 and 1: a chain along x. 2 to 4: a molecule over the boundary. 5: a net in all directions.
    bonds = np.array([(0, 1), (1, 0), (2, 3), (3, 4), (5, 5), (5, 5), (5, 5)])
    images = np.array([(0, 0, 0), (1, 0, 0), (0, -1, 0), (0, 0, 1), (1, 0, 0), (0, 1, 0), (1, 1, 1)])
    found = fragments(6, bonds, images)
    assert found.member.tolist() == [0, 0, 1, 1, 1, 2]
    assert found.ranks.tolist() == [1, 0, 3]
    inside = slice(2, 4)
    i, j = bonds[inside].T
    np.testing.assert_array_equal(found.shifts[j] - found.shifts[i], images[inside])


def test_ring_bonds_are_those_of_rings_and_not_of_images() -> None:
    ring = [(i, (i + 1) % 6) for i in range(6)]
    bonds = np.array([*ring, (0, 6), (6, 3)])
    images = np.zeros((8, 3), int)
    images[7] = 1, 0, 0  # the bridge over atom 6 closes on an image of the ring
    assert ring_bonds(7, bonds, images, largest=8).tolist() == [True] * 6 + [False] * 2
    assert not ring_bonds(7, bonds, images, largest=5).any()
    images[7] = 0
    assert ring_bonds(7, bonds, images, largest=8).all()


def test_connections_join_across_the_boundary_of_a_skewed_cell() -> None:
    node, linker = np.array([[0.2, 0.1, 0.3]]), np.array([[0.0, 0.2, 0.2]])
    shift = np.array([1, -1, 0])
    edges, ends, gaps = join(SKEWED, [node, linker + shift @ SKEWED], np.array([True, False]))
    assert edges.tolist() == [[0, 1, -1, 1, 0]] and ends.tolist() == [[0, 0]]
    assert gaps[0] == pytest.approx(np.linalg.norm(node - linker))
    with pytest.raises(HelioError, match="the nodes have 1 connection and the linkers 2"):
        join(SKEWED, [node, np.concatenate([linker, linker])], np.array([True, False]))


def test_a_supercell_becomes_primitive_with_all_bonds() -> None:
    rng = np.random.default_rng(2)
    places = np.array([[0.1, 0.2, 0.3], [0.4, 0.3, 0.35], [0.6, 0.7, 0.8]])
    bonds, images = np.array([(0, 1), (1, 2), (2, 0)]), np.array([(0, 0, 0), (0, 0, 0), (1, 1, 0)])
    single = Crystal("one", SKEWED, np.array([6, 7, 8]), places @ SKEWED, bonds, images)
    cells = np.array(list(product(range(2), range(2), range(1))))
    positions = np.concatenate([single.positions + cell @ SKEWED for cell in cells])
    many = []
    for n, cell in enumerate(cells):
        for (i, j), image in zip(bonds, images, strict=True):
            goal = cell + image
            inside = goal % [2, 2, 1]
            other = int(np.flatnonzero((cells == inside).all(axis=1))[0])
            many.append((3 * n + i, 3 * other + j, *((goal - inside) // [2, 2, 1])))
    table = np.array(many)
    order = rng.permutation(12)
    place = np.argsort(order)
    numbers = np.tile(single.numbers, 4)[order]
    large = Crystal("four", SKEWED * [[2], [2], [1]], numbers, positions[order], place[table[:, :2]], table[:, 2:])
    small = primitive(large)
    assert len(small) == 3 and len(small.bonds) == 3
    assert small.volume == pytest.approx(single.volume)
    np.testing.assert_allclose(
        np.sort(np.linalg.norm(small.bond_vectors, axis=1)), np.sort(np.linalg.norm(single.bond_vectors, axis=1))
    )
