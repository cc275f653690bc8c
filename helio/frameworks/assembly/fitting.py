"""Least squares of matched connections: over the rotations alone, or over centres and cell as well.

    minimise  sum_p m_p^2 + (u_weight)^2 sum_i |u_i|^2 + (strain_weight)^2 |e|^2
    x_i -> x_i (1 + e) + u_i,   cell -> cell (1 + e),   R_i -> exp(t_i) R_i

m as in the folder's contract, e a symmetric strain: the cell and the places give way, a little, so that blocks drawn at
about the right places meet exactly. Levenberg and Marquardt's method with the exact derivatives.

| here | equation |
|---|---|
| `turn` | t_i, (G, 3) |
| `shift` | u_i, A, (G, 3) |
| `strain` | e, as (xx, yy, zz, yz, xz, xy) |
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from helio.frameworks.assembly.matching import TIP_WEIGHT, Matching
from helio.frameworks.assembly.sites import Joints

_STEPS = 40
_ENOUGH = 1e-7  # relative fall of the sum of squares at which the fit has ended
_SHIFT_WEIGHT = 0.2  # a centre moves 1 A at the price of a gap of 0.2 A
_STRAIN_WEIGHT = 5.0  # A: a strain of 0.1 at the price of a gap of 0.5 A

_AXES = np.eye(3)
_STRAINS = np.array([
    0.5 * (np.outer(_AXES[i], _AXES[j]) + np.outer(_AXES[j], _AXES[i]))
    for i, j in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
])  # fmt: skip
_ROOT = np.sqrt(TIP_WEIGHT / 2)
# Of a node's (point, tip, dock) and of a linker's, the rows that belong together, and their weights.
_PAIRED = ((0, 0, 1.0), (1, 2, _ROOT), (2, 1, _ROOT))


@dataclass(frozen=True)
class Pose:
    """How a framework stands: Cartesian centres (G, 3), rotations (G, 3, 3), cell (3, 3)."""

    centers: np.ndarray
    rotations: np.ndarray
    cell: np.ndarray


def fitted(pose: Pose, joints: Joints, matching: Matching, *, cell: bool) -> Pose:
    """The pose in which the matched connections meet best.

    Args:
        pose: to begin with.
        joints: the connections.
        matching: which meet; its shifts belong to the cell of `pose`.
        cell: move centres and strain the cell as well.
    """
    images = np.rint(matching.shifts @ np.linalg.inv(pose.cell))
    problem = _Problem(joints, matching.linker, images, pose, cell)
    damping, residuals = 1e-3, problem.residuals(pose)
    for _ in range(_STEPS):
        jacobian = problem.jacobian(pose)
        gradient, normal = jacobian.T @ residuals, jacobian.T @ jacobian
        scale = np.diag(normal).max()
        step = np.linalg.solve(normal + damping * scale * np.eye(len(normal)), -gradient)
        tried = problem.moved(pose, step)
        new = problem.residuals(tried)
        before, after = residuals @ residuals, new @ new
        if after >= before:
            damping *= 10
            if damping > 1e3:
                break
            continue
        pose, residuals, damping = tried, new, max(damping / 5, 1e-9)
        if before - after < _ENOUGH * before + 1e-14:
            break
    return pose


@dataclass(frozen=True)
class _Problem:
    joints: Joints
    linker: np.ndarray
    images: np.ndarray
    start: Pose
    free: bool  # of centres and cell

    def residuals(self, pose: Pose) -> np.ndarray:
        nodes = self.joints.nodes.placed(pose.centers, pose.rotations)
        linkers = self.joints.linkers.placed(pose.centers, pose.rotations)[self.linker]
        shifts = self.images @ pose.cell
        meeting = [w * (nodes[:, a] - linkers[:, b] - shifts) for a, b, w in _PAIRED]
        parts = [np.stack(meeting, axis=1).ravel()]
        if self.free:
            stretch = np.linalg.solve(self.start.cell, pose.cell)
            away = pose.centers - self.start.centers @ stretch
            strain = [((stretch - np.eye(3)) * (2 * own - np.diag(np.diag(own)))).sum() for own in _STRAINS]
            parts += [_SHIFT_WEIGHT * away.ravel(), _STRAIN_WEIGHT * np.array(strain)]
        return np.concatenate(parts)

    def jacobian(self, pose: Pose) -> np.ndarray:
        """Derivatives with respect to turns, and where free shifts and strain, (residuals, parameters)."""
        blocks, pairs = len(pose.centers), len(self.linker)
        node, linker = self.joints.nodes.block, self.joints.linkers.block[self.linker]
        arms = self.joints.nodes.placed(np.zeros_like(pose.centers), pose.rotations)
        other = self.joints.linkers.placed(np.zeros_like(pose.centers), pose.rotations)[self.linker]
        turn, shift = np.zeros((2, pairs, 3, 3, blocks, 3))
        strain = np.zeros((pairs, 3, 3, 6))
        every = np.arange(pairs)
        between = pose.centers[node] - pose.centers[linker] - self.images @ pose.cell
        for row, (a, b, weight) in enumerate(_PAIRED):
            # A node and a linker are never the same block, so no place is written to twice.
            turn[every, row, :, node] -= weight * _cross(arms[:, a])
            turn[every, row, :, linker] += weight * _cross(other[:, b])
            shift[every, row, :, node] += weight * np.eye(3)
            shift[every, row, :, linker] -= weight * np.eye(3)
            strain[:, row] = weight * np.einsum("px,sxy->pys", between, _STRAINS)
        meeting = turn.reshape(9 * pairs, -1)
        if not self.free:
            return meeting
        meeting = np.concatenate([meeting, shift.reshape(9 * pairs, -1), strain.reshape(9 * pairs, 6)], axis=1)
        rest = np.zeros((3 * blocks + 6, meeting.shape[1]))
        weights = np.concatenate([np.full(3 * blocks, _SHIFT_WEIGHT), np.full(6, _STRAIN_WEIGHT)])
        rest[:, 3 * blocks :] = np.diag(weights)
        return np.concatenate([meeting, rest])

    def moved(self, pose: Pose, step: np.ndarray) -> Pose:
        blocks = len(pose.centers)
        turns = Rotation.from_rotvec(step[: 3 * blocks].reshape(-1, 3)).as_matrix()
        pose = replace(pose, rotations=turns @ pose.rotations)
        if not self.free:
            return pose
        stretch = np.eye(3) + np.einsum("s,sxy->xy", step[-6:], _STRAINS)
        # A symmetric strain on top of another: the product is symmetric to first order, the rest is a turn of all.
        shifts = step[3 * blocks : 6 * blocks].reshape(-1, 3)
        return replace(pose, centers=pose.centers @ stretch + shifts, cell=pose.cell @ stretch)


def _cross(vectors: np.ndarray) -> np.ndarray:
    """Matrices (P, 3, 3) that do v x ... ."""
    x, y, z = vectors.T
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(-1, 3, 3)
