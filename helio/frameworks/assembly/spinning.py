"""The turn of straight linkers about their axis, which their connections do not tell: the one without clashes.

    minimise  sum_kl max(0, s (v_k + v_l) - d_kl)^2

over the angle, k the atoms of the linker, l all others near by, v van der Waals radii; linker after linker, twice.
"""

from __future__ import annotations

import itertools

import numpy as np
from ase.data import vdw_radii
from scipy.spatial.transform import Rotation

from helio.frameworks.block import Block
from helio.frameworks.crystal import block_positions
from helio.frameworks.framework import Framework
from helio.frameworks.library import Library

_ANGLES = np.radians(np.arange(0, 360, 15))
_SOFT = 0.85  # s: contacts closer than this share of the van der Waals distance count
_UNKNOWN = 2.0  # A, van der Waals radius of elements without a known one
_STRAIGHT = 0.3  # A that points and tips of a straight linker may be off its axis
_ROUNDS = 2
_IMAGES = np.array(list(itertools.product((-1, 0, 1), repeat=3)))


def spun(framework: Framework, library: Library) -> np.ndarray:
    """Rotations (G, 3, 3) with straight linkers turned about their axes to where they clash least."""
    rotations = framework.rotations.copy()
    axes = {place: axis for place, b in enumerate(framework.blocks) if (axis := straight_axis(library[b])) is not None}
    places = block_positions(framework, library)
    radii = [_radii(library[b].numbers) for b in framework.blocks]
    centers = framework.centers @ framework.cell
    for _ in range(_ROUNDS):
        for place, axis in axes.items():
            turned = rotations[place] @ axis
            turns = Rotation.from_rotvec(_ANGLES[:, None] * turned).as_matrix()
            tried = np.einsum("axy,ny->anx", turns, places[place] - centers[place])
            others = [other for other in range(len(places)) if other != place]
            around, sizes = _around(
                np.concatenate([places[other] for other in others]) - centers[place],
                np.concatenate([radii[other] for other in others]),
                framework.cell,
                reach=float(np.linalg.norm(tried[0], axis=-1).max()),
            )
            best = int(_clashes(tried, radii[place], around, sizes).round(6).argmin())
            rotations[place] = turns[best] @ rotations[place]
            places[place] = tried[best] + centers[place]
    return rotations


def straight_axis(block: Block) -> np.ndarray | None:
    """Unit vector along the connections of a linker whose points and tips lie on one line; None for all others."""
    if block.node:
        return None
    tips = 2 * block.connections - block.positions[block.docking]
    points = np.concatenate([block.connections, tips])
    axis = np.linalg.svd(points)[2][0]
    off = np.linalg.norm(points - np.outer(points @ axis, axis), axis=1).max()
    return axis if off < _STRAIGHT else None


def _radii(numbers: np.ndarray) -> np.ndarray:
    radii = vdw_radii[numbers]
    return np.where(np.isfinite(radii), radii, _UNKNOWN)


def _around(offsets: np.ndarray, radii: np.ndarray, cell: np.ndarray, *, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Images of atoms near the origin, and their radii."""
    fractional = offsets @ np.linalg.inv(cell)
    images = ((fractional - np.rint(fractional))[:, None] + _IMAGES) @ cell
    near = np.linalg.norm(images, axis=-1) < (reach + 2 * _UNKNOWN)
    return images[near], np.broadcast_to(radii[:, None], near.shape)[near]


def _clashes(tried: np.ndarray, own: np.ndarray, around: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """The sum that is minimised, for each angle."""
    limit = _SOFT * (own[:, None] + sizes)
    scores = np.zeros(len(tried))
    for i, places in enumerate(tried):
        squares = (places**2).sum(-1)[:, None] - 2 * places @ around.T + (around**2).sum(-1)
        scores[i] = (np.maximum(0, limit - np.sqrt(np.maximum(squares, 0))) ** 2).sum()
    return scores
