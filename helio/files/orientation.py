"""Cells as formats know them that hold lengths and angles alone."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.cell import Cell


def in_standard_orientation(atoms: Atoms) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Positions, cell and turn where the first vector is along x and the second in the plane of x and y.

    Returns:
        Positions (N, 3) in A; cell parameters (6,) in A and degrees, None without periodic boundaries; the rotation
        (3, 3) that turns the rows of any array of vectors: `vectors @ turn.T`.
    """
    if not atoms.pbc.any():
        return atoms.positions, None, np.eye(3)
    cell = atoms.cell.array.copy()
    cell[2] *= np.sign(np.linalg.det(cell))  # the same lattice, right-handed
    standard, turn = Cell(cell).standard_form()
    return atoms.positions @ turn.T, standard.cellpar(), turn
