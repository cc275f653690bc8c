"""Rotations to begin with: for each block alone, those that point its connections to neighbours.

Wherever a neighbour's connection ends up, it lies on a sphere about the neighbour's centre. So a rotation R of block i
is judged without knowing how others are turned:

    c_i(R) = mean_a min_{j, b, image} | |x_i + R p_a - x_j| - |p_b| |

over the blocks j of the other kind. The starts are drawn among the best of a fixed set of rotations. Where a search has
found no good way yet it goes on from its best one, with some blocks turned anew.
"""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
from scipy.spatial.transform import Rotation

from helio.frameworks.assembly.sites import Joints, Sites

_TRIED = 6000  # rotations; neighbours among them are about 8 degrees apart
_BEST = 160  # of which starts are drawn
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


def partly(turns: np.ndarray, fresh: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Rotations (S, G, 3, 3): in each start some blocks, at most half, turn as in `fresh`, the others as in `turns`.

    Args:
        turns: of the blocks, (G, 3, 3).
        fresh: (S, G, 3, 3).
        random: draws the blocks.
    """
    starts, blocks = fresh.shape[:2]
    count = random.integers(1, max(1, blocks // 2), size=starts, endpoint=True)
    place = random.permuted(np.tile(np.arange(blocks), (starts, 1)), axis=1)
    return np.where((place < count[:, None])[..., None, None], fresh, turns)


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
    own = radii[block].max()
    farthest = own + _SLACK + max(radii[other].max() for other in others.tolist())
    layers = np.ceil(farthest * np.linalg.norm(np.linalg.inv(cell), axis=0)).astype(int)  # by distances of faces
    images = np.array(list(itertools.product(*(range(-most, most + 1) for most in layers.tolist())))) @ cell
    found = [
        (_near(centers[other] - centers[block], cell) + images, np.full(len(images), radius))
        for other in others.tolist()
        for radius in radii[other].tolist()
    ]
    offsets, sizes = (np.concatenate(part) for part in zip(*found, strict=True))
    missed = np.abs(np.linalg.norm(offsets, axis=1) - sizes) - own  # A by which the spheres do not touch
    reached = missed <= max(_SLACK, missed.min())
    return offsets[reached], sizes[reached]


def _near(offset: np.ndarray, cell: np.ndarray) -> np.ndarray:
    fractional = offset @ np.linalg.inv(cell)
    return (fractional - np.rint(fractional)) @ cell


def _costs(points: np.ndarray, offsets: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """C of every rotation that is tried, (_TRIED,)."""
    costs = np.zeros(_TRIED)
    for point in points:  # one by one, for the memory
        turned = _rotations() @ point
        squares = point @ point - 2 * turned @ offsets.T + (offsets**2).sum(-1)
        costs += np.abs(np.sqrt(np.maximum(squares, 0)) - sizes).min(axis=-1)
    return costs / len(points)
