"""The units that files of labelled structures keep their numbers in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import ase.units

from helio.errors import HelioError
from helio.units import BOHR, DIPOLE_UNITS, ENERGY_UNITS, FORCE_UNITS, HARTREE

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
    origin: str = "by default"  # where they come from, in words for the user
    chosen: tuple[str, ...] = ()  # quantities whose unit the user named

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
        return replace(
            self, **given, chosen=(*self.chosen, *(name for name, unit in chosen.items() if unit is not None))
        )

    def described(self, labels: Collection[str]) -> str:
        """The units of these labels and of lengths, and where they come from."""
        named = {"lengths": self.length}
        if "energy" in labels or "atomic_energies" in labels:
            named["energies"] = self.energy
        if "forces" in labels:
            named["forces"] = self.force_unit
        named |= {name: str(getattr(self, name)) for name in ("dipole", "stress") if name in labels}
        chosen = f"; {', '.join(self.chosen)} as chosen" if self.chosen else ""
        return f"{', '.join(f'{name} in {unit}' for name, unit in named.items())} ({self.origin}{chosen})"

    def factor(self, label: str) -> float:
        """The factor that brings a label to eV, A and e."""
        if label in ("energy", "atomic_energies", "virial"):
            return ENERGY_UNITS[self.energy]
        if label == "forces":
            return FORCE_UNITS[self.force_unit]
        if label == "dipole":
            return DIPOLE_UNITS[self.dipole]
        return STRESS_UNITS[self.stress] if label == "stress" else 1.0

    @property
    def to_angstrom(self) -> float:
        """The factor that brings a length to A."""
        return LENGTH_UNITS[self.length]


def _choose(name: str, units: Mapping[str, float], kind: str) -> None:
    if name not in units:
        raise HelioError(f"unknown {kind} unit {name!r}; choose among {', '.join(units)}")
