from __future__ import annotations

import ase.io
import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from helio.datasets import ReadingChoices, Units, read_labelled
from helio.datasets.ase_files import from_atoms
from helio.datasets.labels import from_voigt
from helio.errors import HelioError


def test_marked_references_come_before_plain_names():
    atoms = molecule("H2O")
    atoms.calc = SinglePointCalculator(atoms, energy=1.0, forces=np.ones((3, 3)), dipole=np.arange(3.0))
    atoms.info["REF_energy"] = 2.0
    atoms.arrays["hirshfeld_ratios"] = np.array([0.9, 0.6, 0.6])
    structure = from_atoms(atoms)
    assert structure.labels["energy"] == 2.0
    np.testing.assert_array_equal(structure.labels["forces"], np.ones((3, 3)))
    np.testing.assert_array_equal(structure.labels["dipole"], [0, 1, 2])
    np.testing.assert_array_equal(structure.labels["hirshfeld_ratios"], [0.9, 0.6, 0.6])
    assert structure.found_as["energy"] == "REF_energy"
    assert structure.found_as["forces"] == "forces"
    assert structure.unused == ("energy",)  # the plain one


def test_a_given_key_is_the_only_one_that_counts():
    atoms = molecule("H2O")
    atoms.info |= {"energy": 1.0, "mine": 3.0}
    assert from_atoms(atoms, ReadingChoices(keys={"energy": "mine"})).labels["energy"] == 3.0
    assert "energy" not in from_atoms(atoms, ReadingChoices(keys={"energy": "absent"})).labels
    assert "forces" not in from_atoms(atoms).labels


def test_units_are_converted():
    atoms = molecule("H2")
    atoms.info |= {"energy": 1.0, "forces": np.ones(6), "dipole": [0, 0, 1.0]}
    labels = from_atoms(atoms, ReadingChoices(units={"energy": "kcal/mol", "dipole": "debye"})).labels
    assert labels["energy"] == pytest.approx(0.0433641, abs=1e-7)
    assert labels["forces"][1, 2] == pytest.approx(0.0433641, abs=1e-7)
    assert labels["dipole"][2] == pytest.approx(0.2081943, abs=1e-7)
    labels = from_atoms(atoms, ReadingChoices(units={"energy": "hartree", "forces": "hartree/bohr"})).labels
    assert labels["forces"][0, 0] == pytest.approx(51.4221, abs=1e-4)


def test_labels_that_are_not_finite_count_as_missing():
    atoms = molecule("H2O")
    atoms.info["energy"] = float("nan")
    structure = from_atoms(atoms)
    assert "energy" not in structure.labels
    assert structure.not_finite == ("energy",)


def test_mistakes_are_explained():
    atoms = molecule("H2O")
    atoms.info["forces"] = np.ones((2, 3))
    with pytest.raises(HelioError, match="shape"):
        from_atoms(atoms)
    atoms.info["forces"] = "none"
    with pytest.raises(HelioError, match="not made of numbers"):
        from_atoms(atoms)
    with pytest.raises(HelioError, match="unknown energy unit 'erg'"):
        Units(energy="erg")
    with pytest.raises(HelioError, match="unknown label"):
        ReadingChoices(keys={"charge": "q"})
    with pytest.raises(HelioError, match="each of xx"):
        ReadingChoices(voigt_order="xx,yy,zz,xy,xz,xz")
    with pytest.raises(HelioError, match="whole number"):
        ReadingChoices(charge=float("nan"))


@pytest.fixture(scope="module")
def strained():
    """A sheared crystal, and dE/dstrain in eV from energies of deformed copies."""
    atoms = bulk("Cu", cubic=True)
    atoms.set_cell(atoms.cell.array @ [[1.02, 0.03, 0.0], [0.0, 0.99, 0.01], [0.02, 0.0, 1.01]], scale_atoms=True)
    atoms.rattle(0.05, seed=1)
    slope, step = np.zeros((3, 3)), 1e-4
    for i in range(3):
        for j in range(3):
            energies = []
            for sign in (1, -1):
                strain = np.zeros((3, 3))
                strain[i, j] += sign * step / 2
                strain[j, i] += sign * step / 2
                copy = atoms.copy()
                copy.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
                copy.calc = EMT()
                energies.append(copy.get_potential_energy())
            slope[i, j] = (energies[0] - energies[1]) / (2 * step)
    return atoms, slope


VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


@pytest.mark.parametrize(
    ("key", "form"),
    [
        *((key, "six") for key in ("virials", "REF_virials", "REF_virial", "stress", "REF_stress")),
        *((key, "nine") for key in ("virial", "virials", "REF_virials", "REF_virial", "stress", "REF_stress")),
        ("stress", "matrix"),
        ("virial", "matrix"),
    ],
)
def test_sign_and_order_are_those_of_finite_strain(strained, tmp_path, key, form):
    """Stress is (1/V) dE/dstrain, the virial -dE/dstrain, in every name and form, through a file."""
    atoms, slope = strained[0].copy(), strained[1]
    tensor = -slope if "virial" in key else slope / atoms.get_volume()
    value = {"matrix": tensor, "nine": tensor.ravel(), "six": np.array([tensor[place] for place in VOIGT])}[form]
    atoms.info[key] = value if form == "matrix" and key in ("stress", "virial") else value.ravel()
    ase.io.write(tmp_path / "copper.extxyz", atoms)
    (structure,) = read_labelled(tmp_path / "copper.extxyz")
    assert structure.found_as["stress"] == key and structure.unused == ()
    np.testing.assert_allclose(structure.labels["stress"], slope / atoms.get_volume(), atol=1e-7)
    copy = atoms.copy()
    copy.calc = EMT()
    np.testing.assert_allclose(structure.labels["stress"], copy.get_stress(voigt=False), atol=1e-6)


def test_components_in_the_order_of_another_program():
    tensor = np.array([[1.0, 4, 5], [4, 2, 6], [5, 6, 3]])
    np.testing.assert_array_equal(from_voigt(np.array([1, 2, 3, 6, 5, 4])), tensor)
    np.testing.assert_array_equal(from_voigt(np.array([1, 2, 3, 4, 6, 5]), "xx,yy,zz,xy,yz,zx"), tensor)
    np.testing.assert_array_equal(from_voigt(np.array([1, 2, 3, 4, 5, 6]), "xx,yy,zz,xy,xz,yz"), tensor)


def test_tensors_that_make_no_sense(strained):
    atoms, slope = strained[0].copy(), strained[1]
    atoms.info = {"REF_virial": slope + 9 * np.eye(3)[[1, 0, 2]] * [[1], [0], [0]]}
    assert "not symmetric" in (from_atoms(atoms).problem or "")
    atoms.info = {"REF_virial": slope, "REF_stress": slope / atoms.get_volume()}  # one has the wrong sign
    assert "minus the virial" in (from_atoms(atoms).problem or "")
    atoms.info = {"REF_virial": -slope, "stress": np.zeros(6)}  # of another calculator, which counts less
    np.testing.assert_allclose(from_atoms(atoms).labels["stress"], slope / atoms.get_volume())
    atoms.pbc = (True, True, False)
    assert "stress" not in from_atoms(atoms).labels
