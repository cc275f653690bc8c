"""Atoms that do not move in a run: those that the structure fixes, and those that `--frozen` names."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from helio.errors import HelioError
from helio.files.fixed_atoms import fixed_atoms, other_constraints
from helio.simulate.selection import Selection, selection_mask

# The selection that releases the atoms which the structure fixes.
RELEASED = "none"


def frozen_atoms(atoms: Atoms, selection: Selection) -> np.ndarray | None:
    """True for atoms that do not move, (N,); None where all move.

    Args:
        atoms: whose constraints count: `FixAtoms` and what fixes an atom along all three directions.
        selection: further atoms; "none" lets all move, whatever the constraints say.

    Raises:
        HelioError: the selection is wrong, or `atoms` have other constraints, which a run would not hold.
    """
    if selection == RELEASED:
        return None
    if constraints := other_constraints(atoms):
        raise HelioError(
            f"the structure has constraints that md does not hold: {', '.join(constraints[:4])}. Freeze atoms as a "
            "whole (--frozen 0,1), hold them by restraints, or let all move by --frozen none"
        )
    mask = fixed_atoms(atoms)
    if selection != ():
        mask |= selection_mask(selection, atoms)
    return mask if mask.any() else None
