from __future__ import annotations

import json

import ase.io
import numpy as np
import pytest
from ase.build import molecule
from typer.testing import CliRunner

from helio.cli import app
from helio.force_field import ModelInfo, save_model


@pytest.fixture(scope="module")
def model(small_force_field, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    save_model(small_force_field, path, ModelInfo(name="small"))
    return path


@pytest.fixture(autouse=True)
def no_cache(monkeypatch):
    """No test leaves compiled programs in the user's cache."""
    monkeypatch.setattr("helio.cli.compiled.keep_compiled_programs", lambda: None)


@pytest.fixture
def data(tmp_path):
    frames = []
    for seed in range(3):
        atoms = molecule("H2O")
        atoms.rattle(0.05, seed=seed)
        atoms.info["REF_energy"] = 0.1 * seed
        atoms.arrays["REF_forces"] = np.zeros((3, 3))
        frames.append(atoms)
    path = tmp_path / "waters.extxyz"
    ase.io.write(path, frames)
    return path


def run(*arguments):
    result = CliRunner().invoke(app, ["eval", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_table_json_and_plot(model, data):
    out, plot = data.with_name("result.json"), data.with_name("parity.png")
    arguments = (data, "--model", model, "--out", out, "--plot", plot, "--atoms-per-block", 16)
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    for word in ("relative energy", "forces", "REF_forces", "without label", "Energies are relative"):
        assert word in result.output
    numbers = json.loads(out.read_text())
    assert numbers["properties"]["forces"]["count"] == 27
    assert numbers["properties"]["dipole"]["unlabelled"] == 3
    assert numbers["long_range_cutoff"] == 1000.0
    assert plot.stat().st_size > 5_000

    again = run(*arguments)
    assert again.exit_code == 1
    assert "exists" in again.output and "--overwrite" in again.output
    fewer = run(*arguments, "--overwrite", "--stride", 2, "--limit", 1, "--long-range-cutoff", 1000)
    assert fewer.exit_code == 0, fewer.output
    assert json.loads(out.read_text())["properties"]["forces"]["count"] == 9


def test_dimers(model, tmp_path):
    pair = molecule("H2O") + molecule("H2O")
    pair.positions[3:] += [0, 3.0, 0]
    pair.info = {"name": "Water-Water_1.00", "selection_a": "1-3", "selection_b": "4-6", "reference_Eint": -5.0}
    data, out = tmp_path / "dimers.extxyz", tmp_path / "dimers.json"
    ase.io.write(data, pair)
    result = run(data, "--dimers", "--model", model, "--out", out, "--atoms-per-block", 8)
    assert result.exit_code == 0, result.output
    numbers = json.loads(out.read_text())
    assert numbers["precision"] == "float64" and numbers["long_range_cutoff"] == 1000.0
    assert numbers["dimers"][0]["reference"] == -5.0
    assert "kcal/mol" in result.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--plot", "parity.doc"), "must be named"),
        (("--out", "absent/result.json"), "does not exist"),
        (("--energy-unit", "erg"), "unknown energy unit"),
        (("--energy-key", "E", "--forces-key", "F"), "no structure has a label"),
    ],
)
def test_mistakes_are_explained(model, data, options, message):
    result = run(data, "--model", model, "--atoms-per-block", 16, *options)
    assert result.exit_code == 1
    assert message in " ".join(result.output.split())


def test_boxes_and_molecules_have_each_their_cutoff(model, data, tmp_path):
    frames = list(ase.io.iread(data))
    frames[1].set_cell([9.0, 9.0, 9.0])
    frames[1].pbc = True
    ase.io.write(data, frames)
    out = tmp_path / "mixed.json"
    result = run(data, "--model", model, "--atoms-per-block", 16, "--out", out)
    assert result.exit_code == 0, result.output
    assert "energies of the two must not be subtracted" in " ".join(result.output.split())
    assert json.loads(out.read_text())["long_range_cutoff"] == [12.0, 1000.0]
    far = run(data, "--model", model, "--long-range-cutoff", "far")
    assert far.exit_code == 2 and "valid number" in far.output


def test_output_is_not_the_data(model, data):
    before = data.read_text()
    result = run(data, "--model", model, "--out", data, "--overwrite")
    assert result.exit_code == 1
    assert data.read_text() == before
