"""ANI-1, ANI-1x, ANI-1ccx and COMP6: groups, however deep, of all structures of one formula or molecule.

| data set | meaning | unit |
|---|---|---|
| coordinates (M, N, 3) | positions | A |
| species (N,) or atomic_numbers (N,) | elements | |
| energies (M,), forces (M, N, 3), hirshfeld (M, N or N + 1) | labels of ANI-1 and COMP6; the last charge is their sum | hartree, hartree/A, e |
| METHOD.energy, .forces, .dipole, .hirshfeld_charges | labels of ANI-1x for several methods; NaN where there is none | hartree, hartree/A, e A, e |

(Smith et al., Sci. Data 4, 170193 (2017) and 7, 134 (2020); J. Chem. Phys. 148, 241733 (2018).) Molecules are neutral
and closed shell.
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
from ase.data import atomic_numbers as numbers_of

from helio.datasets.choices import ReadingChoices
from helio.datasets.hdf5 import array, groups_with, holds, length, needed, opened, texts, unused_names
from helio.datasets.labels import converted
from helio.datasets.structure import LabelledStructure
from helio.datasets.units import Units
from helio.errors import HelioError

_UNITS = Units(energy="hartree", forces="hartree/A", origin="as ANI has them")
_STRUCTURAL = ("coordinates", "species", "atomic_numbers", "lot")
_METHOD = "wb97x_dz"
_LEVELS = {"wb97x_dz": "wB97X/6-31G(d)", "wb97x_tz": "wB97X/def2-TZVPP", "ccsd(t)_cbs": "CCSD(T)*/CBS"}


def recognizes(path: Path) -> bool:
    """Whether the file has this layout."""
    return any(holds(path, ("coordinates", elements)) for elements in ("species", "atomic_numbers"))


def count(path: Path, choices: ReadingChoices) -> int:
    """How many structures the file holds."""
    with opened(path) as file:
        return sum(length(group, "coordinates") for group in groups_with(file, ("coordinates",)))


def read(path: Path, choices: ReadingChoices) -> Iterator[LabelledStructure]:
    """The structures of all groups."""
    units = _UNITS.changed(choices.units)
    number, method = 0, choices.method or _METHOD
    with opened(path) as file:
        for group in groups_with(file, ("coordinates",)):
            for structure in _group(group, choices, units, method, number):
                yield structure
                number += 1


def _group(
    group: h5py.Group, choices: ReadingChoices, units: Units, method: str, first: int
) -> Iterator[LabelledStructure]:
    numbers, where = _elements(group), f"{group.name}"
    positions = np.asarray(needed(group, "coordinates"), np.float64) * units.to_angstrom
    if positions.ndim != 3 or positions.shape[1] != len(numbers):
        raise HelioError(f"{where}: positions of shape {positions.shape} do not fit {len(numbers)} atoms")
    names, level = _names(group, method)
    names |= dict(choices.keys)
    values = {label: value for label, name in names.items() if (value := array(group, name)) is not None}
    if "charges" in values:
        values["charges"] = values["charges"].reshape(len(positions), -1)[:, : len(numbers)]
    unused = unused_names(group, (*names.values(), *_STRUCTURAL))
    for row, place in enumerate(positions):
        labels = converted(
            {label: (names[label], value[row]) for label, value in values.items()},
            atoms=len(numbers),
            units=units,
            where=f"structure {row} of {where}",
            voigt_order=choices.voigt_order,
        )
        yield LabelledStructure(
            numbers,
            place,
            labels.values,
            charge=0.0,
            level=level,
            number=first + row,
            units=units,
            found_as=labels.found_as,
            not_finite=labels.not_finite,
            unused=unused,
            attributes={"molecule": where},
            problem=labels.problem,
        )


def _names(group: h5py.Group, method: str) -> tuple[dict[str, str], str | None]:
    """The names of the labels, and the level of theory."""
    methods = sorted(name.rsplit(".", 1)[0] for name in map(str, group) if name.endswith(".energy"))
    if not methods:
        level = texts(lot)[0] if (lot := array(group, "lot")) is not None else None
        return {"energy": "energies", "forces": "forces", "charges": "hirshfeld"}, level
    if method not in methods:
        raise HelioError(f"{group.name} has no energies of {method}; choose --method among {', '.join(methods)}")
    names = {name: f"{method}.{name}" for name in ("energy", "forces", "dipole")}
    return names | {"charges": f"{method}.hirshfeld_charges"}, _LEVELS.get(method, method)


def _elements(group: h5py.Group) -> np.ndarray:
    own = array(group, "atomic_numbers")
    if own is not None:
        return np.ravel(own).astype(np.int64)
    species = array(group, "species")
    if species is None:
        raise HelioError(f"{group.name} names no elements: it has neither species nor atomic_numbers")
    symbols = texts(species)
    unknown = sorted({symbol for symbol in symbols if symbol not in numbers_of})
    if unknown:
        raise HelioError(f"{group.name} has elements of no name that is known: {', '.join(unknown)}")
    return np.array([numbers_of[symbol] for symbol in symbols])
