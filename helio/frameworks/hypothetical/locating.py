"""How a block is turned onto a place of a net: pormake's locator with matrices in place of objects.

Both the place and the block are seen as unit vectors to their connections. From each of many orientations, every
connection of the place takes one of the block's (the assignment with the largest sum of cosines), and the rotation
that fits these best is found (Kabsch). The best of all trials is kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.transform import Rotation

_TRIALS = Rotation.from_quat(np.random.default_rng(0).normal(size=(150, 4))).as_matrix()
_PERFECT = 1e-4


class BlockLocator:
    """Stands in for `pormake.Locator`."""

    def locate(self, target: Any, bb: Any, max_n_slices: int = 0) -> tuple[Any, np.ndarray, float]:
        """A turned copy of the block `bb`, which of its connections goes where, and the deviation.

        Args:
            target: pormake's `LocalStructure` of the place.
            bb: pormake's `BuildingBlock`.
            max_n_slices: pormake's measure of how many orientations to try; the trials here are always the same.
        """
        place, own = target.atoms.positions, bb.local_structure().atoms.positions
        best: tuple[float, Any, Any] = (np.inf, None, None)
        orders = {tuple(linear_sum_assignment(-place @ (own @ trial).T)[1]) for trial in _TRIALS}
        for order in map(np.array, sorted(orders)):
            rotation, deviation = _fit(place, own[order])
            if deviation < best[0]:
                best = deviation, rotation, order
            if deviation < _PERFECT:
                break
        return _turned(bb, best[1]), best[2], best[0]

    def locate_with_permutation(self, target: Any, bb: Any, permutation: np.ndarray) -> tuple[Any, float]:
        """A turned copy of the block whose connections go where `permutation` says, and the deviation."""
        own = bb.local_structure().atoms.positions[np.asarray(permutation)]
        rotation, deviation = _fit(target.atoms.positions, own)
        return _turned(bb, rotation), deviation

    def calculate_rmsd(self, target: Any, bb: Any, max_n_slices: int = 0) -> float:
        """The deviation alone."""
        return self.locate(target, bb, max_n_slices)[2]


def _fit(place: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, float]:
    """The rotation R with own @ R closest to `place`, and the root mean square distance left."""
    left, _, right = np.linalg.svd(own.T @ place)
    rotation = left @ np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))]) @ right
    return rotation, float(np.sqrt(((own @ rotation - place) ** 2).sum() / len(place)))


def _turned(bb: Any, rotation: np.ndarray) -> Any:
    turned = bb.copy()
    turned.atoms.set_positions((bb.atoms.positions - bb.centroid) @ rotation + bb.centroid)
    return turned
