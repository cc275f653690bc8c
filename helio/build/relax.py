"""Built systems relaxed until they can be simulated."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ase import Atoms

from helio.force_field import ForceField
from helio.interfaces.ase import HelioCalculator
from helio.simulate.minimise import Relaxation, minimise

# Largest force in eV/A that is left: below it dynamics at 0.5 fs starts calmly, without the cost of a full relaxation.
FMAX = 0.5


def relax(
    atoms: Atoms,
    model: str | Path | ForceField = "so3lr",
    *,
    fmax: float = FMAX,
    steps: int = 300,
    report: Callable[[Relaxation], None] | None = None,
) -> Relaxation:
    """Move the atoms, in place, by FIRE until no force exceeds `fmax` (eV/A), or for `steps` steps.

    Raises:
        HelioError: for a model that is not known, atoms that it cannot describe, or forces that are not finite.
    """
    atoms.calc = HelioCalculator(model)
    last = minimise(atoms, fmax=fmax, steps=steps, report=report)
    atoms.calc = None
    return last
