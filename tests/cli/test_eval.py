from __future__ import annotations

import json

import ase.io
import numpy as np
import pytest
from ase.build import molecule
from typer.testing import CliRunner

from helio.cli import app
from helio.force_field import ModelInfo, save_model
from helio.interfaces.ase import HelioCalculator


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
        (("--energy-key", "nothere"), "no structure has a label 'nothere', which was given for energy"),
        (("--dimers",), "no dimer has a reference_Eint or benchmark_Eint"),
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


def test_npz_has_the_units_of_its_layout_and_all_its_labels(model, tmp_path):
    """Energies of MD17 are in kcal/mol, unless an option says otherwise; a store of the same gives the same errors."""
    rng, water = np.random.default_rng(0), molecule("H2O")
    positions = water.positions + 0.05 * rng.normal(size=(3, 3, 3))
    np.savez(
        tmp_path / "waters.npz", R=positions, z=water.numbers, E=1000 * np.arange(3.0), F=np.zeros((3, 3, 3)),
        dipole=np.zeros((3, 3)), charges=np.zeros((3, 3)), old_indices=np.arange(3),
    )  # fmt: skip
    data, out = tmp_path / "waters.npz", tmp_path / "errors.json"
    arguments = ("--model", model, "--atoms-per-block", 16, "--out", out, "--overwrite")
    result = run(data, *arguments)
    assert result.exit_code == 0, result.output
    words = " ".join(result.output.split())
    assert "energies in kcal/mol, forces in kcal/mol/A" in words and "as MD17 has them" in words
    assert "Not used: old_indices" in words and "3 structures do not tell the charge" in words
    numbers = json.loads(out.read_text())["properties"]
    assert numbers["charges"]["structures"] == numbers["dipole"]["structures"] == 3

    imported = CliRunner().invoke(app, ["data", "import", str(data), str(tmp_path / "waters.h5"), "--trust-units"])
    assert imported.exit_code == 0, imported.output
    assert run(tmp_path / "waters.h5", *arguments).exit_code == 0
    of_store = json.loads(out.read_text())["properties"]
    for name in ("energy", "forces", "charges"):
        assert of_store[name]["mae"] == pytest.approx(numbers[name]["mae"], rel=1e-5)
    assert "energy as chosen" in " ".join(run(data, *arguments, "--energy-unit", "eV").output.split())
    in_ev = json.loads(out.read_text())["properties"]
    assert in_ev["energy"]["mae"] > 5 * numbers["energy"]["mae"]


def test_stress_from_virials_is_compared(model, tmp_path):
    box = molecule("H2O", cell=[6.0, 6, 6], pbc=True)
    box.info |= {"REF_virials": np.diag([1.0, 2.0, 3.0]).ravel(), "multiplicity": 1}
    ase.io.write(tmp_path / "box.extxyz", box)
    out = tmp_path / "errors.json"
    result = run(tmp_path / "box.extxyz", "--model", model, "--out", out)
    assert result.exit_code == 0, result.output
    stress = json.loads(out.read_text())["properties"]["stress"]
    assert stress["found_as"] == {"REF_virials": 1} and stress["count"] == 9


def test_contradictions_are_refused_or_left_out(model, data):
    frames = list(ase.io.iread(data))
    frames[1].info |= {"charge": 0, "total_charge": 1}
    frames[2].info |= {"multiplicity": 2}
    ase.io.write(data, frames)
    result = run(data, "--model", model, "--atoms-per-block", 16)
    assert result.exit_code == 1 and "structure 1: the structure states different charges" in " ".join(
        result.output.split()
    )
    result = run(data, "--model", model, "--atoms-per-block", 16, "--skip-unusable")
    assert result.exit_code == 0 and "2 structures were left out" in " ".join(result.output.split())


def test_dimers_of_a_collection(model, tmp_path):
    """Numeric names, groups and scalings as in the NCI Atlas; a dimer with an unknown element is left out and named."""
    frames = []
    for number, (group, scaling) in enumerate((("HB", 1.0), ("HB", 0.85), ("D", 1.0))):
        pair = molecule("H2O") + molecule("H2O")
        pair.positions[3:] += [0, 3.0 * scaling, 0]
        pair.info = {"name": 7.086085 + number, "group": group, "scaling": scaling, "benchmark_Eint": -5.0}
        pair.info |= {"selection_a": "1-3", "selection_b": "4-6"}
        frames.append(pair)
    strange = frames[0].copy()
    strange.numbers[0], strange.info["name"] = 52, "tellurium"
    data, out = tmp_path / "atlas.extxyz", tmp_path / "dimers.json"
    ase.io.write(data, [*frames, strange])
    arguments = (data, "--dimers", "--model", model, "--atoms-per-block", 16, "--out", out)
    result = run(*arguments)
    assert result.exit_code == 1 and "dimer 3 (tellurium)" in " ".join(result.output.split())
    result = run(*arguments, "--skip-unusable")
    assert result.exit_code == 0, result.output
    words = " ".join(result.output.split())
    assert "1 dimer was left out (dimer 3 (tellurium))" in words and "Te" in words
    numbers = json.loads(out.read_text())
    assert set(numbers["by_distance"]) == {"0.85", "1"} and set(numbers["by_group"]) == {"HB", "D"}
    assert numbers["by_group"]["HB"]["count"] == 2 and numbers["total"]["count"] == 3


def test_output_that_is_a_circle_of_links(model, data):
    loop = data.with_name("loop.json")
    loop.symlink_to(loop)
    result = run(data, "--model", model, "--out", loop, "--overwrite")
    assert result.exit_code == 1 and "loop of links" in " ".join(result.output.split())


def test_numbers_are_finite(model, data):
    result = run(data, "--model", model, "--long-range-cutoff", "nan")
    assert result.exit_code == 2 and "greater" in result.output


def strained_waters(model, sign, count):
    """Boxes of one molecule under strains, labelled with the stress of the model times `sign`, a pressure and noise."""
    rng, frames = np.random.default_rng(4), []
    for _ in range(count):
        atoms = molecule("H2O", cell=[7.0, 7, 7], pbc=True)
        strain = rng.normal(0, 0.03, (3, 3))
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + (strain + strain.T) / 2), scale_atoms=True)
        atoms.calc = HelioCalculator(model)
        stress = atoms.get_stress(voigt=False)
        frames.append((atoms, stress))
    spread = np.std([stress for _, stress in frames])
    for atoms, stress in frames:
        noise = rng.normal(0, 0.02 * spread, (3, 3))
        label = sign * stress + 5 * spread * np.eye(3) + (noise + noise.T) / 2
        atoms.calc = None
        atoms.info["REF_stress"] = label.ravel()
    return [atoms for atoms, _ in frames]


@pytest.mark.parametrize(("sign", "count", "warned"), [(1, 10, False), (-1, 10, True), (-1, 5, False)])
def test_a_stress_of_the_wrong_sign_is_told(model, tmp_path, sign, count, warned):
    """A constant difference of pressure is no wrong sign, and few structures prove none."""
    data, out = tmp_path / "boxes.extxyz", tmp_path / "errors.json"
    ase.io.write(data, strained_waters(model, sign, count))
    result = run(data, "--model", model, "--atoms-per-block", 16, "--out", out)
    assert result.exit_code == 0, result.output
    words = " ".join(result.output.split())
    stress = json.loads(out.read_text())["properties"]["stress"]
    assert stress["slope"] == pytest.approx(sign, abs=0.1) and sign * stress["correlation"] > 0.95
    assert f"Stress, between structures: slope {stress['slope']:.2f}" in words
    assert ("the sign of the labels is opposite to Helio's" in words) == warned, words
