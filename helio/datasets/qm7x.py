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

from helio.datasets.choices import ReadingChoices
from helio.datasets.hdf5 import array, groups_with, holds, needed, opened, unused_names
from helio.datasets.labels import converted
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


def recognizes(path: Path) -> bool:
    """Whether the file has this layout."""
    return holds(path, ("atXYZ", "atNUM"))


def count(path: Path, choices: ReadingChoices) -> int:
    """How many structures the file holds."""
    with opened(path) as file:
        return sum(1 for _ in groups_with(file, ("atXYZ", "atNUM")))


def read(path: Path, choices: ReadingChoices) -> Iterator[LabelledStructure]:
    """The structures of all molecules, which are neutral singlets."""
    units, names = Units(origin="as QM7-X has them").changed(choices.units), _NAMES | dict(choices.keys)
    with opened(path) as file:
        for number, group in enumerate(groups_with(file, ("atXYZ", "atNUM"))):
            numbers, positions = np.ravel(needed(group, "atNUM")), np.asarray(needed(group, "atXYZ"), np.float64)
            if positions.shape != (len(numbers), 3):
                raise HelioError(f"{group.name}: positions of shape {positions.shape} do not fit {len(numbers)} atoms")
            labels = converted(
                {label: (name, value) for label, name in names.items() if (value := array(group, name)) is not None},
                atoms=len(numbers),
                units=units,
                where=f"{group.name}",
                voigt_order=choices.voigt_order,
            )
            yield LabelledStructure(
                numbers.astype(np.int64),
                positions * units.to_angstrom,
                labels.values,
                charge=0.0,
                unpaired_electrons=float(numbers.sum() % 2),
                level=_LEVEL,
                number=number,
                units=units,
                found_as=labels.found_as,
                not_finite=labels.not_finite,
                unused=unused_names(group, (*names.values(), "atNUM", "atXYZ")),
                attributes={"molecule": str(group.name).rsplit("/", 1)[0]},
                problem=labels.problem,
            )
