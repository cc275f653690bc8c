"""What a viewer shows: atoms that move, their bonds and their box."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int

# Bonds are drawn up to this factor beyond the sum of the covalent radii: those that break, or that cross a boundary,
# are not (1.3 is where `helio.simulate.bonds` sets the limit for a bond of a start structure).
REACH = 1.6


@dataclass(frozen=True)
class Scene:
    """N atoms in T frames, the arrays on the host.

    Bonds are pairs of the atoms' places. Cells have row vectors, each with the place of the corner that they begin at;
    there is one of each frame, or one alone for all, or none.
    """

    numbers: Int[np.ndarray, " N"]
    positions: Float[np.ndarray, "T N 3"]  # A
    bonds: Int[np.ndarray, "P 2"]
    labels: list[str]  # what each frame is, such as its time
    cells: Float[np.ndarray, "C 3 3"] = field(default_factory=lambda: np.zeros((0, 3, 3)))  # A
    corners: Float[np.ndarray, "C 3"] = field(default_factory=lambda: np.zeros((0, 3)))  # A
    water: Bool[np.ndarray, " N"] | None = None  # atoms of solvent, drawn thin where there are others

    @property
    def solvent(self) -> Bool[np.ndarray, " N"]:
        """Atoms of water."""
        return np.zeros(len(self.numbers), bool) if self.water is None else self.water

    def sphere(self) -> tuple[Float[np.ndarray, " 3"], float]:
        """Centre and radius, in A, of a sphere that holds the first frame and its box."""
        points = self.positions[0]
        if len(self.cells):
            ends = np.array([(i, j, k) for i in (0, 1) for j in (0, 1) for k in (0, 1)])
            box = self.corners[0] + ends @ self.cells[0]
            center = box.mean(axis=0)
            # A slab or wire stands out of its box, which is a plane or a line.
            held = box if self.cells[0].any(axis=1).all() else np.concatenate([box, points])
            return center, 1.02 * float(np.linalg.norm(held - center, axis=1).max())
        center = (points.min(axis=0) + points.max(axis=0)) / 2
        return center, float(np.linalg.norm(points - center, axis=1).max()) + 1.0

    def filling(self) -> float:
        """Share of a picture's edge that the sphere's radius takes: the corners of a box may come close to the rim."""
        return 0.53 if len(self.cells) else 0.47

    def rotation(self) -> Float[np.ndarray, "3 3"]:
        """The turn to begin with: of a box a little aslant, else the longest extent along x, the shortest to the eye.

        Rows are the axes of the screen (right, up, to the eye).
        """
        if len(self.cells):
            return _about(0, np.radians(-72)) @ _about(2, np.radians(-24))
        points = self.positions[0] - self.positions[0].mean(axis=0)
        _, _, axes = np.linalg.svd(points, full_matrices=True)
        return axes * np.array([[1.0], [1.0], [np.sign(np.linalg.det(axes))]])


def _about(axis: int, angle: float) -> Float[np.ndarray, "3 3"]:
    turn = np.eye(3)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    turn[i, i] = turn[j, j] = np.cos(angle)
    turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
    return turn
