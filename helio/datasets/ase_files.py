"""Any file that ASE reads; labels stand in `info`, `arrays`, the calculator's results or, in a .db, the rows' data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from helio.datasets.choices import ReadingChoices
from helio.datasets.database_units import DatabaseUnits, database_units
from helio.datasets.electrons import stated_electrons
from helio.datasets.labels import LABELS, VIRIAL, VOIGT_ORDER, converted, key_names
from helio.datasets.structure import LabelledStructure
from helio.datasets.units import Units
from helio.electrons import KEYS as ELECTRON_KEYS
from helio.errors import HelioError
from helio.files.ase_formats import structure_count
from helio.files.hdf5 import is_hdf5
from helio.files.structure_reading import each_atoms

if TYPE_CHECKING:
    from ase import Atoms

_LEVEL = ("level", "theory_level", "level_of_theory")
# What ASE keeps beside positions and numbers that says nothing about labels.
_STRUCTURAL = (
    "numbers", "positions", "masses", "momenta", "tags", "initial_charges", "initial_magmoms", "spacegroup",
    "unit_cell", "occupancy", "Lattice", "comment",
)  # fmt: skip
# A stress of nine numbers, which ASE turns into six in its own order.
_NINE = re.compile(rb'(?:^|\s)stress="\s*(?:[^\s"]+\s+){8}[^\s"]+\s*"')


def recognizes(path: Path) -> bool:
    """Whether ASE may know the format: everything but HDF5 and .npz."""
    return not is_hdf5(path) and path.suffix.lower() != ".npz"


def count(path: Path, choices: ReadingChoices) -> int | None:
    """How many structures the file holds; None where only reading tells."""
    if path.suffix in (".xyz", ".extxyz"):
        return structure_count(path)
    if path.suffix == ".db":
        import ase.db

        return ase.db.connect(path, type="db").count()
    return None


def read(path: Path, choices: ReadingChoices) -> Iterator[LabelledStructure]:
    """The structures, one after another."""
    order, stated = _voigt_order(path, choices), _stated_units(path)
    for number, atoms in enumerate(_atoms(path)):
        where = f"structure {number} of {path}"
        yield from_atoms(atoms, choices, number=number, where=where, voigt_order=order, stated=stated)


def from_atoms(
    atoms: Atoms,
    choices: ReadingChoices | None = None,
    *,
    number: int = 0,
    where: str = "the structure",
    voigt_order: str = VOIGT_ORDER,
    stated: DatabaseUnits | None = None,
) -> LabelledStructure:
    """The structure of `atoms` and the labels in their `info`, `arrays` and calculator's results.

    Args:
        atoms: nothing is calculated: results are taken as they are there.
        choices: units and names.
        number: of the structure in its file.
        where: names it in errors.
        voigt_order: of a stress of six components.
        stated: units that the file names, if any.

    Raises:
        HelioError: a label that is not made of numbers or has another shape, or a unit that is not known.
    """
    choices = choices or ReadingChoices()
    places: list[Mapping[str, Any]] = [atoms.info, atoms.arrays, getattr(atoms.calc, "results", {})]
    raw = {}
    for label in (*LABELS, VIRIAL):
        keys = (choices.keys[label],) if label in choices.keys else key_names(label)
        if (entry := _find(places, keys)) is not None:
            raw[label] = entry
    _one_tensor(raw)
    if stated is None:
        units = Units().changed(choices.units)
    else:
        units = stated.of({label: key for label, (key, _) in raw.items()}, choices.units)
    cell = np.asarray(atoms.cell.array, np.float64) * units.to_angstrom * np.asarray(atoms.pbc)[:, None]
    volume = abs(float(np.linalg.det(cell))) if atoms.pbc.all() else 0.0
    labels = converted(raw, atoms=len(atoms), units=units, where=where, volume=volume or None, voigt_order=voigt_order)
    level, electrons = _find(places, _LEVEL), stated_electrons(atoms, choices.charge)
    used = {
        *choices.left_out(),
        *labels.found_as.values(),
        *ELECTRON_KEYS,
        *_LEVEL,
        *_STRUCTURAL,
        *(raw[name][0] for name in labels.not_finite),
    }
    return LabelledStructure(
        np.asarray(atoms.numbers, np.int64),
        np.asarray(atoms.positions, np.float64) * units.to_angstrom,
        labels.values,
        cell=cell,
        pbc=(bool(atoms.pbc[0]), bool(atoms.pbc[1]), bool(atoms.pbc[2])),
        charge=electrons.charge,
        unpaired_electrons=electrons.unpaired_electrons,
        level=None if level is None else str(level[1]),
        number=number,
        units=units,
        found_as=labels.found_as,
        not_finite=labels.not_finite,
        unused=tuple(dict.fromkeys(key for place in places for key in place if key not in used)),
        attributes=dict(atoms.info),
        problem=electrons.problem or labels.problem,
    )


def _atoms(path: Path) -> Iterator[Atoms]:
    if path.suffix == ".db":
        yield from _rows(path)
    else:
        yield from each_atoms(path)


def _one_tensor(raw: dict[str, tuple[str, Any]]) -> None:
    """Leave out a plain stress beside a marked virial, or the other way round: the marked one is the reference."""
    if "stress" in raw and VIRIAL in raw:
        marked = {label: raw[label][0] not in ("stress", "virial", "virials") for label in ("stress", VIRIAL)}
        if marked["stress"] != marked[VIRIAL]:
            del raw[VIRIAL if marked["stress"] else "stress"]


def _find(places: list[Mapping[str, Any]], names: tuple[str, ...]) -> tuple[str, Any] | None:
    for name in names:
        for place in places:
            if place.get(name) is not None:
                return name, place[name]
    return None


def _voigt_order(path: Path, choices: ReadingChoices) -> str:
    """The chosen order; that of ASE where the file's stress has nine numbers, of which ASE leaves six."""
    if choices.voigt_order == VOIGT_ORDER or path.suffix not in (".xyz", ".extxyz"):
        return choices.voigt_order
    with path.open("rb") as file:
        file.readline(2**16)
        return VOIGT_ORDER if _NINE.search(file.readline(2**16)) else choices.voigt_order


def _stated_units(path: Path) -> DatabaseUnits | None:
    """The units in the metadata of a database; None of other files."""
    if path.suffix != ".db":
        return None
    import ase.db

    with _database_errors(path):
        metadata: Any = ase.db.connect(path, type="db").metadata
    return database_units(path, metadata)


def _rows(path: Path) -> Iterator[Atoms]:
    """Rows of an ASE database, in the order of their numbers, with their data in `info`."""
    import ase.db

    with _database_errors(path):
        for row in ase.db.connect(path, type="db").select():
            atoms = row.toatoms()
            atoms.info = {**row.key_value_pairs, **row.data}
            yield atoms


@contextmanager
def _database_errors(path: Path) -> Iterator[None]:
    import sqlite3

    try:
        yield
    except (sqlite3.Error, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise HelioError(f"{path} is damaged or no database of ASE ({error})") from error
