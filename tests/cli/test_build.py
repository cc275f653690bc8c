"""`helio build` as a user meets it."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from helio.cli import app
from helio.files.structures import read_structure
from helio.force_field import ForceField
from helio.force_field.model_file import ModelInfo, save_model
from helio.system import System

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("openmm", "packmol", "pdbfixer", "rdkit")),
    reason="needs openmm, packmol, pdbfixer and rdkit: pip install '.[build]'",
)


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # The setting of the compilation cache would outlive the test.
    monkeypatch.setattr("helio.cli.compiled.keep_compiled_programs", lambda: None)


def build(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["build", *arguments])
    return result.exit_code, result.output


@pytest.mark.parametrize("suffix", [".extxyz", ".pdb", ".gro", ".xyz"])
def test_every_format(suffix: str) -> None:
    out = f"water{suffix}"
    status, said = build("water", "--molecules", "20", "--no-relax", "--out", out)
    assert status == 0 and "60 atoms" in said and "charge +0" in said
    atoms = read_structure(out)
    assert atoms.get_chemical_formula() == "H40O20"
    assert atoms.pbc.all() and atoms.cell.lengths()[0] == pytest.approx(
        (20 * 18.015 * 1.660539 / 0.997) ** (1 / 3), abs=2e-3
    )
    System.from_ase(atoms)


def test_relaxed_by_a_model(small_force_field: ForceField) -> None:
    save_model(small_force_field, "small.safetensors", ModelInfo(name="small"))
    arguments = ["smiles", "CC(=O)[O-]", "--model", "small.safetensors", "--out"]
    status, said = build(*arguments, "relaxed.extxyz", "--relax-steps", "2")
    assert status == 0 and "Relaxing 7 atoms" in said and "step    0" in said, said
    assert build(*arguments, "raw.extxyz", "--no-relax")[0] == 0
    relaxed, raw = read_structure("relaxed.extxyz"), read_structure("raw.extxyz")
    assert relaxed.info["charge"] == raw.info["charge"] == -1
    assert np.abs(relaxed.positions - raw.positions).max() > 1e-3


def test_peptide_into_water() -> None:
    assert build("peptide", "AK", "--helix", "--no-relax", "--out", "peptide.pdb")[0] == 0
    arguments = ["solvate", "peptide.pdb", "--padding", "3", "--shape", "box", "--no-relax", "--out", "solvated.extxyz"]
    status, said = build(*arguments)
    assert status == 0 and "charge +1" in said and "1 ion in" in said
    atoms = read_structure("solvated.extxyz")
    assert atoms.info["charge"] == 0 and (atoms.numbers == 17).sum() == 1
    System.from_ase(atoms)


def test_a_format_without_charge_says_so() -> None:
    status, said = build("peptide", "K", "--no-relax", "--out", "peptide.gro")
    assert status == 0 and "does not hold" in said and "--charge 1" in said
    status, said = build("smiles", "[CH3]", "--no-relax", "--out", "methyl.sdf")
    assert status == 0 and "--spin 1" in said and "--charge" not in said
    status, said = build("smiles", "[CH2+]", "--no-relax", "--out", "methyl.pdb")
    assert status == 0 and "does not hold" not in said
    system = System.from_ase(read_structure("methyl.pdb"))
    assert (system.total_charge, system.unpaired_electrons) == (1, 1)


@pytest.mark.parametrize("suffix", [".extxyz", ".pdb", ".sdf"])
def test_formats_with_charge_are_read_back_with_it(suffix: str) -> None:
    status, said = build("smiles", "[O-]C(=O)CCC(=O)[O-]", "--no-relax", "--out", f"succinate{suffix}")
    assert status == 0 and "charge -2" in said and "does not hold" not in said
    assert System.from_ase(read_structure(f"succinate{suffix}")).total_charge == -2


def test_bilayer() -> None:
    arguments = ["CCCCCCOP(=O)([O-])O", "--per-leaflet", "2", "--waters", "4", "--no-relax", "--out", "bilayer.extxyz"]
    assert build("bilayer", *arguments)[0] == 0
    assert read_structure("bilayer.extxyz").info["charge"] == -4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["water", "--molecules", "0"], "at least one molecule"),
        (["smiles", "CCO", "--copies", "3"], "--density"),
        (["smiles", "C[Si]"], "Si (1 atom)"),
        (["peptide", "AXA"], "'X' is no amino acid"),
        (["peptide", "A", "--helix", "--extended"], "exclude"),
        (["peptide", "A", "--phi", "nan"], "phi is nan: give a finite number"),
        (["water", "--density", "inf"], "density is inf: give a finite number"),
        (["smiles", "C" * 20_000], "20,000 heavy atoms"),
        (["solvate", "nothing.pdb"], "no file nothing.pdb"),
        (["bilayer", "CCCCO", "--charges", "a"], "--charges"),
        (["bilayer", "CCCCO", "--charges", "0,1"], "one number for each"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], message: str) -> None:
    status, said = build(*arguments, "--no-relax", "--out", "out.extxyz")
    assert status == 1 and message in " ".join(said.split()) and "Traceback" not in said and len(said) < 1000
    assert not Path("out.extxyz").exists()


def test_a_structure_is_read_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("long.pdb").write_text("REMARK\n" * 200)
    monkeypatch.setattr("helio.build.repair._MAX_BYTES", 1000)
    status, said = build("solvate", "long.pdb", "--no-relax", "--out", "out.extxyz")
    assert status == 1 and "long.pdb is larger than any structure file (1,000 bytes)" in " ".join(said.split()), said
    os.mkfifo("pipe.pdb")
    status, said = build("solvate", "pipe.pdb", "--no-relax", "--out", "out.extxyz")
    assert status == 1 and "pipe.pdb is a pipe or a device" in " ".join(said.split()), said


def test_a_name_without_extension() -> None:
    status, said = build("water", "--molecules", "5", "--no-relax", "--out", "name")
    assert status == 1 and "no extension of a format" in said and not Path("name").exists()


def test_nothing_is_overwritten_unasked() -> None:
    Path("water.pdb").write_text("mine")
    arguments = ["water", "--molecules", "5", "--no-relax", "--out", "water.pdb"]
    status, said = build(*arguments)
    assert status == 1 and "--overwrite" in said and Path("water.pdb").read_text() == "mine"
    assert build(*arguments, "--overwrite")[0] == 0 and len(read_structure("water.pdb")) == 15
