"""Small frameworks whose geometry is known by construction."""

from __future__ import annotations

import numpy as np
import pytest

from helio.frameworks.block import Block, make_block
from helio.frameworks.framework import Framework
from helio.frameworks.library import Library


def node(directions: np.ndarray, *, reach: float = 3.0) -> Block:
    """A zinc atom with a carbon towards each connection; connections `reach` from the zinc."""
    carbons = directions * (reach - 0.7)
    return make_block(
        np.array([30] + [6] * len(directions)),
        np.concatenate([np.zeros((1, 3)), carbons]),
        np.array([(0, i + 1) for i in range(len(directions))]),
        directions * reach,
        np.arange(len(directions)) + 1,
        node=True,
    )


def linker(length: float) -> Block:
    """Two carbons with hydrogens to one side, connections `length` apart along x."""
    half = length / 2 - 0.7
    return make_block(
        np.array([6, 6, 1, 1]),
        np.array([[-half, 0, 0], [half, 0, 0], [-half, 1.0, 0], [half, 1.0, 0]]),
        np.array([(0, 1), (0, 2), (1, 3)]),
        np.array([[-length / 2, 0, 0], [length / 2, 0, 0]]),
        np.array([0, 1]),
        node=False,
    )


def pcu(cell: np.ndarray) -> tuple[Framework, Library]:
    """A node at the origin, one linker along each cell vector; all connections meet exactly."""
    lengths = np.linalg.norm(cell, axis=1)
    units = cell / lengths[:, None]
    # Opposite connections about their centroid, which is the zinc.
    library = Library((node(np.concatenate([units, -units])), *(linker(length - 6.0) for length in lengths)), ("",) * 4)
    turns = [np.eye(3)]
    for unit in units:
        side = np.linalg.svd(unit[None])[2][1]
        turns.append(np.stack([unit, side, np.cross(unit, side)], axis=1))
    edges = [(0, 1 + i, 0, 0, 0) for i in range(3)] + [(0, 1 + i, *(-np.eye(3, dtype=int)[i])) for i in range(3)]
    framework = Framework(
        "pcu",
        cell,
        np.concatenate([np.zeros((1, 3)), np.eye(3) / 2]),
        np.arange(4, dtype=np.int32),
        np.array(turns),
        np.array(edges, np.int32),
        np.array([(i, 0) for i in range(3)] + [(3 + i, 1) for i in range(3)], np.int32),
    )
    return framework, library


CUBIC = np.diag([14.0, 14.0, 14.0])
SKEWED = np.array([[13.0, 0.0, 0.0], [5.5, 14.0, 0.0], [-4.0, 5.0, 12.5]])


@pytest.fixture(params=[CUBIC, SKEWED], ids=["cubic", "skewed"])
def known(request) -> tuple[Framework, Library]:
    """A framework on the net pcu and its blocks."""
    return pcu(request.param)
