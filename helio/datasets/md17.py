"""MD17, rMD17, MD22 and other .npz files of one molecule (Chmiela et al., Sci. Adv. 3, e1603015 (2017) and others).

| array | names |
|---|---|
| elements (N,) or (M, N) | z, nuclear_charges, atomic_numbers, numbers |
| positions (M, N, 3) | R, coords, positions |
| energies (M,) or (M, 1) | E, energies, or a name of `helio.datasets.labels` |
| forces (M, N, 3) | F, or likewise |
| dipole, charges, Hirshfeld ratios and others | names of `helio.datasets.labels`; dipoles, D |
| charge and spin, of all or of each | names of `helio.electrons` |
| units of lengths and energies, level of theory | r_unit, e_unit, theory |

Units are A and kcal/mol unless the file or the user says otherwise. Arrays are read in blocks of structures.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from helio.datasets.choices import ReadingChoices
from helio.datasets.electrons import electrons_in
from helio.datasets.labels import LABELS, VIRIAL, converted, key_names
from helio.datasets.structure import LabelledStructure
from helio.datasets.units import Units
from helio.electrons import KEYS as ELECTRON_KEYS
from helio.errors import HelioError
from helio.files.npz import NpzFile, open_npz

_NUMBERS = ("atomic_numbers", "nuclear_charges", "numbers", "z")
_POSITIONS = ("positions", "coords", "R")
# Names of this layout besides those of `LABELS`.
_MORE = {"energy": ("energies", "E"), "forces": ("F",), "dipole": ("dipoles", "D")}
_NOT_HERE = ("energies",)  # in other layouts those of atoms
_SETTINGS = ("r_unit", "e_unit", "theory")
_UNIT_NAMES = {
    "length": {"Ang": "A", "A": "A", "bohr": "bohr", "au": "bohr"},
    "energy": {"kcal/mol": "kcal/mol", "eV": "eV", "Ha": "hartree", "hartree": "hartree", "au": "hartree"},
}
_AT_ONCE = 256  # structures


def recognizes(path: Path) -> bool:
    """Whether the file has this layout."""
    if path.suffix.lower() != ".npz":
        return False
    if not zipfile.is_zipfile(path):
        raise HelioError(f"{path} is cut off or no .npz file")
    with open_npz(path) as file:
        return _first(file, _NUMBERS) is not None and _first(file, _POSITIONS) is not None


def count(path: Path, choices: ReadingChoices) -> int:
    """How many structures the file holds."""
    with open_npz(path) as file:
        return _size(file, path)[0]


def read(path: Path, choices: ReadingChoices) -> Iterator[LabelledStructure]:
    """The structures, which are read some at a time."""
    with open_npz(path) as file:
        structures, atoms = _size(file, path)
        units = _declared(file, path).changed(choices.units)
        level = str(file["theory"]) if "theory" in file else None
        names = _label_names(file, choices)
        columns = {name: _rows(file, name, structures, path) for name in names.values()}
        places, elements = _array_of(file, _POSITIONS), _array_of(file, _NUMBERS)
        positions, numbers = _rows(file, places, structures, path), _rows(file, elements, structures, path)
        stated = {key: _rows(file, key, structures, path) for key in ELECTRON_KEYS if key in file}
        used = {*names.values(), *stated, *_SETTINGS, places, elements}
        unused = tuple(name for name in file if name not in {*used, *choices.left_out()})
        by_structure = [name for name in unused if file.headers[name].shape == (structures,)]
        others = {name: _rows(file, name, structures, path) for name in by_structure}
        for number in range(structures):
            row = {name: next(column) for name, column in columns.items()}
            z = np.asarray(next(numbers), np.int64).ravel()
            where = f"structure {number} of {path}"
            electrons = electrons_in(z, {key: next(values) for key, values in stated.items()}, choices.charge)
            labels = converted(
                {label: (name, row[name]) for label, name in names.items()},
                atoms=atoms,
                units=units,
                where=where,
                voigt_order=choices.voigt_order,
            )
            yield LabelledStructure(
                z,
                np.asarray(next(positions), np.float64) * units.to_angstrom,
                labels.values,
                charge=electrons.charge,
                unpaired_electrons=electrons.unpaired_electrons,
                level=level,
                number=number,
                units=units,
                found_as=labels.found_as,
                not_finite=labels.not_finite,
                unused=unused,
                attributes={name: next(values) for name, values in others.items()},
                problem=electrons.problem or labels.problem,
            )


def _first(file: NpzFile, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if name in file), None)


def _array_of(file: NpzFile, names: tuple[str, ...]) -> str:
    return next(name for name in names if name in file)


def _size(file: NpzFile, path: Path) -> tuple[int, int]:
    """Numbers of structures and of atoms; `HelioError` where elements and positions do not fit."""
    elements, places = _first(file, _NUMBERS), _first(file, _POSITIONS)
    if elements is None or places is None:
        kind, names = ("positions", _POSITIONS) if places is None else ("numbers", _NUMBERS)
        raise HelioError(f"{path} has no array of {kind} (looked for {', '.join(names)})")
    shape, given = file.headers[places].shape, file.headers[elements].shape
    whole = (1, *shape) if len(shape) == 2 else shape
    if len(whole) != 3 or whole[2] != 3 or given not in (whole[1:2], whole[:2]):
        raise HelioError(f"{path}: positions of shape {shape} do not fit elements of shape {given}")
    return whole[0], whole[1]


def _label_names(file: NpzFile, choices: ReadingChoices) -> dict[str, str]:
    """The name of each label that the file has."""
    names = {}
    for label in (*LABELS, VIRIAL):
        keys = (*key_names(label), *_MORE.get(label, ()))
        if label == "atomic_energies":
            keys = tuple(key for key in keys if key not in _NOT_HERE)
        name = _first(file, (choices.keys[label],) if label in choices.keys else keys)
        if name is not None:
            names[label] = name
    return names


def _rows(file: NpzFile, name: str, structures: int, path: Path) -> Iterator[Any]:
    """The values of an array for one structure after another; a value for all is repeated."""
    shape = file.headers[name].shape
    if name in (*_POSITIONS, *_NUMBERS) and len(shape) == (2 if name in _POSITIONS else 1):
        shared = True
    else:
        shared = name in ELECTRON_KEYS and shape in ((), (1,))
    if shared:
        value = file[name]
        return (value for _ in range(structures))
    if shape[:1] != (structures,):
        raise HelioError(f"{path} holds {structures} structures, but {name} has shape {shape}")
    return (row for block in file.rows(name, _AT_ONCE) for row in block)


def _declared(file: NpzFile, path: Path) -> Units:
    """The units that the file names, else those of MD17."""
    named: dict[str, str] = {}
    for quantity, key in (("length", "r_unit"), ("energy", "e_unit")):
        if key not in file:
            continue
        unit = str(file[key])
        if unit not in _UNIT_NAMES[quantity]:
            raise HelioError(f"{path} names the unit {unit!r} of {quantity}, which is not known; give it as an option")
        named[quantity] = _UNIT_NAMES[quantity][unit]
    units = Units(energy="kcal/mol", origin="as MD17 has them").changed(named)
    return replace(units, chosen=(), origin="named in the file" if "energy" in named else units.origin)
