from __future__ import annotations

import json
from typing import Any

import ase.db
import ase.io
import numpy as np
import pytest
from ase.build import molecule
from ase.units import GPa
from typer.testing import CliRunner

from helio.cli import app
from helio.datasets import Store
from helio.train.split import split_store
from helio.units import BOHR, DIPOLE_UNITS, HARTREE


@pytest.fixture
def files(tmp_path):
    frames = []
    for seed in range(5):
        atoms = molecule("CH3OH")
        atoms.rattle(0.03, seed=min(seed, 3))
        atoms.info |= {"REF_energy": -3.0 - 0.1 * seed, "REF_dipole": [0.1 * seed, 0.2, 0.3]}
        frames.append(atoms)
    ase.io.write(tmp_path / "good.extxyz", frames)
    (tmp_path / "cut.xyz").write_text("3\nwater\nO 0 0 0\nH 0 0 1\n")
    return tmp_path


def run(*arguments):
    result = CliRunner().invoke(app, ["data", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_import_and_info(files):
    store = files / "store.h5"
    result = run("import", files / "good.extxyz", files / "cut.xyz", store, "--licence", "MIT", "--level", "PBE0")
    assert result.exit_code == 0, result.output
    words = " ".join(result.output.split())
    for word in ("1 duplicates", "energy 4", "4 structures do not tell the charge", "Skipped", "cut.xyz", "cut off"):
        assert word in words
    assert "Skipped" in result.stderr

    plot, out = files / "store.png", files / "store.json"
    result = run("info", store, "--plot", plot, "--out", out)
    assert result.exit_code == 0, result.output
    for word in ("4 structures of 6 to 6 atoms", "MIT", "level PBE0", "size of dipole", "No structure has forces"):
        assert word in " ".join(result.output.split())
    numbers = json.loads(out.read_text())
    assert numbers["elements"] == {"H": [4, 16], "C": [4, 4], "O": [4, 4]}
    assert numbers["labels"]["dipole"]["structures"] == 4
    assert abs(numbers["labels"]["dipole"]["lowest"] - 0.13**0.5) < 1e-6
    assert plot.stat().st_size > 5_000
    assert "exists" in run("info", store, "--plot", plot).output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--energy-unit", "erg"), "unknown energy unit 'erg'"),
        (("--layout", "csv"), "unknown layout 'csv'"),
        (("--elements", "H,Xq"), "'Xq', which is no element"),
        (("--elements", "N"), "no structure is left of 5: 5 for other elements"),
        (("--key", "energy"), "LABEL=NAME"),
        (("--key", "energy=E_other"), "no structure that is kept has a label 'E_other', which was given for energy"),
        (("--key", "power=P"), "unknown label 'power'"),
        (("--max-force", "-1"), "must be positive"),
        (("--max-force", "nan"), "finite"),
        (("--min-distance", "nan"), "finite"),
        (("--min-distance", "-1"), "from 0"),
        (("--charge", "0.5"), "whole number"),
        (("--group-by", "colour"), "has no colour to group by; it has REF_energy"),
        (("--group-by", "block:0"), "as in block:100"),
        (("--voigt-order", "xx,yy"), "each of xx,yy,zz"),
    ],
)
def test_mistakes_are_explained(files, options, message):
    result = run("import", files / "good.extxyz", files / "store.h5", *options)
    assert result.exit_code == 1
    assert message in " ".join(result.output.split())
    assert not (files / "store.h5").exists()


def test_labels_are_left_out(files):
    result = run("import", files / "good.extxyz", files / "store.h5", "--key", "dipole=", "--key", "energy=REF_energy")
    assert result.exit_code == 0 and "labels: energy 4" in result.output
    assert "dipole" not in result.output


def test_needs_a_source_and_a_store(files):
    result = run("import", files / "good.extxyz")
    assert result.exit_code == 1 and "at least one file" in result.output
    assert "no store of training data" in " ".join(run("info", files / "good.extxyz").output.split())


def test_virials_spin_and_what_was_not_used(tmp_path):
    oxygen = molecule("O2", cell=[5.0, 5, 5], pbc=True)
    oxygen.info = {"REF_energy": -31.5, "REF_virials": [0.1, 0, 0, 0, 0.2, 0, 0, 0, 0.3], "multiplicity": 3}
    oxygen.info |= {"energy": 7.0, "config_type": "gas"}
    torn, odd = oxygen.copy(), oxygen.copy()
    torn.info |= {"total_spin": 0}
    odd.info |= {"multiplicity": 2}
    ase.io.write(tmp_path / "oxygen.extxyz", [oxygen, torn, odd])
    result = run("import", tmp_path / "oxygen.extxyz", tmp_path / "store.h5")
    assert result.exit_code == 0, result.output
    words = " ".join(result.output.split())
    assert "not used: config_type, energy" in words
    assert "left out, the first is structure 1: the structure states different numbers of unpaired electrons" in words
    assert "energies in eV, stress in eV/A^3 (by default)" in words
    store = Store(tmp_path / "store.h5")
    assert len(store) == 1 and store.system(0).unpaired_electrons == 2
    assert store.labels(0)["stress"].diagonal().tolist() == pytest.approx([-0.0008, -0.0016, -0.0024])


