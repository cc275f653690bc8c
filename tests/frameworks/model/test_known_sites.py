"""Sites are those of a framework with as many blocks and connections, in the cell of the most similar shape."""

from __future__ import annotations

import numpy as np
import pytest

from helio.frameworks.model.data import framework_arrays
from helio.frameworks.model.known_sites import KnownSites, known_sites, shape
from helio.frameworks.model.torus import cell_matrix
from tests.frameworks.model.toy import METALS, toy_framework, toy_library

LIBRARY = toy_library()
FRAMEWORKS = [toy_framework(LIBRARY, 0, 1), toy_framework(LIBRARY, 1, 2, doubled=True), toy_framework(LIBRARY, 2, 3)]


@pytest.fixture
def sites() -> KnownSites:
    arrays = framework_arrays(FRAMEWORKS, LIBRARY, ())
    arrays.cell[2] = cell_matrix((10, 10, 10, 85, 85, 85))
    arrays.fractional[2, 0] = 0.1
    return known_sites(arrays.blocks, arrays.mask, arrays.cell, arrays.fractional, LIBRARY)


def test_the_shape_of_a_cell_knows_neither_its_size_nor_how_it_is_turned() -> None:
    cell = cell_matrix((9, 10, 12, 80, 95, 100))
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    assert shape(2 * cell @ turn) == pytest.approx(shape(cell))
    assert shape(7 * np.eye(3)) == pytest.approx([1, 0, 0, 1, 0, 1])


@pytest.mark.parametrize(("angle", "first"), [(90, 0.0), (86, 0.1)])
def test_sites_come_from_the_cell_of_the_nearest_shape(sites: KnownSites, angle: float, first: float) -> None:
    linker = len(METALS)
    found = sites.nearest(np.array([linker, linker, 1, linker]), cell_matrix((20, 20, 20, *[angle] * 3)), LIBRARY)
    assert found is not None
    blocks, places = found
    assert blocks.tolist() == [1, linker, linker, linker]  # the node stands where that of the known framework does
    assert places[0] == pytest.approx(np.full(3, first))
    assert sorted(map(tuple, places[1:].tolist())) == [(0, 0, 0.5), (0, 0.5, 0), (0.5, 0, 0)]


def test_unknown_kinds_of_nets_have_no_sites(sites: KnownSites) -> None:
    linker, cell = len(METALS), 20 * np.eye(3)
    assert sites.nearest(np.array([0, *[linker] * 7]), cell, LIBRARY) is None  # seven linkers for one node
    assert sites.nearest(np.array([0, *[linker] * 4]), cell, LIBRARY) is None
    assert sites.nearest(np.full(4, linker), cell, LIBRARY) is None
    eight = sites.nearest(np.array([0, 0, *[linker] * 6]), np.diag([40.0, 20, 20]), LIBRARY)
    assert eight is not None and eight[0].tolist().count(0) == 2
