"""Relaxation by a calculator of ASE, such as Helio's own force fields."""

from __future__ import annotations

from typing import Any

from ase import Atoms

from helio.frameworks.crystal import Crystal
from helio.frameworks.relaxation.relaxed import Relaxed
from helio.simulate.minimise import minimise


def relax_with(
    crystal: Crystal, calculator: Any, *, cell: bool = True, fmax: float = 0.05, steps: int = 500
) -> Relaxed:
    """Minimise the energy of a crystal over positions, and with `cell` the cell.

    Args:
        crystal: of elements that the calculator knows.
        calculator: of ASE, with stress where the cell is free.
        cell: also relax the cell.
        fmax: in eV/A, for the longest force vector.
        steps: at most this many.

    Raises:
        HelioError: the calculator cannot describe the crystal, or the forces become infinite.
    """
    atoms = Atoms(crystal.numbers, crystal.positions, cell=crystal.cell, pbc=True)
    atoms.calc = calculator
    before, volume = float(atoms.get_potential_energy()), crystal.volume
    last = minimise(atoms, cell=cell, fmax=fmax, steps=steps)
    relaxed = Crystal(
        crystal.name, atoms.cell.array.copy(), crystal.numbers, atoms.positions.copy(), crystal.bonds, crystal.images
    )
    return Relaxed(relaxed, before, last.energy, relaxed.volume / volume - 1, last.step, last.converged)
