"""Boxes of water, molecules and liquids."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from ase import Atoms

from helio.build import liquid, molecule, water_box
from helio.build.assembly import shortest_contact
from helio.errors import HelioError
from helio.system import System


def density(atoms: Atoms) -> float:
    """In g/cm3; 1 amu = 1.66053907e-24 g."""
    return atoms.get_masses().sum() * 1.66053907 / atoms.get_volume()


@pytest.mark.parametrize(("molecules", "wanted"), [(60, 0.997), (33, 0.9), (1, 0.5)])
def test_water(molecules: int, wanted: float) -> None:
    box = water_box(molecules, density=wanted)
    assert box.get_chemical_formula() == Atoms("OH2" * molecules).get_chemical_formula()
    assert density(box) == pytest.approx(wanted, rel=1e-4)
    np.testing.assert_allclose(box.cell.array, np.eye(3) * box.cell.lengths()[0])
    assert shortest_contact(box, np.repeat(np.arange(molecules), 3)) > 1.8
    oxygen = box.positions.reshape(-1, 3, 3)
    bonds = np.linalg.norm(oxygen[:, 1:] - oxygen[:, :1], axis=-1)
    np.testing.assert_allclose(bonds, 0.9572, atol=1e-3)
    assert box.info == {"charge": 0, "spin": 0}
    System.from_ase(box)


def test_contacts_are_those_of_ase() -> None:
    box = water_box(20)
    number = np.repeat(np.arange(20), 3)
    distances = box.get_all_distances(mic=True)[number[:, None] != number[None]]
    assert shortest_contact(box, number) == pytest.approx(distances.min(), abs=1e-6)


def test_seed_alone_decides() -> None:
    first, second, other = (water_box(10, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.positions, second.positions)
    assert np.abs(first.positions - other.positions).max() > 0.1


def test_too_dense_is_refused() -> None:
    with pytest.raises(HelioError, match="do not fit"):
        water_box(5, density=4.0)
    with pytest.raises(HelioError, match="density"):
        water_box(5, density=0.0)
    with pytest.raises(HelioError, match="at least one"):
        water_box(0)


@pytest.mark.parametrize(
    ("smiles", "formula", "charge", "spin"),
    [
        ("CCO", "C2H6O", 0, 0),
        ("CC(=O)[O-]", "C2H3O2", -1, 0),
        ("[NH4+]", "H4N", 1, 0),
        ("[CH3]", "CH3", 0, 1),
        ("[O][O]", "O2", 0, 2),
        ("C[N+](C)(C)CCOP(=O)([O-])O", "C5H14NO4P", 0, 0),
    ],
)
def test_molecule(smiles: str, formula: str, charge: int, spin: int) -> None:
    atoms = molecule(smiles)
    assert atoms.get_chemical_formula() == formula
    assert atoms.info == {"charge": charge, "spin": spin}
    assert not atoms.pbc.any()
    assert len(set(atoms.arrays["atomtypes"])) == len(atoms)
    System.from_ase(atoms)


def test_ethanol_has_the_shape_of_ethanol() -> None:
    atoms = molecule("CCO")
    assert atoms.get_distance(0, 1) == pytest.approx(1.52, abs=0.02)
    assert atoms.get_distance(1, 2) == pytest.approx(1.42, abs=0.02)
    assert atoms.get_angle(0, 1, 2) == pytest.approx(109, abs=3)


@pytest.mark.parametrize(("smiles", "charge", "spin"), [("CCO", 0, 0), ("[NH4+]", 12, 0), ("[CH3]", 0, 12)])
def test_liquid(smiles: str, charge: int, spin: int) -> None:
    box = liquid(smiles, 12, density=0.6)
    assert density(box) == pytest.approx(0.6, rel=1e-4)
    assert shortest_contact(box, np.repeat(np.arange(12), len(box) // 12)) > 1.8
    assert box.info == {"charge": charge, "spin": spin}
    assert list(np.unique(box.arrays["residuenumbers"])) == list(range(1, 13))


@pytest.mark.parametrize(
    ("smiles", "message"), [("C1CC", "no SMILES"), ("", "no SMILES"), ("CC[Si](C)C", r"Si \(1 atom\)"), ("[Na+]", "Na")]
)
def test_bad_smiles(smiles: str, message: str) -> None:
    with pytest.raises(HelioError, match=message):
        molecule(smiles)


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rdkit", None)
    with pytest.raises(HelioError, match=r"needs rdkit .*install the extra: .*\[build\]'"):
        molecule("CCO")
