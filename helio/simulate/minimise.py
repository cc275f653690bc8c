"""Relaxation of positions and cell by the optimisers of ASE."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from ase import Atoms
from ase.filters import FrechetCellFilter
from ase.optimize import FIRE, LBFGS

from helio.errors import HelioError

Optimizer = Literal["fire", "lbfgs"]

# A step of L-BFGS is at most this long (A); longer ones overshoot in force fields with a hard core.
_LONGEST_STEP = 0.1


@dataclass(frozen=True)
class Relaxation:
    """Where a relaxation stands."""

    step: int
    energy: float  # eV
    largest_force: float  # eV/A; with the cell also its generalised forces
    converged: bool


def minimise(
    atoms: Atoms,
    *,
    optimizer: Optimizer = "fire",
    cell: bool = False,
    fmax: float = 0.01,
    steps: int = 1000,
    report: Callable[[Relaxation], None] | None = None,
) -> Relaxation:
    """Move the atoms (and with `cell` the cell vectors) of `atoms`, in place, until all forces are below `fmax`.

    Args:
        atoms: with a calculator.
        optimizer: "fire" (sturdy, also far from a minimum) or "lbfgs" (often fewer steps, near one).
        cell: also relax the cell, by ASE's `FrechetCellFilter`; needs periodicity in three directions.
        fmax: in eV/A, for the longest force vector.
        steps: at most this many.
        report: is told about every step.

    Raises:
        HelioError: `cell` for a structure that is not periodic in all directions, or forces that are not finite.
    """
    if cell and not atoms.pbc.all():
        raise HelioError("the cell can be relaxed only where the structure is periodic in all three directions")
    target: Any = FrechetCellFilter(atoms) if cell else atoms
    if optimizer == "lbfgs":
        engine = LBFGS(target, logfile=None, maxstep=_LONGEST_STEP)  # pyright: ignore[reportArgumentType]
    else:
        engine = FIRE(target, logfile=None)  # pyright: ignore[reportArgumentType]

    def status() -> Relaxation:
        largest = float(np.linalg.norm(target.get_forces(), axis=1).max())
        if not np.isfinite(largest):
            raise HelioError(f"the forces became infinite or not a number at step {engine.nsteps}; check the structure")
        return Relaxation(engine.nsteps, float(atoms.get_potential_energy()), largest, largest < fmax)

    if report is not None:
        engine.attach(lambda: report(status()))
    with warnings.catch_warnings():
        # The filter takes the logarithm of the strain; SciPy tells of errors above 2e-13 at every step.
        warnings.filterwarnings("ignore", "logm result may be inaccurate", RuntimeWarning)
        engine.run(fmax=fmax, steps=steps)
        return status()
