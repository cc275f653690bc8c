from __future__ import annotations

import json

import ase.io
import pytest
from ase.build import molecule
from typer.testing import CliRunner

from helio.cli import app


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
    for word in ("1 duplicates", "energy 4", "4 structures do not tell their charge", "Skipped", "cut.xyz", "cut off"):
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
