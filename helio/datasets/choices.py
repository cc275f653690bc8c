"""Choices of a user about the reading of a set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from helio.datasets.labels import LABELS, VIRIAL, VOIGT_ORDER, key_names, voigt_places
from helio.errors import HelioError


@dataclass(frozen=True)
class ReadingChoices:
    """Answers to what a file does not say, or says wrongly."""

    # Names of quantities and their units, instead of those of the layout: length, energy, forces, dipole, stress.
    units: Mapping[str, str | None] = field(default_factory=dict)
    # Label (or virial) -> its one name in the file; "" leaves it out.
    keys: Mapping[str, str] = field(default_factory=dict)
    method: str | None = None  # which of several levels of theory in a file
    gradients: bool = False  # whether what stands for forces are gradients of the energy
    charge: float | None = None  # e, of structures whose file does not tell
    voigt_order: str = VOIGT_ORDER  # of the six components of a stress

    def __post_init__(self) -> None:
        """Check the names of labels, the charge and the order of components."""
        for name in self.keys:
            if name not in LABELS and name != VIRIAL:
                raise HelioError(f"unknown label {name!r}; choose among {', '.join([*LABELS, VIRIAL])}")
        if self.charge is not None and not float(self.charge).is_integer():
            raise HelioError(f"the charge must be a whole number of e, not {self.charge:g}")
        voigt_places(self.voigt_order)

    def left_out(self) -> set[str]:
        """The usual names of the labels that are left out by choice."""
        return {name for label, key in self.keys.items() if not key for name in key_names(label)}

    @property
    def chosen_units(self) -> dict[str, str]:
        """The units that were chosen."""
        return {name: unit for name, unit in self.units.items() if unit is not None}
