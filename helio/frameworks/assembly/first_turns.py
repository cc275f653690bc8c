"""Rotations to begin with: for each block alone, those that point its connections to neighbours.

Wherever a neighbour's connection ends up, it lies on a sphere about the neighbour's centre. So a rotation R of block i
is judged without knowing how others are turned:

    c_i(R) = mean_a min_{j, b, image} | |x_i + R p_a - x_j| - |p_b| |

over the blocks j of the other kind. The starts are drawn among the best of a fixed set of rotations.
"""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
from scipy.spatial.transform import Rotation

from helio.frameworks.assembly.sites import Joints, Sites

_TRIED = 1500  # rotations; neighbours among them are about 15 degrees apart
_BEST = 40  # of which starts are drawn
_WARMTH = 0.25  # A: a rotation is drawn in proportion to exp(-c / warmth)
_SLACK = 2.0  # A by which blocks may stand too far apart
_RADII = 0.25  # A: radii of a block's connections closer than this are one sphere


def first_turns(
    joints: Joints, centers: np.ndarray, cell: np.ndarray, *, starts: int, random: np.random.Generator
) -> np.ndarray:
    """Rotations (starts, G, 3, 3) of all blocks; in the first start each has its best one.

    Args:
        joints: the connections.
        centers: of the blocks, Cartesian (G, 3), A.
        cell: reduced, (3, 3).
        starts: how many.
        random: draws them.
    """
    turns = np.tile(np.eye(3), (starts, len(centers), 1, 1))
    radii = {**_radii(joints.nodes), **_radii(joints.linkers)}
    for own, other in ((joints.nodes, joints.linkers), (joints.linkers, joints.nodes)):
        for block in np.unique(own.block).tolist():
            points = own.local[own.block == block, 0]
            costs = _costs(points, *_spheres(block, np.unique(other.block), radii, centers, cell))
            best = np.argsort(costs, kind="stable")[:_BEST]
            share = np.exp(-(costs[best] - costs[best[0]]) / _WARMTH)
            drawn = random.choice(best, size=starts, p=share / share.sum())
            drawn[0] = best[0]
            turns[:, block] = _rotations()[drawn]
    return turns


@cache
def _rotations() -> np.ndarray:
    """Spread over all rotations, (_TRIED, 3, 3); always the same."""
    return Rotation.random(_TRIED, np.random.default_rng(0)).as_matrix()


def _radii(sites: Sites) -> dict[int, np.ndarray]:
    """Of the spheres on which the connections of each block lie."""
    lengths = np.linalg.norm(sites.local[:, 0], axis=1)
    rounded = np.rint(lengths / _RADII)
    return {
        block: np.array([lengths[own][rounded[own] == level].mean() for level in np.unique(rounded[own])])
        for block in np.unique(sites.block).tolist()
        for own in [sites.block == block]
    }


def _spheres(
    block: int, others: np.ndarray, radii: dict[int, np.ndarray], centers: np.ndarray, cell: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Centres (T, 3) about that of `block`, and radii (T,), of the spheres within its reach; at least the nearest."""
    images = np.array(list(itertools.product((-1, 0, 1), repeat=3))) @ cell
    found = [
        (offset, radius)
        for other in others.tolist()
        for offset in _near(centers[other] - centers[block], cell) + images
        for radius in radii[other].tolist()
    ]
    offsets, sizes = np.array([offset for offset, _ in found]), np.array([radius for _, radius in found])
    gaps = np.linalg.norm(offsets, axis=1) - sizes
    reach = max(radii[block].max() + _SLACK, gaps.min())
    return offsets[gaps <= reach], sizes[gaps <= reach]


def _near(offset: np.ndarray, cell: np.ndarray) -> np.ndarray:
    fractional = offset @ np.linalg.inv(cell)
    return (fractional - np.rint(fractional)) @ cell


def _costs(points: np.ndarray, offsets: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """C of every rotation that is tried, (_TRIED,)."""
    turned = np.einsum("kxy,ay->kax", _rotations(), points)
    squares = (turned**2).sum(-1)[..., None] - 2 * turned @ offsets.T + (offsets**2).sum(-1)
    return np.abs(np.sqrt(np.maximum(squares, 0)) - sizes).min(axis=-1).mean(axis=-1)
