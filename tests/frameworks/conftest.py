"""Frameworks shared by the tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from helio.frameworks.block import Block, make_block
from helio.frameworks.framework import Framework
from helio.frameworks.library import Library
from helio.frameworks.store import Entry, StoreContent
from helio.frameworks.store_writer import write_store

EDGE = 5.0  # A, of the cubic cell: zinc at the corner, a carbon atom on each edge


def node() -> Block:
    """Zinc with six connections."""
    directions = np.concatenate([np.eye(3), -np.eye(3)])
    return make_block(
        np.array([30]), np.zeros((1, 3)), np.zeros((0, 2)), directions * EDGE / 4, np.zeros(6, int), node=True
    )


def linker() -> Block:
    """Carbon with two connections along x."""
    ends = np.array([[EDGE / 4, 0, 0], [-EDGE / 4, 0, 0]])
    return make_block(np.array([6]), np.zeros((1, 3)), np.zeros((0, 2)), ends, np.zeros(2, int), node=False)


def cubic(name: str = "cubic") -> Framework:
    """Zinc and carbon on the primitive cubic net; the linkers along y and z are the one along x, turned."""
    turns = Rotation.from_euler("zyx", [(0, 0, 0), (0, 0, 0), (90, 0, 0), (0, -90, 0)], degrees=True)
    edges, ends = [], []
    for axis in range(3):
        edges += [(0, 1 + axis, 0, 0, 0), (0, 1 + axis, *(-np.eye(3, dtype=int)[axis]))]
        ends += [(axis, 1), (axis + 3, 0)]
    return Framework(
        name=name,
        cell=np.eye(3) * EDGE,
        centers=np.concatenate([np.zeros((1, 3)), np.eye(3) / 2]),
        blocks=np.array([0, 1, 1, 1], np.int32),
        rotations=turns.as_matrix(),
        edges=np.array(edges, np.int32),
        ends=np.array(ends, np.int32),
        labels={"density": 1.5},
    )


@pytest.fixture
def two_frameworks(tmp_path: Path) -> Path:
    """A store of the frameworks `a` and `b`."""
    path = tmp_path / "two.h5"
    library = Library((node(), linker()), ("zinc", "carbon"))
    entries = [Entry(cubic(name), part) for name, part in (("a", "train"), ("b", "test"))]
    write_store(path, StoreContent(library, entries, "by hand"))
    return path
