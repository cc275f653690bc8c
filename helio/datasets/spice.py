"""SPICE (Eastman et al., Sci. Data 10, 11 (2023)): a group per molecule, with all its conformations.

| data set | meaning | unit unless its attribute `units` says otherwise |
|---|---|---|
| conformations (M, N, 3) | positions | bohr |
| atomic_numbers (N,), or smiles | elements; the SMILES names each atom with its number | |
| dft_total_energy (M,), dft_total_gradient (M, N, 3) | labels | hartree, hartree/bohr |
| scf_dipole (M, 3), mbis_charges (M, N, 1) | labels | e bohr, e |
| subset | a part of the set | |

The charge of a molecule is that of its SMILES.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
from ase.data import atomic_numbers as numbers_of

from helio.datasets.choices import ReadingChoices
from helio.datasets.hdf5 import array, groups_with, holds, length, opened, texts, unused_names
from helio.datasets.labels import converted
from helio.datasets.structure import LabelledStructure
from helio.datasets.units import Units
from helio.errors import HelioError

_UNITS = Units(length="bohr", energy="hartree", forces="hartree/bohr", dipole="au", origin="as SPICE has them")
_STRUCTURAL = ("conformations", "atomic_numbers", "smiles", "subset")
_LENGTH_NAMES = {"bohr": "bohr", "nanometers": "nm", "nanometer": "nm", "angstrom": "A", "angstroms": "A"}
_LEVEL = "wB97M-D3(BJ)/def2-TZVPPD"
# An atom of a mapped SMILES: [isotope symbol chirality hydrogens charge :number].
_ATOM = re.compile(r"\[\d*([A-Z][a-z]?|[a-z]{1,2})@*(?:H\d*)?([+-]+\d*)?(?::(\d+))?\]")


def recognizes(path: Path) -> bool:
    """Whether the file has this layout."""
    return holds(path, ("conformations",))


def count(path: Path, choices: ReadingChoices) -> int:
    """How many structures the file holds."""
    with opened(path) as file:
        return sum(length(group, "conformations") for group in groups_with(file, ("conformations",)))


def read(path: Path, choices: ReadingChoices) -> Iterator[LabelledStructure]:
    """The structures of all molecules."""
    with opened(path) as file:
        number = 0
        for group in groups_with(file, ("conformations",)):
            for structure in _molecule(group, choices, number):
                yield structure
                number += 1


def mapped_atoms(smiles: str) -> tuple[np.ndarray, float]:
    """Atomic numbers in the order of the atoms' numbers, and the charge, of a SMILES that maps each atom.

    Raises:
        HelioError: atoms without a number, or with one that is missing from 1, 2, ...
    """
    found: dict[int, int] = {}
    charge = 0
    for symbol, sign, place in _ATOM.findall(smiles):
        if not place or symbol.capitalize() not in numbers_of:
            break
        found[int(place)] = numbers_of[symbol.capitalize()]
        charge += _formal_charge(sign)
    if sorted(found) != list(range(1, len(found) + 1)) or smiles.count("[") != len(found) or not found:
        raise HelioError(f"the SMILES {smiles!r} does not number every atom")
    return np.array([found[place] for place in sorted(found)]), float(charge)


def _formal_charge(sign: str) -> int:
    digits = sign.lstrip("+-")
    size = int(digits) if digits else len(sign)
    return -size if sign.startswith("-") else size


def _molecule(group: h5py.Group, choices: ReadingChoices, first: int) -> Iterator[LabelledStructure]:
    positions, own, smiles = group["conformations"], array(group, "atomic_numbers"), array(group, "smiles")
    assert isinstance(positions, h5py.Dataset)
    where = f"{group.name}"
    if smiles is not None:
        numbers, charge = mapped_atoms(texts(smiles)[0])
    else:
        charges = array(group, "mbis_charges")
        numbers, charge = None, None if charges is None else float(np.round(charges[0].sum()))
    numbers = own if own is not None else numbers
    if numbers is None:
        raise HelioError(f"{where} names no elements: it has neither atomic_numbers nor smiles")
    if positions.ndim != 3 or positions.shape[1] != len(numbers):
        raise HelioError(f"{where}: positions of shape {positions.shape} do not fit {len(numbers)} atoms")
    named = _LENGTH_NAMES.get(str(positions.attrs.get("units", "bohr")).lower(), "bohr")
    units = _UNITS.changed({"length": named}).changed(choices.units)
    names = {"energy": "dft_total_energy", "forces": "dft_total_gradient", "dipole": "scf_dipole"}
    names |= {"charges": "mbis_charges"} | dict(choices.keys)
    values = {label: value for label, name in names.items() if (value := array(group, name)) is not None}
    if "forces" in values and names["forces"].endswith("gradient"):
        values["forces"] = -values["forces"]
    unused = unused_names(group, (*names.values(), *_STRUCTURAL))
    attributes = {"molecule": where} | (
        {"subset": texts(part)[0]} if (part := array(group, "subset")) is not None else {}
    )
    for row, place in enumerate(np.asarray(positions[...], np.float64) * units.to_angstrom):
        labels = converted(
            {label: (names[label], value[row]) for label, value in values.items()},
            atoms=len(numbers),
            units=units,
            where=f"conformation {row} of {where}",
            voigt_order=choices.voigt_order,
        )
        yield LabelledStructure(
            np.asarray(numbers, np.int64),
            place,
            labels.values,
            charge=charge,
            level=_LEVEL if "energy" in values and "energy" not in choices.keys else None,
            number=first + row,
            units=units,
            found_as=labels.found_as,
            not_finite=labels.not_finite,
            unused=unused,
            attributes=attributes,
            problem=labels.problem,
        )
