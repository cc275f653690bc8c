"""Lattice energies of molecular crystals, as of X23 (Reilly and Tkatchenko, J. Chem. Phys. 139, 024705 (2013)).

    E_lattice = 1/Z [ sum_m E(molecule m) - E(cell) ]

with the Z molecules of the cell: positive where the crystal is bound. Molecules have no cutoff, so the crystal's
electrostatics must be what it is without one: Wolf's self-term or a lattice sum. With the published shift at 12 A,
which is another potential within each molecule, lattice energies are too small by 2 to 14 kcal/mol.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from helio.errors import HelioError
from helio.evaluate.metrics import ErrorSums
from helio.simulate.bonds import bonds, make_whole
from helio.simulate.minimise import minimise
from helio.units import KCAL_PER_MOL

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

Relaxed = Literal["nothing", "positions", "cell"]
REFERENCE_KEY = "lattice_energy_kcal_mol"


@dataclass(frozen=True)
class LatticeEnergy:
    """The energy to take a crystal apart, per molecule."""

    energy: float  # kcal/mol
    molecules: int  # in the cell
    volume: float  # A^3, of the cell as computed
    volume_given: float  # A^3
    converged: bool = True


@dataclass(frozen=True)
class Crystal:
    """A crystal of a set and its lattice energies in kcal/mol per molecule."""

    name: str
    reference: float | None
    predicted: float
    molecules: int
    volume_change: float  # of the relaxation, as a share
    converged: bool


@dataclass(frozen=True)
class CrystalEvaluation:
    """Lattice energies of a set and their errors."""

    crystals: list[Crystal]
    unusable: list[tuple[str, str]] = field(default_factory=list)  # names of crystals that were left out, and why

    @property
    def errors(self) -> np.ndarray:
        """Prediction - reference of the crystals that have one, in kcal/mol."""
        return np.array([c.predicted - c.reference for c in self.crystals if c.reference is not None])

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as for JSON."""
        errors = self.errors
        mean = float(errors.mean()) if len(errors) else None
        return {
            "unit": "kcal/mol",
            "total": ErrorSums().including(errors).to_dict() | {"mean": mean},
            "unusable": [{"name": name, "reason": reason} for name, reason in self.unusable],
            "crystals": [asdict(crystal) for crystal in self.crystals],
        }


def evaluate_crystals(
    crystals: Iterable[Atoms],
    calculator: Calculator,
    molecule_calculator: Calculator,
    *,
    relaxed: Relaxed = "nothing",
    reference_key: str = REFERENCE_KEY,
    skip_unusable: bool = False,
    advance: Callable[[int], None] = lambda done: None,
) -> CrystalEvaluation:
    """Lattice energies of crystals that give `name` and, in kcal/mol, the reference in their `info`.

    Raises:
        HelioError: a crystal that `lattice_energy` or the potential cannot describe, unless these are skipped.
    """
    evaluated: list[Crystal] = []
    unusable: list[tuple[str, str]] = []
    for number, crystal in enumerate(crystals):
        name = str(crystal.info.get("name", number))
        reference = crystal.info.get(reference_key)
        try:
            known = None if reference is None else float(reference)
            result = lattice_energy(crystal, calculator, molecule_calculator, relaxed=relaxed)
        except (HelioError, TypeError, ValueError) as error:
            if not skip_unusable:
                raise HelioError(f"crystal {name}: {error}") from error
            unusable.append((name, str(error)))
        else:
            change = result.volume / result.volume_given - 1
            evaluated.append(Crystal(name, known, result.energy, result.molecules, change, result.converged))
        advance(1)
    return CrystalEvaluation(evaluated, unusable)


def lattice_energy(
    crystal: Atoms,
    calculator: Calculator,
    molecule_calculator: Calculator,
    *,
    relaxed: Relaxed = "nothing",
    fmax: float = 0.01,
    steps: int = 500,
) -> LatticeEnergy:
    """The lattice energy of a molecular crystal; molecules without charge.

    Args:
        crystal: periodic in three directions.
        calculator: any calculator of ASE, for the crystal.
        molecule_calculator: the same potential without periodicity.
        relaxed: nothing (molecules as they lie in the crystal), the positions in crystal and molecules, or the cell as
            well.
        fmax: in eV/A, of relaxations.
        steps: at most this many for each relaxation.

    Raises:
        HelioError: the crystal is not periodic, or has bonds without end.
    """
    whole, groups = _molecules(crystal)
    bulk = whole.copy()
    bulk.calc = calculator
    converged = True
    if relaxed != "nothing":
        converged = minimise(bulk, optimizer="lbfgs", cell=relaxed == "cell", fmax=fmax, steps=steps).converged
    total = float(bulk.get_potential_energy())
    apart = 0.0
    for members in groups:
        molecule = whole[members]
        molecule.pbc, molecule.cell, molecule.calc = False, np.zeros((3, 3)), molecule_calculator
        if relaxed != "nothing":
            converged &= minimise(molecule, optimizer="lbfgs", fmax=fmax, steps=steps).converged
        apart += float(molecule.get_potential_energy())
    count = len(groups)
    return LatticeEnergy(
        (apart - total) / count / KCAL_PER_MOL, count, bulk.get_volume(), crystal.get_volume(), converged
    )


def _molecules(crystal: Atoms) -> tuple[Atoms, list[np.ndarray]]:
    """The crystal with whole molecules, and the atoms of each."""
    if not crystal.pbc.all():
        raise HelioError("a lattice energy needs a crystal that is periodic in all three directions")
    whole = make_whole(crystal)
    whole.calc, whole.info = None, {}
    pairs, shifts = bonds(whole)
    if shifts.any():
        raise HelioError("the crystal has bonds without end, so that it is no crystal of molecules")
    links = coo_matrix((np.ones(len(pairs)), tuple(pairs.T)), shape=(len(whole), len(whole)))
    count, label = connected_components(links, directed=False)
    return whole, [np.flatnonzero(label == number) for number in range(count)]
