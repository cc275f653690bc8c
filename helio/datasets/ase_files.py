"""Any file that ASE reads; labels stand in `info`, `arrays`, the calculator's results or, in a .db, the rows' data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from helio.datasets.choices import ImportChoices
from helio.datasets.labels import labelled
from helio.datasets.structure import LabelledStructure
from helio.datasets.units import Units
from helio.errors import HelioError
from helio.files.ase_formats import each_structure
from helio.files.hdf5 import is_hdf5

if TYPE_CHECKING:
    from ase import Atoms

# The first name that is there counts: marked references before plain names.
_MARKS = ("REF_", "ref_", "dft_", "DFT_", "")
_KEYS: dict[str, tuple[str, ...]] = {
    "energy": ("energy", "total_energy", "free_energy"),
    "forces": ("forces", "force"),
    "stress": ("stress",),
    "dipole": ("dipole", "dipole_vec", "dipole_vector", "dipole_moment"),
    "charges": ("charges", "partial_charges", "hirshfeld_charges"),
    "hirshfeld_ratios": ("hirshfeld_ratios", "hirsh_ratios"),
    "atomic_energies": ("atomic_energies", "node_energy", "energies"),
}
_CHARGE = ("charge", "total_charge")
_SPIN = ("spin", "unpaired_electrons", "num_unpaired_electrons")
_LEVEL = ("level", "theory_level", "level_of_theory")


def recognises(path: Path) -> bool:
    """Whether ASE may know the format: everything but HDF5 and .npz."""
    return not is_hdf5(path) and path.suffix.lower() != ".npz"


def read(path: Path, choices: ImportChoices) -> Iterator[LabelledStructure]:
    """The structures, one after another."""
    units = Units().changed(choices.units)
    frames = _rows(path) if path.suffix == ".db" else _frames(path)
    for number, (atoms, places) in enumerate(frames):
        where = f"structure {number} of {path}"
        values = {}
        for label, names in _KEYS.items():
            keys = tuple(mark + name for mark in _MARKS for name in names)
            values[label] = _find(places, (choices.keys[label],) if label in choices.keys else keys)
        level = _find(places, _LEVEL)
        yield LabelledStructure(
            np.asarray(atoms.numbers, np.int64),
            np.asarray(atoms.positions, np.float64) * units.to_angstrom,
            labelled(values, atoms=len(atoms), units=units, where=where),
            cell=np.asarray(atoms.cell.array, np.float64) * units.to_angstrom * np.asarray(atoms.pbc)[:, None],
            pbc=(bool(atoms.pbc[0]), bool(atoms.pbc[1]), bool(atoms.pbc[2])),
            charge=_number(places, _CHARGE, where),
            unpaired_electrons=_number(places, _SPIN, where),
            level=None if level is None else str(level),
            number=number,
            units=units,
        )


def _frames(path: Path) -> Iterator[tuple[Atoms, list[Mapping[str, Any]]]]:
    for atoms in each_structure(path):
        yield atoms, [atoms.info, atoms.arrays, getattr(atoms.calc, "results", {})]


def _rows(path: Path) -> Iterator[tuple[Atoms, list[Mapping[str, Any]]]]:
    """Rows of an ASE database, in the order of their numbers."""
    import sqlite3

    import ase.db

    try:
        for row in ase.db.connect(path, type="db").select():
            atoms = row.toatoms()
            results = getattr(atoms.calc, "results", {})
            yield atoms, [row.data, row.key_value_pairs, results, {"charge": row.get("charge")}]
    except (sqlite3.Error, ValueError, KeyError) as error:
        raise HelioError(f"{path} is damaged or no database of ASE ({error})") from error


def _find(places: list[Mapping[str, Any]], names: tuple[str, ...]) -> Any:
    for name in names:
        for place in places:
            if place.get(name) is not None:
                return place[name]
    return None


def _number(places: list[Mapping[str, Any]], names: tuple[str, ...], where: str) -> float | None:
    value = _find(places, names)
    if value is None:
        return None
    try:
        return float(np.asarray(value, np.float64).item())
    except (TypeError, ValueError):
        raise HelioError(f"{names[0]} of {where} must be one number, not {value!r}") from None
