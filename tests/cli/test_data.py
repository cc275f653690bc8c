from __future__ import annotations

import json

import ase.io
import pytest
from ase.build import molecule
from typer.testing import CliRunner

from helio.cli import app
from helio.datasets import Store
from helio.train.split import split_store


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
