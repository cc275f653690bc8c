"""Reference values of one structure, wherever its file keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from helio.errors import HelioError
from helio.units import DIPOLE_UNITS, ENERGY_UNITS, FORCE_UNITS

if TYPE_CHECKING:
    from ase import Atoms

PROPERTIES = ("energy", "forces", "dipole", "hirshfeld_ratios")

# Under which names files keep a property; the first that is there counts, marked references before plain names.
COMMON_KEYS: dict[str, tuple[str, ...]] = {
    "energy": ("REF_energy", "ref_energy", "dft_energy", "DFT_energy", "energy", "total_energy", "free_energy"),
    "forces": ("REF_forces", "ref_forces", "dft_forces", "DFT_forces", "forces", "force"),
    "dipole": ("REF_dipole", "ref_dipole", "dft_dipole", "DFT_dipole", "dipole", "dipole_vec", "dipole_vector"),
    "hirshfeld_ratios": ("REF_hirshfeld_ratios", "ref_hirshfeld_ratios", "hirshfeld_ratios", "hirsh_ratios"),
}


@dataclass(frozen=True)
class LabelOptions:
    """Where labels stand and their units.

    `keys` maps a property to the one name it has in the file, instead of `COMMON_KEYS`. The force unit is None for
    the energy unit per A.
    """

    keys: Mapping[str, str] = field(default_factory=dict)
    energy_unit: str = "eV"
    force_unit: str | None = None
    dipole_unit: str = "eA"

    def __post_init__(self) -> None:
        """Check the names of properties and units."""
        for name in self.keys:
            _choose(name, dict.fromkeys(PROPERTIES, 1.0), "property")
        for name in PROPERTIES:
            self.factor(name)

    def factor(self, name: str) -> float:
        """What a label of property `name` is multiplied with to be in eV, A and e."""
        if name == "energy":
            return _choose(self.energy_unit, ENERGY_UNITS, "energy unit")
        if name == "forces":
            return _choose(self.force_unit or f"{self.energy_unit}/A", FORCE_UNITS, "force unit")
        if name == "dipole":
            return _choose(self.dipole_unit, DIPOLE_UNITS, "dipole unit")
        return 1.0


@dataclass(frozen=True)
class Labels:
    """Reference values of a structure of N atoms, as far as it has them, and the names they were found under."""

    energy: float | None = None  # eV
    forces: np.ndarray | None = None  # (N, 3), eV/A
    dipole: np.ndarray | None = None  # (3,), e A
    hirshfeld_ratios: np.ndarray | None = None  # (N,)
    found_as: Mapping[str, str] = field(default_factory=dict)
    not_finite: tuple[str, ...] = ()  # properties whose label is NaN or infinite, which counts as no label


def read_labels(atoms: Atoms, options: LabelOptions | None = None) -> Labels:
    """The labels of `atoms`, looked up in `info`, `arrays` and the results of its calculator.

    Raises `HelioError` for a label of the wrong shape.
    """
    options = options or LabelOptions()
    count = len(atoms)
    shapes = {"energy": (), "forces": (count, 3), "dipole": (3,), "hirshfeld_ratios": (count,)}
    values: dict[str, Any] = {}
    found_as: dict[str, str] = {}
    not_finite = []
    for name in PROPERTIES:
        names = (options.keys[name],) if name in options.keys else COMMON_KEYS[name]
        key, raw = _find(atoms, names)
        if key is None:
            continue
        value = _array(raw, shapes[name], key)
        if not np.isfinite(value).all():
            not_finite.append(name)
            continue
        value = value * options.factor(name)
        values[name] = float(value) if name == "energy" else value
        found_as[name] = key
    return Labels(**values, found_as=found_as, not_finite=tuple(not_finite))


def _find(atoms: Atoms, names: tuple[str, ...]) -> tuple[str | None, Any]:
    # The calculator's results are read as they are: asking the calculator might start a calculation.
    results = getattr(atoms.calc, "results", {})
    for name in names:
        for place in (atoms.info, atoms.arrays, results):
            if place.get(name) is not None:
                return name, place[name]
    return None, None


def _array(raw: Any, shape: tuple[int, ...], key: str) -> np.ndarray:
    try:
        value = np.asarray(raw, np.float64)
    except (TypeError, ValueError):
        raise HelioError(f"the label {key} is not made of numbers: {raw!r}") from None
    if value.size != int(np.prod(shape)):
        raise HelioError(f"the label {key} has shape {value.shape} where {shape} is expected")
    return value.reshape(shape)


def _choose(name: str, units: Mapping[str, float], kind: str) -> float:
    if name not in units:
        raise HelioError(f"unknown {kind} {name!r}; choose among {', '.join(units)}")
    return units[name]
