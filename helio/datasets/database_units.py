"""Units that SchNetPack writes into the metadata of a database of ASE: `_distance_unit` and `_property_unit_dict`.

Properties have any names and units such as kcal/mol/Ang, of names of ASE (SchNetPack 2.0, Schuett et al., J. Chem.
Phys. 158, 144801 (2023)).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from helio.datasets.units import LENGTH_UNITS, STRESS_UNITS, Units
from helio.errors import HelioError, excerpt
from helio.units import DIPOLE_UNITS, ENERGY_UNITS, FORCE_UNITS

DISTANCE, PROPERTIES = "_distance_unit", "_property_unit_dict"
_ORIGIN = "named in the file"
_NAMES = {
    "A": ("A", "Ang", "ang", "Angstrom", "angstrom"),
    "bohr": ("bohr", "Bohr", "a0"),
    "hartree": ("hartree", "Hartree", "Ha", "ha"),
    "eV": ("eV", "ev"),
    "debye": ("debye", "Debye", "D"),
}
_BARE = {name: unit for unit, names in _NAMES.items() for name in names}
# The quantity of `Units` that the unit of a label belongs to; others have none.
_QUANTITIES = {
    "energy": "energy",
    "atomic_energies": "energy",
    "virial": "energy",
    "forces": "forces",
    "dipole": "dipole",
    "stress": "stress",
}
_KNOWN = {
    "length": LENGTH_UNITS,
    "energy": ENERGY_UNITS,
    "forces": FORCE_UNITS,
    "dipole": DIPOLE_UNITS,
    "stress": STRESS_UNITS,
}
_OPTIONS = {"length": "--length-unit", "energy": "--energy-unit", "forces": "--forces-unit", "dipole": "--dipole-unit",
            "stress": "--stress-unit"}  # fmt: skip
_FACTOR = r"[A-Za-z][A-Za-z0]*(\^\d)?"
# What stands for no unit.
_NONE = ("", "_", "1", "1.0", "None")


@dataclass(frozen=True)
class DatabaseUnits:
    """The units that a file names: of lengths, and of properties by the names that they have there."""

    path: Path
    length: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)

    def of(self, keys: Mapping[str, str], chosen: Mapping[str, str | None]) -> Units:
        """The units of a structure.

        Args:
            keys: the names of its labels (and of the virial) in the file.
            chosen: units that count instead.

        Raises:
            HelioError: a unit that is not known, or two for one quantity.
        """
        named: dict[str, str] = {}
        stated = [("length", "lengths", self.length)]
        stated += [(_QUANTITIES[label], key, self.properties.get(key)) for label, key in keys.items()
                   if label in _QUANTITIES]  # fmt: skip
        for quantity, what, text in stated:
            if text is None or text in _NONE or chosen.get(quantity) is not None:
                continue
            unit = self._unit(quantity, what, text)
            if named.setdefault(quantity, unit) != unit:
                raise HelioError(
                    f"{self.path} names the units {named[quantity]} and {unit} of energies: leave one of them out "
                    "(--key LABEL=) or convert it"
                )
        if (key := keys.get("charges")) is not None and self.properties.get(key, "e") not in ("e", *_NONE):
            raise HelioError(
                f"{self.path} names the unit {excerpt(self.properties[key])} of {key}, and charges are read in e: "
                "convert them, or leave them out with --key charges="
            )
        forces = named.get("forces", f"{named['energy']}/A" if "energy" in named else None)
        units = Units().changed({**named, "forces": forces})
        return replace(units, chosen=(), origin=_ORIGIN if named else units.origin).changed(chosen)

    def _unit(self, quantity: str, what: str, text: str) -> str:
        known = {_canonical(name): name for name in _KNOWN[quantity]}
        if quantity == "dipole":
            known |= {_canonical("e*A"): "eA", _canonical("e*bohr"): "au"}
        unit = known.get(_canonical(text))
        if unit is None:
            names = ", ".join(_KNOWN[quantity])
            raise HelioError(
                f"{self.path} names the unit {excerpt(text)} of {what}, which is none of {names}: "
                f"give the right one with {_OPTIONS[quantity]}, or convert the file"
            )
        return unit


def database_units(path: Path, metadata: Any) -> DatabaseUnits:
    """The units in the metadata of a database; none where it has none.

    Raises:
        HelioError: metadata of another form.
    """
    metadata = metadata if isinstance(metadata, Mapping) else {}
    length, properties = metadata.get(DISTANCE), metadata.get(PROPERTIES)
    properties = {} if properties is None else properties
    if not isinstance(length, str | None) or not isinstance(properties, Mapping):
        raise HelioError(f"{path} is damaged: {DISTANCE} or {PROPERTIES} in its metadata name no units")
    return DatabaseUnits(path, length, {str(key): str(unit) for key, unit in properties.items()})


def _canonical(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Factors and divisors of a unit in the order of the alphabet: `eV/Ang/Ang/Ang` and `eV/A^3` are the same."""
    text = text.replace("**", "^").replace(" ", "")
    if re.fullmatch(rf"{_FACTOR}([*/]{_FACTOR})*", text) is None:
        return (text,), ()
    sides: tuple[list[str], list[str]] = ([], [])
    for sign, name, power in re.findall(r"(^|[*/])([A-Za-z0]+)(?:\^(\d))?", text):
        sides[sign == "/"].extend([_BARE.get(name, name)] * int(power or 1))
    return tuple(sorted(sides[0])), tuple(sorted(sides[1]))
