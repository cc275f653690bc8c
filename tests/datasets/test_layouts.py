"""Every layout gives back what was written into it, in eV, A and e."""

from __future__ import annotations

import ase.io
import h5py
import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.calculators.singlepoint import SinglePointCalculator

from helio.datasets import LAYOUTS, ReadingChoices, layout_of, read_labelled
from helio.datasets.spice import mapped_atoms
from helio.datasets.store import Store
from helio.errors import HelioError
from helio.train.importing import ImportSettings, import_files

ALL = {"energy", "forces", "dipole", "charges", "hirshfeld_ratios"}
CASES = {
    "extxyz": ("ase", ALL, "unspecified"),
    "db": ("ase", ALL, "unspecified"),
    "md17": ("md17", {"energy", "forces"}, "unspecified"),
    "rmd17": ("md17", {"energy", "forces"}, "unspecified"),
    "sgdml": ("md17", {"energy", "forces"}, "PBE+MBD"),
    "qm7x": ("qm7x", ALL, "PBE0+MBD"),
    "spice": ("spice", ALL - {"hirshfeld_ratios"}, "wB97M-D3(BJ)/def2-TZVPPD"),
    "ani1x": ("ani", ALL - {"hirshfeld_ratios"}, "wB97X/6-31G(d)"),
    "comp6": ("ani", {"energy", "forces", "charges"}, "wb97x/6-31g*"),
}


@pytest.mark.parametrize("name", CASES)
def test_round_trip(name, write, made, tmp_path):
    layout, labels, level = CASES[name]
    path = write(name)
    assert layout_of(path) is LAYOUTS[layout]
    report = import_files([path], tmp_path / "store.h5")
    store = Store(tmp_path / "store.h5")
    assert len(store) == report.kept == 12
    assert store.levels == (level,) and store.sources == (path.stem,)
    precision = 1e-7 if name == "extxyz" else 1e-10  # text has eight decimals
    for row in range(len(store)):
        system = store.system(row)
        assert system.atomic_numbers.tolist() == [8, 1, 1]
        np.testing.assert_allclose(system.positions, made.positions[row], atol=precision)
        found = store.labels(row)
        assert set(found) == labels
        for label, value in found.items():
            np.testing.assert_allclose(value, made.labels[label][row], rtol=1e-10, atol=precision, err_msg=label)
    again = import_files([tmp_path / "store.h5"], tmp_path / "again.h5")
    assert again.kept == 12
    assert Store(tmp_path / "again.h5").content == store.content  # a store is a layout, too


def test_periodic_structures_with_stress(tmp_path):
    atoms = bulk("NaCl", "rocksalt", a=5.6)
    stress = np.array([0.01, 0.02, 0.03, 0.004, 0.005, 0.006])
    forces = np.array([[0.1, 0, 0], [-0.1, 0, 0]])
    atoms.calc = SinglePointCalculator(atoms, energy=-3.0, forces=forces, stress=stress)
    ase.io.write(tmp_path / "salt.extxyz", atoms)
    import_files([tmp_path / "salt.extxyz"], tmp_path / "store.h5")
    store = Store(tmp_path / "store.h5")
    expected = [[0.01, 0.006, 0.005], [0.006, 0.02, 0.004], [0.005, 0.004, 0.03]]
    np.testing.assert_allclose(store.labels(0)["stress"], expected, atol=1e-8)
    assert store.system(0).pbc == (True, True, True)
    np.testing.assert_allclose(store.system(0).cell, atoms.cell.array, atol=1e-8)


def test_units_and_names_are_chosen(tmp_path, made):
    frames = []
    for row in range(12):
        atoms = molecule("H2O")
        atoms.positions = made.positions[row] / 10
        atoms.info["E_mine"] = made.labels["energy"][row] / 27.211386
        atoms.arrays["F_mine"] = made.labels["forces"][row] / 27.211386 * 0.5291772105638411
        frames.append(atoms)
    ase.io.write(tmp_path / "mine.extxyz", frames)
    choices = ReadingChoices(
        units={"length": "nm", "energy": "hartree", "forces": "hartree/bohr"},
        keys={"energy": "E_mine", "forces": "F_mine"},
    )
    import_files([tmp_path / "mine.extxyz"], tmp_path / "store.h5", ImportSettings(choices=choices))
    store = Store(tmp_path / "store.h5")
    np.testing.assert_allclose(store.rows("energy"), made.labels["energy"], rtol=1e-8)
    np.testing.assert_allclose(store.labels(3)["forces"], made.labels["forces"][3], atol=1e-5)
    np.testing.assert_allclose(store.system(3).positions, made.positions[3], atol=1e-6)


def test_labels_may_be_missing_for_some_structures(write, tmp_path):
    path = write("ani1x")
    settings = ImportSettings(choices=ReadingChoices(method="ccsd(t)_cbs"))
    report = import_files([path], tmp_path / "store.h5", settings)
    assert report.files[0].labels == {"energy": 6}
    store = Store(tmp_path / "store.h5")
    assert store.known("energy").tolist() == [True, False] * 6
    assert store.labels(1) == {} and store.column("forces") is None
    with pytest.raises(HelioError, match="choose --method among ccsd"):
        list(read_labelled(path, ReadingChoices(method="mp2")))


@pytest.mark.parametrize(
    ("smiles", "numbers", "charge"),
    [
        ("[O:1]([H:2])[H:3]", [8, 1, 1], 0),
        ("[H:5][N+:1]([H:2])([H:3])[H:4].[Cl-:6]", [7, 1, 1, 1, 1, 17], 0),
        ("[Ca++:1]", [20], 2),
        ("[Mg+2:1].[O-:2][H:3]", [12, 8, 1], 1),
        ("[c:1]1([H:7])[c:2]([H:8])[c:3]([H:9])[c:4]([H:10])[n:5][c:6]1[Br:11]", [6, 6, 6, 6, 7, 6, 1, 1, 1, 1, 35], 0),
        ("[C@@:1]([H:2])([F:3])([Cl:4])[Br:5]", [6, 1, 9, 17, 35], 0),
    ],
)
def test_mapped_smiles(smiles, numbers, charge):
    found, total = mapped_atoms(smiles)
    assert found.tolist() == numbers and total == charge


@pytest.mark.parametrize("smiles", ["CCO", "[O:1]([H:2])[H:2]", "[O:1][H]", "[Qq:1]"])
def test_smiles_without_numbers(smiles):
    with pytest.raises(HelioError, match="does not number every atom"):
        mapped_atoms(smiles)


def test_files_of_no_layout(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["numbers"] = [1, 2]
    np.savez(tmp_path / "other.npz", a=[1])
    for name in ("other.h5", "other.npz"):
        with pytest.raises(HelioError, match="none of the layouts"):
            layout_of(tmp_path / name)
    with pytest.raises(HelioError, match="unknown layout"):
        layout_of(tmp_path / "other.h5", "csv")
    with pytest.raises(HelioError, match="no file"):
        layout_of(tmp_path / "absent.xyz")


def test_conformers_without_labels(shared, tmp_path):
    """Real files: positions in nm, elements from SMILES alone."""
    path = shared / "data" / "conformers" / "solvated-amino-acids.hdf5"
    structures = list(read_labelled(path))
    assert len(structures) == 1300
    charges = {structure.charge for structure in structures}
    assert charges == {-1.0, 0.0, 1.0}
    first = structures[0]
    near = np.linalg.norm(first.positions[0] - first.positions[1:], axis=1).min()
    assert 0.9 < near < 1.7 and not first.labels
