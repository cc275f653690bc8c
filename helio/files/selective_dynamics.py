"""Constraints of ASE as the selective dynamics of a POSCAR file, whose flags hold fractional coordinates of atoms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

if TYPE_CHECKING:
    from ase import Atoms

# Largest part of a direction (a unit vector) that may lie outside of a space which holds it.
_OUTSIDE = 1e-5


def with_selective_dynamics(atoms: Atoms) -> Atoms:
    """A copy whose constraints are `FixAtoms` and `FixScaled` alone, which ASE writes as flags.

    Raises:
        ValueError: a constraint that flags cannot express.
    """
    from ase.constraints import FixAtoms, FixScaled

    flags = selective_flags(atoms)
    held = flags.all(axis=1)
    copied = atoms.copy()
    partly = [FixScaled(int(i), flags[i]) for i in np.flatnonzero(flags.any(axis=1) & ~held)]
    copied.set_constraint([*partly, *([FixAtoms(np.flatnonzero(held))] if held.any() else [])])
    return copied


def selective_flags(atoms: Atoms) -> Bool[np.ndarray, "N 3"]:
    """True where a fractional coordinate of an atom is held; `ValueError` where flags cannot express a constraint."""
    flags = np.zeros((len(atoms), 3), bool)
    for constraint in atoms.constraints:
        name = type(constraint).__name__
        if name == "FixAtoms":
            mask = np.ones(3, bool)
        elif name == "FixScaled":
            mask = np.asarray(constraint.mask, bool)
        elif name in ("FixCartesian", "FixedPlane", "FixedLine"):
            mask = _coordinates(_directions(constraint), atoms.cell.array, name)
        else:
            raise ValueError(f"selective dynamics have no {name}")
        flags[np.asarray(constraint.index)] |= mask
    return flags


def _directions(constraint: object) -> Float[np.ndarray, "M 3"]:
    """An orthonormal basis of the directions along which a constraint holds its atoms."""
    mask, direction = getattr(constraint, "mask", None), getattr(constraint, "dir", None)
    if direction is None:
        return np.eye(3)[np.asarray(mask, bool)]
    along = np.asarray(direction, float) / np.linalg.norm(direction)
    if type(constraint).__name__ == "FixedPlane":
        return along[None]
    return np.linalg.svd(along[None])[2][1:]


def _coordinates(held: Float[np.ndarray, "M 3"], cell: Float[np.ndarray, "3 3"], name: str) -> Bool[np.ndarray, " 3"]:
    """The fractional coordinates that stay as they are where an atom may move perpendicular to `held` alone.

    Coordinate k changes along the reciprocal vector k: it must lie in the space of the directions that are held.
    """
    reciprocal = np.linalg.inv(cell).T
    reciprocal /= np.linalg.norm(reciprocal, axis=1, keepdims=True)
    mask = np.linalg.norm(reciprocal - reciprocal @ held.T @ held, axis=1) < _OUTSIDE
    if mask.sum() != len(held):
        raise ValueError(f"its {name} holds atoms along directions that no vector of this cell has")
    return mask