def test_groups_stay_together(tmp_path):
    frames = []
    for number in range(40):
        atoms = molecule("H2O")
        atoms.rattle(0.05, seed=number)
        atoms.info |= {"energy": 0.0, "trajectory": number // 8}
        frames.append(atoms)
    ase.io.write(tmp_path / "waters.extxyz", frames)
    data, store = tmp_path / "waters.extxyz", tmp_path / "store.h5"
    result = run("import", data, store, "--group-by", "trajectory", "--trust-units")
    assert result.exit_code == 0 and "5 groups" in result.output
    train, kept = split_store(Store(store), train=None, validation=0.2, seed=1)
    assert len(kept) == 8 and len(train) == 32 and len({number // 8 for number in kept.tolist()}) == 1
    joined = run("import", store, tmp_path / "again.h5")
    assert joined.exit_code == 0 and "5 groups" in joined.output
    blocks = run("import", data, store, "--group-by", "block:10", "--overwrite", "--trust-units")
    assert blocks.exit_code == 0 and "4 groups" in blocks.output


def write_schnetpack(path, distance, properties, frames):
    """A database as SchNetPack writes it: properties in the data of rows, units in the metadata."""
    database: Any = ase.db.connect(path)
    database.metadata = {"_distance_unit": distance, "_property_unit_dict": properties, "atomrefs": {}}
    for atoms, data in frames:
        database.write(atoms, data=data)


def test_units_that_a_database_of_schnetpack_names(tmp_path):
    rng, frames, labels = np.random.default_rng(3), [], []
    for _ in range(4):
        atoms = molecule("CH4", cell=[9.0, 9, 9], pbc=True)
        atoms.rattle(0.05, rng=rng)
        label = {"energy": rng.normal(-40, 0.1, 1), "forces": rng.normal(0, 1, (5, 3))}
        label |= {"stress": np.diag(rng.normal(0, 0.01, 3)), "dipole": rng.normal(0, 0.2, 3)}
        labels.append((atoms.positions.copy(), atoms.cell.array.copy(), label))
        atoms.set_cell(atoms.cell.array / BOHR, scale_atoms=True)
        data = {"energy": label["energy"] / HARTREE, "forces": label["forces"] * BOHR / HARTREE}
        data |= {"stress": label["stress"] / GPa, "dipole": label["dipole"] / DIPOLE_UNITS["debye"]}
        frames.append((atoms, data))
    units = {"energy": "Ha", "forces": "Hartree/Bohr", "stress": "GPa", "dipole": "Debye", "mu": "furlong"}
    write_schnetpack(tmp_path / "ch4.db", "Bohr", units, frames)
    result = run("import", tmp_path / "ch4.db", tmp_path / "store.h5", "--trust-units")
    assert result.exit_code == 0, result.output
    words = " ".join(result.output.split())
    assert "lengths in bohr, energies in hartree, forces in hartree/bohr, dipole in debye, stress in GPa" in words
    assert "named in the file" in words
    store = Store(tmp_path / "store.h5")
    for row, (positions, cell, label) in enumerate(labels):
        np.testing.assert_allclose(store.system(row).positions, positions, atol=1e-9)
        np.testing.assert_allclose(store.system(row).cell, cell, atol=1e-9)
        for name, value in label.items():
            np.testing.assert_allclose(store.labels(row)[name], np.squeeze(value), atol=1e-9, err_msg=name)

    # What is not known is refused, unless the user says what it is; a choice counts before the file.
    write_schnetpack(tmp_path / "odd.db", "Bohr", units | {"energy": "erg"}, frames)
    refused = run("import", tmp_path / "odd.db", tmp_path / "odd.h5", "--trust-units")
    words = " ".join(refused.output.split())
    assert refused.exit_code == 1 and "names the unit 'erg' of energy" in words and "--energy-unit" in words, words
    told = ("--trust-units", "--energy-unit", "hartree", "--length-unit", "A")
    assert run("import", tmp_path / "odd.db", tmp_path / "odd.h5", *told).exit_code == 0
    odd = Store(tmp_path / "odd.h5")
    np.testing.assert_allclose(odd.labels(0)["energy"], labels[0][2]["energy"][0], atol=1e-9)
    np.testing.assert_allclose(odd.system(0).positions, labels[0][0] / BOHR, atol=1e-9)

    # A run takes positions in A alone.
    run_of = CliRunner().invoke(app, ["md", str(tmp_path / "ch4.db"), "--steps", "1", "--out", str(tmp_path / "run")])
    words = " ".join(run_of.output.split())
    assert run_of.exit_code == 1 and "in the unit 'Bohr', not in A: convert it" in words, words


@pytest.mark.parametrize(
    ("text", "unit"),
    [("eV/Ang/Ang/Ang", "eV/A^3"), ("eV/Ang**3", "eV/A^3"), ("Hartree/Bohr^3", "hartree/bohr^3"), ("eV Ang", None),
     ("eV/", None), ("eV^3", None), ("GeV", None), ("eV/A^99999999999", None), ("", "eV/A^3")],
)  # fmt: skip
def test_units_of_a_stress(tmp_path, text, unit):
    atoms = molecule("H2", cell=[5.0, 5, 5], pbc=True)
    write_schnetpack(tmp_path / "h2.db", "Ang", {"stress": text}, [(atoms, {"stress": 0.01 * np.eye(3)})])
    result = run("import", tmp_path / "h2.db", tmp_path / "h2.h5", "--trust-units")
    words = " ".join(result.output.split())
    if unit is None:
        assert result.exit_code == 1 and "of stress, which is none of eV/A^3, GPa" in words, words
    else:
        assert result.exit_code == 0 and f"stress in {unit}" in words, words
