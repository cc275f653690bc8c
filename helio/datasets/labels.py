"""The kinds of labels, the names that files have for them, and how their values are read.

| label | names, alone or after REF_, ref_, DFT_ or dft_ |
|---|---|
| energy | energy, total_energy, free_energy |
| forces | forces, force |
| stress | stress; or virial, virials: stress = -virial / volume |
| dipole | dipole, dipole_vec, dipole_vector, dipole_moment |
| charges | charges, partial_charges, hirshfeld_charges |
| hirshfeld_ratios | hirshfeld_ratios, hirsh_ratios |
| atomic_energies | atomic_energies, node_energy, energies |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from helio.datasets.units import Units
from helio.errors import HelioError

# Marked references count before plain names, which may be another calculator's.
MARKS = ("REF_", "ref_", "dft_", "DFT_", "")
# Of six components; the order of ASE. Files of VASP have xx,yy,zz,xy,yz,zx and of LAMMPS xx,yy,zz,xy,xz,yz.
VOIGT_ORDER = "xx,yy,zz,yz,xz,xy"
VIRIAL = "virial"
VIRIAL_KEYS = ("virial", "virials")
_UPPER = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
_AXES = {"x": 0, "y": 1, "z": 2}
# Largest difference of mirrored components, of the largest component: beyond, a tensor is no stress.
_ASYMMETRY = 0.02


@dataclass(frozen=True)
class LabelKind:
    """A kind of label: its unit inside Helio, whether each atom has one, the shape of one, its names in files."""

    unit: str
    per_atom: bool
    shape: tuple[int, ...] = ()
    keys: tuple[str, ...] = ()

    def full_shape(self, atoms: int) -> tuple[int, ...]:
        """The shape of the label of a structure of so many atoms."""
        return (atoms, *self.shape) if self.per_atom else self.shape


LABELS: dict[str, LabelKind] = {
    "energy": LabelKind("eV", per_atom=False, keys=("energy", "total_energy", "free_energy")),
    "forces": LabelKind("eV/A", per_atom=True, shape=(3,), keys=("forces", "force")),
    "stress": LabelKind("eV/A^3", per_atom=False, shape=(3, 3), keys=("stress",)),
    "dipole": LabelKind(
        "e A", per_atom=False, shape=(3,), keys=("dipole", "dipole_vec", "dipole_vector", "dipole_moment")
    ),
    "charges": LabelKind("e", per_atom=True, keys=("charges", "partial_charges", "hirshfeld_charges")),
    "hirshfeld_ratios": LabelKind("", per_atom=True, keys=("hirshfeld_ratios", "hirsh_ratios")),
    "atomic_energies": LabelKind("eV", per_atom=True, keys=("atomic_energies", "node_energy", "energies")),
}


@dataclass(frozen=True)
class FoundLabels:
    """Labels of one structure in eV, A and e, the names they stood under, and those that are not finite numbers."""

    values: Mapping[str, np.ndarray]
    found_as: Mapping[str, str]
    not_finite: tuple[str, ...] = ()
    problem: str | None = None  # why the structure must not be used


def key_names(label: str) -> tuple[str, ...]:
    """All names of a label (or of the virial) in the order in which they count."""
    keys = VIRIAL_KEYS if label == VIRIAL else LABELS[label].keys
    return tuple(mark + key for mark in MARKS for key in keys)


def converted(
    raw: Mapping[str, tuple[str, Any]],
    *,
    atoms: int,
    units: Units,
    where: str,
    volume: float | None = None,
    voigt_order: str = VOIGT_ORDER,
) -> FoundLabels:
    """Labels as float64 arrays of the right shape.

    A label that is not finite is left out: sets write NaN where there is none. Stress and virial have three rows, nine
    numbers or six in `voigt_order`; a tensor that is not symmetric is a problem of the structure, and so are a stress
    and a virial that differ. A virial of a structure that is not periodic in three directions is left out.

    Args:
        raw: name in the file and value, by label or `virial`.
        atoms: how many the structure has.
        units: of the file.
        where: names the structure in errors.
        volume: of the cell in A^3; None where the structure is not periodic in three directions.
        voigt_order: of six components.

    Raises:
        HelioError: a label that is not made of numbers or has another shape.
    """
    values, found_as, not_finite = {}, {}, []
    problem = None
    for label, (key, given) in raw.items():
        tensor = label in ("stress", VIRIAL)
        shape = (3, 3) if tensor else LABELS[label].full_shape(atoms)
        value = _numbers(given, key, where)
        if tensor and value.size == 6:
            value = from_voigt(value.ravel(), voigt_order)
        if value.size != int(np.prod(shape)):
            raise HelioError(f"{key} of {where} has shape {value.shape} where {shape} is expected")
        value = value.reshape(shape)
        if not np.isfinite(value).all():
            not_finite.append(label)
            continue
        if tensor:
            if np.abs(value - value.T).max() > _ASYMMETRY * np.abs(value).max():
                problem = f"a {label} that is not symmetric"
            value = (value + value.T) / 2
        values[label], found_as[label] = value * units.factor(label), key
    virial = values.pop(VIRIAL, None)
    key = found_as.pop(VIRIAL, None)
    if virial is not None and key is not None and volume is not None:
        stress = -virial / volume
        if "stress" not in values:
            values["stress"], found_as["stress"] = stress, key
        elif np.abs(stress - values["stress"]).max() > _ASYMMETRY * np.abs(stress).max():
            problem = "a stress that is not minus the virial over the volume"
    return FoundLabels(values, found_as, tuple(not_finite), problem)


def from_voigt(components: np.ndarray, order: str = VOIGT_ORDER) -> np.ndarray:
    """The symmetric tensor (3, 3) of six components; `HelioError` where `order` does not name each of them once."""
    places = voigt_places(order)
    tensor = np.empty((3, 3))
    for (row, column), value in zip(places, components, strict=True):
        tensor[row, column] = tensor[column, row] = value
    return tensor


def voigt_places(order: str) -> list[tuple[int, int]]:
    """Rows and columns of six components, such as xx,yy,zz,yz,xz,xy; `HelioError` where one is missing or unknown."""
    names = [name.strip().lower() for name in order.split(",")]
    places = [(_AXES.get(name[:1], 3), _AXES.get(name[1:], 3)) for name in names]
    if {tuple(sorted(place)) for place in places} != {(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)} or len(
        names
    ) != 6:
        raise HelioError(f"the order of stress components must name each of {VOIGT_ORDER} once, not {order!r}")
    return places


def _numbers(given: Any, key: str, where: str) -> np.ndarray:
    try:
        return np.asarray(given, np.float64)
    except (TypeError, ValueError):
        raise HelioError(f"{key} of {where} is not made of numbers: {str(given)[:80]!r}") from None
