"""Wolf's self-term: a molecule in a box is what it is without a cutoff."""

from __future__ import annotations

import csv
import json
import warnings
from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from typer.testing import CliRunner

from helio.cli import app
from helio.evaluate import lattice_energy
from helio.force_field import ForceField, ModelInfo, save_model
from helio.interfaces import HelioCalculator
from helio.kernels import available
from helio.units import COULOMB
from tests.conftest import TINY

OFFSET = COULOMB / 2 * (1 / 12 - 1 / 1000)  # eV / e^2: (k / 2) [V(12 A) - V(1000 A)], up to erfc(3)


@pytest.fixture(scope="module")
def force_field() -> ForceField:
    """A model with random weights and all long-range terms."""
    return ForceField.initialise(replace(TINY, electrostatics=True, dispersion=True), 3)


def ammonium() -> Atoms:
    ion = molecule("CH4")
    ion.numbers[0] = 7
    ion.info["charge"] = 1
    return ion


def in_a_box(atoms: Atoms) -> Atoms:
    box = atoms.copy()
    box.cell, box.pbc = [30.0] * 3, True
    box.center()
    return box


@pytest.mark.parametrize("kernels", ["plain", "compiled"])
@pytest.mark.parametrize(("atoms", "charge"), [(molecule("CH3CONH2"), 0), (ammonium(), 1)], ids=["acetamide", "ion"])
def test_a_molecule_in_a_box_is_the_free_molecule(
    force_field: ForceField, kernels: str, atoms: Atoms, charge: int
) -> None:
    if kernels == "compiled" and not available():
        pytest.skip("the compiled operations are not there")
    model = "helio-s" if kernels == "compiled" else force_field
    free = atoms.copy()
    free.rattle(0.03, seed=1)
    boxed = in_a_box(free)
    for structure in (free, boxed):
        structure.calc = HelioCalculator(
            model,
            precision="float64",
            electrostatics="wolf",
            kernels=kernels,  # pyright: ignore[reportArgumentType]
        )
    offset = OFFSET * charge**2
    assert free.get_potential_energy() - boxed.get_potential_energy() == pytest.approx(offset, abs=1e-4 * offset + 1e-8)
    np.testing.assert_allclose(boxed.get_forces(), free.get_forces(), atol=1e-8)
    shifted = boxed.copy()
    shifted.calc = HelioCalculator(model, precision="float64")
    assert np.abs(shifted.get_forces() - free.get_forces()).max() > 1e-5


def test_boxes_and_molecules_are_comparable_with_wolf_alone(force_field: ForceField) -> None:
    shifted, wolf = HelioCalculator(force_field), HelioCalculator(force_field, electrostatics="wolf")
    water = molecule("H2O")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for atoms in (water, in_a_box(water)):
            wolf.calculate_properties(atoms, ["energy"])
        shifted.calculate_properties(water, ["energy"])
    with pytest.warns(UserWarning, match="must not be subtracted"):
        shifted.calculate_properties(in_a_box(water), ["energy"])


@pytest.fixture(scope="module")
def model(force_field: ForceField, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_model(force_field, path, ModelInfo(name="small"))
    return path


def crystal() -> Atoms:
    """Two molecules of water in a cell, the second across its boundary."""
    first, second = molecule("H2O"), molecule("H2O")
    second.rotate(70, "x")
    second.positions += [3.0, 3.2, 4.4]
    atoms = first + second
    atoms.cell, atoms.pbc = [5.6, 5.8, 5.4], True
    atoms.wrap()
    atoms.info |= {"name": "ice", "lattice_energy_kcal_mol": 14.0}
    return atoms


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def test_lattice_energies_through_the_command_line(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("helio.cli.compiled.keep_compiled_programs", lambda: None)
    broken = crystal()[:1]
    broken.pbc = False
    broken.info["name"] = "no crystal"
    ase.io.write(tmp_path / "crystals.extxyz", [crystal(), broken])
    out = tmp_path / "out.json"
    said = run(
        "eval", tmp_path / "crystals.extxyz", "--crystals", "--model", model, "--skip-unusable", "--out", out,
    )  # fmt: skip
    assert "wolf electrostatics" in said and "Left out: 1, the first is no crystal" in said
    saved = json.loads(out.read_text())
    bulk, single = (HelioCalculator(model, precision="float64", electrostatics="wolf") for _ in range(2))
    expected = lattice_energy(crystal(), bulk, single)
    assert expected.molecules == 2
    assert saved["crystals"][0]["predicted"] == pytest.approx(expected.energy, abs=1e-9)
    assert saved["total"]["mae"] == pytest.approx(abs(expected.energy - 14.0))
    waters = crystal()
    waters.calc = bulk
    apart = 0.0
    for member in (molecule("H2O"), molecule("H2O")):
        member.calc = single
        apart += member.get_potential_energy()
    by_hand = (apart - waters.get_potential_energy()) / 2 * 23.060548
    assert expected.energy == pytest.approx(by_hand, abs=1e-5)


def test_terms_stand_in_the_log_of_a_run(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("helio.cli.compiled.keep_compiled_programs", lambda: None)
    ase.io.write(tmp_path / "crystal.extxyz", crystal())
    run("md", tmp_path / "crystal.extxyz", "--model", model, "--electrostatics", "wolf", "--dispersion-tail", "mesh",
        "--steps", 2, "--log-every", 1, "--out", tmp_path / "run")  # fmt: skip
    with (tmp_path / "run" / "log.csv").open() as log:
        row = next(csv.DictReader(log))
    atoms = crystal()
    atoms.calc = HelioCalculator(model, electrostatics="wolf", dispersion_tail="mesh")
    atoms.get_potential_energy()
    terms = atoms.calc.results["energy_terms"]
    for name in ("electrostatics_self", "dispersion_tail"):
        assert float(row[f"{name}_eV"]) == pytest.approx(terms[name], abs=2e-5) and terms[name] < -1e-5


def test_a_run_says_why_its_electrostatics_is_the_default(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("helio.cli.compiled.keep_compiled_programs", lambda: None)
    ase.io.write(tmp_path / "crystal.extxyz", crystal())
    options = ("--model", model, "--fmax", 1000, "--overwrite", "--out", tmp_path / "out.extxyz")
    assert "shifted at the cutoff, as published" in run("opt", tmp_path / "crystal.extxyz", *options)
    assert "as published" not in run("opt", tmp_path / "crystal.extxyz", "--electrostatics", "wolf", *options)
    assert "electrostatics of boxes" in run("model", "info", model)
