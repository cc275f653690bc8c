"""QM7-X (Hoja et al., Sci. Data 8, 43 (2021)): a group per molecule, in it a group per structure.

| data set | meaning | unit |
|---|---|---|
| atNUM (N,), atXYZ (N, 3) | elements, positions | A |
| ePBE0+MBD (1,), totFOR (N, 3) | total energy and forces | eV, eV/A |
| vDIP (3,) | dipole | e A |
| hCHG (N, 1), hRAT (N, 1) | Hirshfeld charges and ratios | e |
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from helio.datasets.choices import ImportChoices
from helio.datasets.hdf5 import array, groups_with, holds, needed, opened
from helio.datasets.labels import labelled
from helio.datasets.structure import LabelledStructure
from helio.datasets.units import Units
from helio.errors import HelioError

_NAMES = {
    "energy": "ePBE0+MBD",
    "forces": "totFOR",
    "dipole": "vDIP",
    "charges": "hCHG",
    "hirshfeld_ratios": "hRAT",
}
_LEVEL = "PBE0+MBD"


def recognises(path: Path) -> bool:
    """Whether the file has this layout."""
    return holds(path, ("atXYZ", "atNUM"))


def read(path: Path, choices: ImportChoices) -> Iterator[LabelledStructure]:
    """The structures of all molecules, which are neutral singlets."""
    units, names = Units().changed(choices.units), _NAMES | dict(choices.keys)
    with opened(path) as file:
        for number, group in enumerate(groups_with(file, ("atXYZ", "atNUM"))):
            numbers, positions = np.ravel(needed(group, "atNUM")), np.asarray(needed(group, "atXYZ"), np.float64)
            if positions.shape != (len(numbers), 3):
                raise HelioError(f"{group.name}: positions of shape {positions.shape} do not fit {len(numbers)} atoms")
            values = {label: array(group, name) for label, name in names.items()}
            yield LabelledStructure(
                numbers.astype(np.int64),
                positions * units.to_angstrom,
                labelled(values, atoms=len(numbers), units=units, where=f"{group.name}"),
                charge=0.0,
                unpaired_electrons=float(numbers.sum() % 2),
                level=_LEVEL,
                number=number,
                units=units,
            )
