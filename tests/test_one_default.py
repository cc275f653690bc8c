"""The same structure has the same energy and forces through every door, whatever its periodicity."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms, units
from ase.build import molecule
from typer.testing import CliRunner

from helio.cli import app
from helio.files.trajectory import read_frames
from helio.force_field import ForceField, ModelInfo, save_model
from helio.interfaces import HelioCalculator
from tests.conftest import TINY


def water_and_ammonia(pbc: bool | tuple[bool, bool, bool]) -> Atoms:
    """Two molecules 5 A apart, in vacuum or in a cell that they share with their images."""
    atoms = molecule("H2O") + molecule("NH3")
    atoms.positions[3:] += [0.4, 0.3, 5.0]
    atoms.set_cell([7.0, 7.0, 9.0])
    atoms.pbc = pbc
    return atoms


@pytest.fixture(scope="module")
def force_field() -> ForceField:
    """A model with random weights and all long-range terms."""
    return ForceField.initialise(replace(TINY, electrostatics=True, dispersion=True), 3)


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize(
    ("pbc", "cutoff"),
    [
        pytest.param(False, 1000.0, id="molecule"),
        pytest.param((True, True, False), 12.0, id="slab", marks=pytest.mark.slow),
        pytest.param(True, 12.0, id="bulk"),
    ],
)
def test_calculator_md_opt_and_eval_agree(
    force_field: ForceField,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pbc: bool | tuple[bool, bool, bool],
    cutoff: float,
) -> None:
    monkeypatch.setattr("helio.cli.compiled.keep_compiled_programs", lambda: None)
    model, file = tmp_path / "model.safetensors", tmp_path / "structure.extxyz"
    save_model(force_field, model, ModelInfo(name="small"))
    atoms = water_and_ammonia(pbc)
    atoms.calc = HelioCalculator(model)
    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    if cutoff == 1000.0:  # the other one would be noticed
        other = HelioCalculator(model, long_range_cutoff=12.0).calculate_properties(atoms, ["energy", "forces"])
        assert abs(other["energy"] - energy) > 1e-2 and np.abs(other["forces"] - forces).max() > 1e-4
    atoms.arrays["REF_forces"] = forces
    atoms.calc = None
    ase.io.write(file, atoms)

    run("md", file, "--model", model, "--steps", 1, "--save", "forces", "--save-every", 1, "--out", tmp_path / "run")
    with (tmp_path / "run" / "log.csv").open() as log:
        assert float(next(csv.DictReader(log))["potential_eV"]) == pytest.approx(energy, abs=1e-5)
    frame = next(iter(read_frames(tmp_path / "run" / "trajectory.h5md")))
    np.testing.assert_allclose(frame.arrays["force"] * units.kJ / units.mol, forces, atol=1e-5)

    said = run("opt", file, "--model", model, "--steps", 0, "--fmax", 100, "--out", tmp_path / "opt.extxyz")
    assert float(re.search(r"E +(\S+) eV", said).group(1)) == pytest.approx(energy, abs=1e-5)  # pyright: ignore

    run("eval", file, "--model", model, "--atoms-per-block", 8, "--out", tmp_path / "eval.json")
    numbers = json.loads((tmp_path / "eval.json").read_text())
    assert numbers["properties"]["forces"]["mae"] < 1e-5 and numbers["long_range_cutoff"] == cutoff
