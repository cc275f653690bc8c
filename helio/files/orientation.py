"""Cells as formats know them that hold lengths and angles alone, and directions that are not periodic.

A cell of lengths and angles lies in the standard orientation: the first vector along x, the second in the plane of x
and y, right-handed. A left-handed cell spans the same lattice with its third vector turned round; positions are turned,
never mirrored, so that molecules keep their handedness.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from ase import Atoms
from ase.cell import Cell
from jaxtyping import Float

# Along an open direction the nearest image of any atom must be the atom itself.
_MARGIN = 50.0  # A


def in_standard_orientation(atoms: Atoms) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Positions, cell parameters and turn of `atoms` in the standard orientation.

    Returns:
        Positions (N, 3) in A; cell parameters (6,) in A and degrees, None where no direction is periodic or an open one
        has no vector; the rotation (3, 3) that turns the rows of any array of vectors: `vectors @ turn.T`.
    """
    cell = stated_cell(atoms.cell.array, atoms.pbc)
    if not atoms.pbc.any() or not np.linalg.norm(cell, axis=1).all():
        return atoms.positions, None, np.eye(3)
    parameters, turn = standard_orientation(cell)
    return atoms.positions @ turn.T, parameters, turn


def standard_orientation(cell: Float[np.ndarray, "3 3"]) -> tuple[Float[np.ndarray, " 6"], Float[np.ndarray, "3 3"]]:
    """Parameters (A, degrees) of a cell of three vectors, and the rotation to it of rows: `vectors @ turn.T`."""
    right_handed = np.array(cell, float)
    right_handed[2] *= np.sign(np.linalg.det(right_handed))
    standard, turn = Cell(right_handed).standard_form()
    return standard.cellpar(), turn


def stated_cell(cell: Float[np.ndarray, "3 3"], pbc: Iterable[bool]) -> Float[np.ndarray, "3 3"]:
    """The cell without unit vectors for open directions: rows of zeros where a file gave no vector.

    Such unit vectors complete cells inside Helio, and its trajectories up to version 0.1 hold them.
    """
    stated = np.array(cell, float)
    for axis, periodic in enumerate(pbc):
        others = np.delete(stated, axis, axis=0)
        if not periodic and abs(np.linalg.norm(stated[axis]) - 1) < 1e-5 and np.abs(others @ stated[axis]).max() < 1e-4:
            stated[axis] = 0
    return stated


def cell_for_images(
    cell: Float[np.ndarray, "3 3"], pbc: Iterable[bool], positions: Float[np.ndarray, "N 3"]
) -> Float[np.ndarray, "3 3"]:
    """A cell for programs that take nearest images along all three vectors (A).

    Vectors of open directions are normal to the others and longer than twice the atoms' extent, whatever the file
    gives: no atom is then nearer to an image than to the atom itself.
    """
    periodic = np.array([bool(direction) for direction in pbc])
    if periodic.all():
        return np.array(cell, float)
    complete = np.array(Cell(np.where(periodic[:, None], cell, 0.0)).complete().array, float)
    for axis in np.flatnonzero(~periodic):
        extent = float(np.ptp(positions @ complete[axis])) if len(positions) else 0.0
        complete[axis] *= _MARGIN * np.ceil((2 * extent + _MARGIN) / _MARGIN)  # in steps, to change seldom
    return complete
