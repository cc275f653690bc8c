from __future__ import annotations

import numpy as np
import pytest
from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator

from helio.errors import HelioError
from helio.evaluate import LabelOptions, read_labels


def test_marked_references_come_before_plain_names():
    atoms = molecule("H2O")
    atoms.calc = SinglePointCalculator(atoms, energy=1.0, forces=np.ones((3, 3)), dipole=np.arange(3.0))
    atoms.info["REF_energy"] = 2.0
    atoms.arrays["hirshfeld_ratios"] = np.array([0.9, 0.6, 0.6])
    labels = read_labels(atoms)
    assert labels.energy == 2.0
    np.testing.assert_array_equal(labels.forces, np.ones((3, 3)))
    np.testing.assert_array_equal(labels.dipole, [0, 1, 2])
    np.testing.assert_array_equal(labels.hirshfeld_ratios, [0.9, 0.6, 0.6])
    assert labels.found_as["energy"] == "REF_energy"
    assert labels.found_as["forces"] == "forces"


def test_a_given_key_is_the_only_one_that_counts():
    atoms = molecule("H2O")
    atoms.info |= {"energy": 1.0, "mine": 3.0}
    assert read_labels(atoms, LabelOptions(keys={"energy": "mine"})).energy == 3.0
    assert read_labels(atoms, LabelOptions(keys={"energy": "absent"})).energy is None
    assert read_labels(atoms).forces is None


def test_units_are_converted():
    atoms = molecule("H2")
    atoms.info |= {"energy": 1.0, "forces": np.ones(6), "dipole": [0, 0, 1.0]}
    labels = read_labels(atoms, LabelOptions(energy_unit="kcal/mol", dipole_unit="debye"))
    assert labels.energy == pytest.approx(0.0433641, abs=1e-7)
    assert labels.forces is not None and labels.dipole is not None
    assert labels.forces[1, 2] == pytest.approx(0.0433641, abs=1e-7)
    assert labels.dipole[2] == pytest.approx(0.2081943, abs=1e-7)
    labels = read_labels(atoms, LabelOptions(energy_unit="hartree", force_unit="hartree/bohr"))
    assert labels.forces is not None
    assert labels.forces[0, 0] == pytest.approx(51.4221, abs=1e-4)


def test_labels_that_are_not_finite_count_as_missing():
    atoms = molecule("H2O")
    atoms.info["energy"] = float("nan")
    labels = read_labels(atoms)
    assert labels.energy is None
    assert labels.not_finite == ("energy",)


def test_mistakes_are_explained():
    atoms = molecule("H2O")
    atoms.info["forces"] = np.ones((2, 3))
    with pytest.raises(HelioError, match="shape"):
        read_labels(atoms)
    atoms.info["forces"] = "none"
    with pytest.raises(HelioError, match="not made of numbers"):
        read_labels(atoms)
    with pytest.raises(HelioError, match="unknown energy unit 'erg'"):
        LabelOptions(energy_unit="erg")
    with pytest.raises(HelioError, match="unknown property"):
        LabelOptions(keys={"charge": "q"})
