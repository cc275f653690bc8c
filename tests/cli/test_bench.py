"""`helio bench`."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from helio.bench import CASES
from helio.cli import app
from helio.force_field import ModelInfo, save_model


@pytest.fixture
def small_model(small_force_field, tmp_path):
    save_model(small_force_field, tmp_path / "small.safetensors", ModelInfo("small"))
    return tmp_path / "small.safetensors"


def helio(*arguments, status=0):
    result = CliRunner().invoke(app, ["bench", *map(str, arguments)])
    assert result.exit_code == status, result.output + repr(result.exception)
    return result.output


@pytest.mark.parametrize("case", ["hexane", "water-64"])
def test_structures_are_what_they_are_called(case):
    atoms = CASES[case]()
    distances = atoms.get_all_distances(mic=True) + 9 * np.eye(len(atoms))
    assert distances.min() > 0.9
    if case == "hexane":
        assert atoms.get_chemical_formula() == "C6H14"
        bonds = np.sort(distances[np.triu_indices(20, 1)])[:19]
        assert bonds[:14] == pytest.approx(np.full(14, 1.09)) and bonds[14:] == pytest.approx(np.full(5, 1.53))
    else:
        density = atoms.get_masses().sum() / atoms.get_volume() / 0.602214
        assert len(atoms) == 192 and density == pytest.approx(0.997, abs=0.001)


def test_measures_and_writes(small_model, tmp_path):
    output = helio(
        "hexane", "--no-plain", "--precision", "float64", "--model", small_model, "--out", tmp_path / "bench.json"
    )
    assert "hexane" in output and "ns/day" in output and "float64; kernels" in output
    record = json.loads((tmp_path / "bench.json").read_text())
    for row in record["rows"]:
        assert row["kernels"] == "compiled" and row["precision"] == "float64"
        assert row["atoms"] == 20 and row["memory_bytes"] > 1e8
        assert row["microseconds_per_atom"] * 20 * row["steps_per_second"] == pytest.approx(1e6)
        assert row["ns_per_day"] == pytest.approx(row["steps_per_second"] * 0.5e-6 * 86400)
        assert set(row["shares"]) == {"network", "long-range", "lists", "rest"}
    assert "exists already" in helio("hexane", "--out", tmp_path / "bench.json", status=1)


def test_bad_input(small_model):
    assert "there is no case ice: those known are hexane" in helio("ice", "--model", small_model, status=1)
    assert "there is no model and no file" in helio("--model", "nothing", status=1)
