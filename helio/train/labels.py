"""A labelled structure, the kinds of labels, and the units that files keep them in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import ase.units
import numpy as np

from helio.errors import HelioError
from helio.units import BOHR, DIPOLE_UNITS, ENERGY_UNITS, FORCE_UNITS, HARTREE


@dataclass(frozen=True)
class LabelKind:
    """What a label is: its unit inside Helio, whether each atom has one, and the shape of one."""

    unit: str
    per_atom: bool
    shape: tuple[int, ...] = ()

    def full_shape(self, atoms: int) -> tuple[int, ...]:
        """The shape of the label of a structure of so many atoms."""
        return (atoms, *self.shape) if self.per_atom else self.shape


LABELS: dict[str, LabelKind] = {
    "energy": LabelKind("eV", per_atom=False),
    "forces": LabelKind("eV/A", per_atom=True, shape=(3,)),
    "stress": LabelKind("eV/A^3", per_atom=False, shape=(3, 3)),
    "dipole": LabelKind("e A", per_atom=False, shape=(3,)),
    "charges": LabelKind("e", per_atom=True),
    "hirshfeld_ratios": LabelKind("", per_atom=True),
    "atomic_energies": LabelKind("eV", per_atom=True),
}

LENGTH_UNITS = {"A": 1.0, "nm": 10.0, "bohr": BOHR}  # in A
STRESS_UNITS = {  # in eV/A^3
    "eV/A^3": 1.0,
    "GPa": ase.units.GPa,
    "kbar": 0.1 * ase.units.GPa,
    "hartree/bohr^3": HARTREE / BOHR**3,
}


@dataclass(frozen=True)
class Units:
    """The units of a file. Charges are in e, ratios have none; the force unit None is the energy unit per A."""

    length: str = "A"
    energy: str = "eV"
    forces: str | None = None
    dipole: str = "eA"
    stress: str = "eV/A^3"

    def __post_init__(self) -> None:
        """Check the names."""
        _choose(self.length, LENGTH_UNITS, "length")
        _choose(self.energy, ENERGY_UNITS, "energy")
        _choose(self.force_unit, FORCE_UNITS, "force")
        _choose(self.dipole, DIPOLE_UNITS, "dipole")
        _choose(self.stress, STRESS_UNITS, "stress")

    @property
    def force_unit(self) -> str:
        """The unit of forces."""
        return self.forces or f"{self.energy}/A"

    def changed(self, chosen: Mapping[str, str | None]) -> Units:
        """These units, except those that were `chosen`; another energy unit also changes that of forces."""
        given = {name: unit for name, unit in chosen.items() if unit is not None}
        if "energy" in given and "forces" not in given:
            given["forces"] = f"{given['energy']}/{(self.forces or '/A').rsplit('/', 1)[1]}"
        return replace(self, **given)

    def factor(self, label: str) -> float:
        """What a label is multiplied with to be in eV, A and e."""
        if label in ("energy", "atomic_energies"):
            return ENERGY_UNITS[self.energy]
        if label == "forces":
            return FORCE_UNITS[self.force_unit]
        if label == "dipole":
            return DIPOLE_UNITS[self.dipole]
        return STRESS_UNITS[self.stress] if label == "stress" else 1.0

    @property
    def to_angstrom(self) -> float:
        """What a length is multiplied with to be in A."""
        return LENGTH_UNITS[self.length]


@dataclass(frozen=True)
class LabelledStructure:
    """One structure of a set, in A, e and eV, with the labels that it has."""

    atomic_numbers: np.ndarray  # (N,)
    positions: np.ndarray  # (N, 3) in A
    labels: Mapping[str, np.ndarray] = field(default_factory=dict)  # by the names of `LABELS`
    cell: np.ndarray = field(default_factory=lambda: np.zeros((3, 3)))  # A, row vectors
    pbc: tuple[bool, bool, bool] = (False, False, False)
    charge: float | None = None  # e; None where the file does not tell
    unpaired_electrons: float | None = None
    level: str | None = None  # of theory
    number: int = 0  # in its file
    source: str | None = None  # where it comes from, if that is not the file
    licence: str | None = None
    units: Units = field(default_factory=Units)  # that the file has been taken to have


def labelled(values: Mapping[str, object], *, atoms: int, units: Units, where: str) -> dict[str, np.ndarray]:
    """Labels of a structure of so many `atoms` as float64 arrays of the right shape, in eV, A and e.

    A label that is not finite is left out: sets write NaN where there is none. `where` names the structure in errors.
    Stress may stand in Voigt order (xx, yy, zz, yz, xz, xy).

    Raises:
        HelioError: a label that is not made of numbers or has another shape.
    """
    found = {}
    for name, raw in values.items():
        if raw is None:
            continue
        try:
            value = np.asarray(raw, np.float64)
        except (TypeError, ValueError):
            raise HelioError(f"the {name} of {where} is not made of numbers: {raw!r}") from None
        shape = LABELS[name].full_shape(atoms)
        if name == "stress" and value.size == 6:
            xx, yy, zz, yz, xz, xy = value.ravel()
            value = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
        if value.size != int(np.prod(shape)):
            raise HelioError(f"the {name} of {where} has shape {value.shape} where {shape} is expected")
        if np.isfinite(value).all():
            found[name] = value.reshape(shape) * units.factor(name)
    return found


def _choose(name: str, units: Mapping[str, float], kind: str) -> None:
    if name not in units:
        raise HelioError(f"unknown {kind} unit {name!r}; choose among {', '.join(units)}")
