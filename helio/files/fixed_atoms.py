"""Atoms that a structure says do not move, and constraints of ASE that Helio does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool

if TYPE_CHECKING:
    from ase import Atoms


def fixed_atoms(atoms: Atoms) -> Bool[np.ndarray, " N"]:
    """True for atoms that are fixed in all three directions: `FixAtoms`, `FixCartesian` and `FixScaled` of ASE."""
    fixed = np.zeros((len(atoms), 3), bool)
    for constraint in atoms.constraints:
        name = type(constraint).__name__
        if name == "FixAtoms":
            fixed[np.asarray(constraint.index)] = True
        elif name in ("FixCartesian", "FixScaled"):
            fixed[np.asarray(constraint.index)] |= np.asarray(constraint.mask, bool)
    return np.asarray(fixed.all(axis=1))


def other_constraints(atoms: Atoms) -> list[str]:
    """Constraints that fixed atoms do not express, in words: atoms fixed along some directions, bonds, planes, ..."""
    fixed, found = fixed_atoms(atoms), []
    for constraint in atoms.constraints:
        name = type(constraint).__name__
        if name == "FixAtoms":
            continue
        index = np.atleast_1d(getattr(constraint, "index", []))
        if name in ("FixCartesian", "FixScaled"):
            index = index[~fixed[index]]
            if len(index) == 0 or not np.any(constraint.mask):
                continue
            axes = ("x", "y", "z") if name == "FixCartesian" else ("a", "b", "c")
            held = " and ".join(
                axis for axis, is_held in zip(axes, np.asarray(constraint.mask), strict=True) if is_held
            )
            found.append(f"atom {', '.join(map(str, index[:4]))} fixed along {held} alone")
        else:
            found.append(name)
    return list(dict.fromkeys(found))
