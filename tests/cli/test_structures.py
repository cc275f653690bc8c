"""What `helio md`, `helio opt` and `helio export` keep of a structure, from file to file."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.constraints import FixAtoms, FixBondLength, FixCartesian, FixScaled
from typer.testing import CliRunner

from helio.cli import app
from helio.files.fixed_atoms import fixed_atoms
from helio.files.structure_reading import read
from helio.files.structures import write_structure
from helio.force_field import ForceField
from helio.force_field.model_file import ModelInfo, save_model


@pytest.fixture(autouse=True)
def model(small_force_field: ForceField, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model in an empty folder that is the present one."""
    monkeypatch.chdir(tmp_path)
    # The setting of the compilation cache would outlive the test.
    monkeypatch.setattr("helio.cli.compiled.keep_compiled_programs", lambda: None)
    save_model(small_force_field, "small.safetensors", ModelInfo(name="small"))


def helio(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def short_run(*arguments: str) -> Any:
    options = ["--model", "small.safetensors", "--steps", "2", "--save-every", "1", "--temperature", "10"]
    return helio("md", *arguments, *options)


def hydroxide() -> Atoms:
    """Two hydroxides and a chloride, charge -3, with names, in a slab; the last atom is fixed."""
    positions = [[0, 0, 0], [0, 0, 0.97], [4, 0, 0], [4, 0, 0.97], [2, 2.5, 0]]
    atoms = Atoms("OHOHCl", positions, cell=[12, 13, 30], pbc=[True, True, False])
    atoms.set_array("atomtypes", np.array(["O1", "H 1", "O2", "H2", "CL"]))
    atoms.set_array("residuenames", np.array(["OH", "OH", "OH", "OH", "CL"]))
    atoms.set_array("residuenumbers", np.array([1, 1, 2, 2, 3]))
    atoms.set_array("chainids", np.array([""] * 5))
    atoms.info["total_charge"] = -3
    atoms.set_constraint(FixAtoms([4]))
    return atoms


def test_a_run_that_is_exported_is_the_same_system(tmp_path: Path) -> None:
    write_structure("a.extxyz", hydroxide())
    first = short_run("a.extxyz", "--frozen", "0")
    assert first.exit_code == 0, first.output
    assert "charge -3 (from total_charge)" in first.output and "1 fixed atom;" in first.output
    assert helio("export", "run", "--format", "extxyz", "--out", "b.extxyz").exit_code == 0
    exported = read("b.extxyz")
    assert exported.electrons.charge == -3 and exported.frames == 3
    assert fixed_atoms(exported.atoms).tolist() == [True, False, False, False, True]
    assert exported.atoms.arrays["atomtypes"].tolist() == ["O1", "H_1", "O2", "H2", "CL"]
    assert exported.atoms.arrays["residuenames"].tolist() == ["OH", "OH", "OH", "OH", "CL"]
    assert exported.atoms.arrays["residuenumbers"].tolist() == [1, 1, 2, 2, 3]
    assert exported.atoms.cell.lengths().tolist() == [12, 13, 30] and exported.atoms.pbc.tolist() == [True, True, False]
    again = short_run("b.extxyz", "--out", "again", "--dry-run")
    assert again.exit_code == 0 and "charge -3 (from charge)" in again.output, again.output
    assert "2 fixed atoms; velocities; frame 3 of 3" in again.output
    # A part of the atoms has no charge that would be known.
    helio("export", "run", "--format", "extxyz", "--selection", "index 0:1", "--out", "part.extxyz")
    assert read("part.extxyz", charge=-1).electrons.charge_source == "as asked for"
    assert "charge" not in Path("part.extxyz").read_text().splitlines()[1].replace("charges", "")
    assert helio("export", "run", "--format", "pdb", "--out", "b.pdb").exit_code == 0
    of_pdb = read("b.pdb", frame=3)
    assert of_pdb.electrons.charge == -3 and of_pdb.frames == 3
    assert of_pdb.atoms.get_chemical_formula() == "H2ClO2"


def test_constraints_that_md_does_not_hold(tmp_path: Path) -> None:
    water = molecule("H2O", vacuum=4.0, pbc=True)
    water.set_constraint(FixScaled(1, (True, False, False)))
    write_structure("POSCAR", water)
    refused = short_run("POSCAR")
    assert refused.exit_code == 1 and "atom 1 fixed along" in refused.output and "--frozen none" in refused.output
    assert short_run("POSCAR", "--frozen", "none", "--dry-run").exit_code == 0
    held = helio("opt", "POSCAR", "--model", "small.safetensors", "--steps", "1", "--out", "o.extxyz")
    assert "constraints besides fixed atoms: atom 1 fixed along" in held.output, held.output


def test_directions_that_are_held_stand_in_a_poscar() -> None:
    water = molecule("H2O", vacuum=4.0, pbc=True)
    water.set_constraint([FixCartesian(1, (True, False, False)), FixAtoms([0])])
    write_structure("a.traj", water)
    options = ["--model", "small.safetensors", "--steps", "3"]
    result = helio("opt", "a.traj", *options, "--out", "POSCAR")
    assert result.exit_code in (0, 1) and "Wrote POSCAR" in result.output, result.output
    relaxed = read("POSCAR")
    assert fixed_atoms(relaxed.atoms).tolist() == [True, False, False]
    assert "atom 1 fixed along a alone" in relaxed.summary()
    moved = relaxed.atoms.positions - water.positions
    assert not moved[0].any() and abs(moved[1, 0]) < 1e-12 and np.abs(moved[1:, 1:]).max() > 1e-4
    # In this cell no coordinate alone holds x, and a bond has no flag.
    skewed, bonded = water.copy(), water.copy()
    skewed.set_cell([[9, 0, 0], [3, 9, 0], [0, 0, 9]])
    skewed.set_constraint(FixCartesian(1, (True, False, False)))
    bonded.set_constraint(FixBondLength(0, 1))
    for atoms, words in ((skewed, "directions that no vector of this cell has"), (bonded, "have no FixBondLength")):
        write_structure("b.traj", atoms, overwrite=True)
        refused = helio("opt", "b.traj", *options, "--out", "b.vasp")
        assert refused.exit_code == 1 and words in " ".join(refused.output.split()), refused.output
        assert "step" not in refused.output and not Path("b.vasp").exists()


def test_fixed_atoms_and_constant_pressure(tmp_path: Path) -> None:
    water = molecule("H2O", cell=[30, 30, 30], pbc=True)
    water.set_constraint(FixAtoms([0]))
    write_structure("a.extxyz", water)
    refused = short_run("a.extxyz", "--ensemble", "npt")
    assert refused.exit_code == 1 and "fixes 1 atom, which excludes constant pressure" in refused.output
    assert short_run("a.extxyz", "--ensemble", "npt", "--frozen", "none", "--dry-run").exit_code == 0


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("huge.xyz", f"{10**18}\n\nO 0 0 0\n", "says that it holds more than 10^15 atoms"),
        ("wide.extxyz", "1\nProperties=species:S:1:pos:R:99999999\nO 0 0 0\n", "values in a frame"),
        ("x.db", "not a database", "cannot be read"),
        ("x.nc", "nothing", "cannot be read|not known"),
        ("x.dat", "nothing\nat all\n", "cannot be read"),
        ("mysql.xyz", "1\n\nO 0 0\n", "cannot be read"),
        ("latin.xyz", "1\n\nO 0 0 \udce4\n", "cannot be read"),
        ("deep.json", "[" * 100_000, "cannot be read"),
        ("cut.gro", "x\n3\n    1SOL     OW    1   1.000   2.000   3.000\n 0 0 0\n", "cut off"),
        ("half.extxyz", "1\nProperties=species:S:1:pos:R:3:occupancy:R:1\nHe 0 0 0 0.5\n", "He (atom 0) 0.5"),
    ],
)
def test_bad_files_end_with_a_sentence(name: str, content: str, message: str) -> None:
    Path(name).write_bytes(content.encode("utf-8", "surrogateescape"))
    result = helio("md", name, "--model", "small.safetensors")
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit)
    assert any(part in " ".join(result.output.split()) for part in message.split("|")), result.output
    assert not Path("run").exists() and len(result.output) < 600


def test_names_of_outputs() -> None:
    write_structure("water.xyz", molecule("H2O"))
    for name in ("o", "o.nothing", "x" * 300 + ".xyz"):
        result = helio("opt", "water.xyz", "--model", "small.safetensors", "--steps", "0", "--out", name)
        assert result.exit_code == 1 and isinstance(result.exception, SystemExit), result.output


def test_compressed_files_and_names_with_an_at_sign() -> None:
    write_structure("a.pdb", molecule("H2O"))
    Path("b@1.pdb.gz").write_bytes(gzip.compress(Path("a.pdb").read_bytes()))
    result = helio("md", "b@1.pdb.gz", "--model", "small.safetensors", "--dry-run")
    assert result.exit_code == 0 and result.output.startswith("b@1.pdb.gz: 3 atoms (H2O)"), result.output
