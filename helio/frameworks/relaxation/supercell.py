"""Repetition of a crystal, and back."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from helio.frameworks.crystal import Crystal


def repetitions(cell: np.ndarray, width: float) -> tuple[int, int, int]:
    """How often to repeat a cell along each vector so that opposite faces are `width` (A) apart: V / |b x c|."""
    volume = abs(np.linalg.det(cell))
    faces = [np.linalg.norm(np.cross(cell[(i + 1) % 3], cell[(i + 2) % 3])) for i in range(3)]
    a, b, c = (max(1, int(np.ceil(width * face / volume - 1e-9))) for face in faces)
    return a, b, c


def repeated(crystal: Crystal, counts: tuple[int, int, int]) -> Crystal:
    """The same crystal with a cell so many times as large; atom i of copy m is number m * N + i."""
    shifts = np.array(list(itertools.product(*(range(count) for count in counts))))
    number = {tuple(shift): place for place, shift in enumerate(shifts.tolist())}
    positions = crystal.positions[None] + (shifts @ crystal.cell)[:, None]
    bonds, images = [], []
    for place, shift in enumerate(shifts):
        reached = shift + crystal.images
        outside = reached // counts
        other = np.array([number[tuple(inside)] for inside in (reached - outside * counts).tolist()], int)
        bonds.append(
            np.stack([place * len(crystal) + crystal.bonds[:, 0], other * len(crystal) + crystal.bonds[:, 1]], 1)
        )
        images.append(outside)
    return Crystal(
        crystal.name,
        crystal.cell * np.array(counts)[:, None],
        np.tile(crystal.numbers, len(shifts)),
        positions.reshape(-1, 3),
        np.concatenate(bonds).astype(np.int32),
        np.concatenate(images).astype(np.int32),
    )


def folded(crystal: Crystal, counts: tuple[int, int, int], *, cell: np.ndarray, fractional: np.ndarray) -> Crystal:
    """`crystal` with the mean positions and the cell of a supercell of it that has moved.

    Args:
        crystal: one cell, before.
        counts: of the supercell.
        cell: of the supercell, after.
        fractional: coordinates in it, of all its atoms in the order of `repeated`; whole numbers do not matter.
    """
    shifts = np.array(list(itertools.product(*(range(count) for count in counts))))
    before = crystal.positions @ np.linalg.inv(crystal.cell)
    moved = fractional.reshape(len(shifts), -1, 3) * counts - shifts[:, None] - before
    moved -= np.rint(moved / counts) * counts
    cell = cell / np.array(counts)[:, None]
    return replace(crystal, cell=cell, positions=(before + moved.mean(axis=0)) @ cell)
