"""The structure at step 0 as `start.extxyz` keeps it: enough to resume, and to export the same system."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms

from helio.simulate.frozen import frozen_atoms
from helio.simulate.selection import Selection
from helio.system import System

# Names of atoms, residues and chains, as readers of structures call their arrays.
NAMES = ("atomtypes", "residuenames", "residuenumbers", "chainids")


def start_structure(system: System, atoms: Atoms, frozen: Selection) -> Atoms:
    """The atoms of `system` with charge, spin and masses, and of `atoms` names, vacuum lengths and what does not move.

    Args:
        system: as it is simulated, without padding.
        atoms: as they were read.
        frozen: further atoms that do not move, as in `frozen_atoms`.
    """
    start = system.to_ase()
    start.cell = np.where(start.pbc[:, None], start.cell.array, atoms.cell.array)
    take_names(start, atoms)
    mask = frozen_atoms(atoms, frozen)
    if mask is not None:
        start.set_constraint(FixAtoms(mask=mask))
    return start


def take_names(atoms: Atoms, source: Atoms, chosen: np.ndarray | None = None) -> None:
    """Give `atoms`, in place, the names of the `chosen` atoms of `source`, by default of all."""
    for name in NAMES:
        if name in source.arrays:
            values = source.arrays[name]
            atoms.set_array(name, values if chosen is None else values[chosen])
