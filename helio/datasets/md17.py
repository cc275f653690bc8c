"""MD17, rMD17, MD22 and other .npz files of one molecule (Chmiela et al., Sci. Adv. 3, e1603015 (2017) and others).

| array | names |
|---|---|
| elements (N,) or (M, N) | z, nuclear_charges, atomic_numbers, numbers |
| positions (M, N, 3) | R, coords, positions |
| energies (M,) or (M, 1) | E, energies, energy |
| forces (M, N, 3) | F, forces |
| charge, unpaired electrons, dipole, Hirshfeld ratios | charge or total_charge, num_unpaired_electrons, dipole, hirshfeld_ratios |
| units of lengths and energies, level of theory | r_unit, e_unit, theory |

Units are A and kcal/mol unless the file or the user says otherwise.
"""  # noqa: E501

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from helio.datasets.choices import ImportChoices
from helio.datasets.labels import labelled
from helio.datasets.structure import LabelledStructure
from helio.datasets.units import Units
from helio.errors import HelioError

_NAMES: dict[str, tuple[str, ...]] = {
    "numbers": ("atomic_numbers", "nuclear_charges", "numbers", "z"),
    "positions": ("positions", "coords", "R"),
    "charge": ("total_charge", "charge"),
    "unpaired_electrons": ("num_unpaired_electrons", "unpaired_electrons"),
    "energy": ("energy", "energies", "E"),
    "forces": ("forces", "F"),
    "stress": ("stress",),
    "dipole": ("dipole", "dipoles", "dipole_vec", "D"),
    "charges": ("charges",),
    "hirshfeld_ratios": ("hirshfeld_ratios",),
}
_UNIT_NAMES = {
    "length": {"Ang": "A", "A": "A", "bohr": "bohr", "au": "bohr"},
    "energy": {"kcal/mol": "kcal/mol", "eV": "eV", "Ha": "hartree", "hartree": "hartree", "au": "hartree"},
}


def recognises(path: Path) -> bool:
    """Whether the file has this layout."""
    if path.suffix.lower() != ".npz":
        return False
    if not zipfile.is_zipfile(path):
        raise HelioError(f"{path} is cut off or no .npz file")
    with np.load(path, allow_pickle=False) as arrays:
        return all(any(key in arrays for key in _NAMES[name]) for name in ("numbers", "positions"))


def read(path: Path, choices: ImportChoices) -> Iterator[LabelledStructure]:
    """The structures; the arrays are read as a whole."""
    if not zipfile.is_zipfile(path):
        raise HelioError(f"{path} is cut off or no .npz file")
    with np.load(path, allow_pickle=False) as file:
        names = {label: (choices.keys[label],) if label in choices.keys else keys for label, keys in _NAMES.items()}
        arrays = {label: _array(file, keys, path) for label, keys in names.items()}
        units = _declared(file, path).changed(choices.units)
        level = str(_array(file, ("theory",), path)) if "theory" in file else None
    numbers, positions = arrays.pop("numbers"), arrays.pop("positions")
    if numbers is None or positions is None:
        raise HelioError(f"{path} lacks elements or positions (looked for {', '.join(_NAMES['positions'])})")
    if positions.ndim == 2:
        positions = positions[None]
    if positions.ndim != 3 or numbers.shape[-1:] != positions.shape[1:2]:
        raise HelioError(f"{path}: positions of shape {positions.shape} do not fit elements of shape {numbers.shape}")
    count, atoms = positions.shape[:2]
    numbers = np.broadcast_to(numbers, (count, atoms))
    given = {label: _rows(label, values, count, path) for label, values in arrays.items() if values is not None}
    charges, spins = given.pop("charge", None), given.pop("unpaired_electrons", None)
    for row in range(count):
        own = {label: values[row] for label, values in given.items()}
        yield LabelledStructure(
            numbers[row].astype(np.int64),
            np.asarray(positions[row], np.float64) * units.to_angstrom,
            labelled(own, atoms=atoms, units=units, where=f"structure {row} of {path}"),
            charge=None if charges is None else float(charges[row]),
            unpaired_electrons=None if spins is None else float(spins[row]),
            level=level,
            number=row,
            units=units,
        )


def _rows(label: str, values: np.ndarray, count: int, path: Path) -> np.ndarray:
    if label in ("charge", "unpaired_electrons"):
        return np.broadcast_to(values.ravel(), (count,)) if values.size == 1 else values.reshape(count)
    if values.shape[:1] != (count,):
        raise HelioError(f"{path} holds {count} structures, but {label} has shape {values.shape}")
    return values


def _declared(file: np.lib.npyio.NpzFile, path: Path) -> Units:
    """The units that the file names, else those of MD17."""
    named: dict[str, str | None] = {}
    for quantity, key in (("length", "r_unit"), ("energy", "e_unit")):
        value = _array(file, (key,), path)
        if value is None:
            continue
        unit = str(value)
        if unit not in _UNIT_NAMES[quantity]:
            raise HelioError(f"{path} names the unit {unit!r} of {quantity}, which is not known; give it as an option")
        named[quantity] = _UNIT_NAMES[quantity][unit]
    return Units(energy="kcal/mol").changed(named)


def _array(file: np.lib.npyio.NpzFile, keys: tuple[str, ...], path: Path) -> np.ndarray | None:
    key = next((key for key in keys if key in file), None)
    if key is None:
        return None
    try:
        return file[key]
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise HelioError(f"the array {key} of {path} cannot be read ({error})") from error
