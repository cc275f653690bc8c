"""The kinds of labels, and how they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from helio.datasets.units import Units
from helio.errors import HelioError


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
