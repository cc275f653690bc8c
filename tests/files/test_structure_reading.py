"""What is understood of structure files, and that it is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.constraints import FixAtoms, FixBondLength, FixCartesian, FixScaled
from ase.io import write

from helio.errors import HelioError
from helio.files.fixed_atoms import fixed_atoms, other_constraints
from helio.files.structure_reading import Reading, read, read_all
from helio.files.structures import write_structure

CASES = Path(__file__).parent / "cases"


def read_text(tmp_path: Path, name: str, text: str, **options) -> Reading:
    (tmp_path / name).write_text(text)
    return read(tmp_path / name, **options)


def pdb_line(number: int, name: str, residue: str, x: float, *, kind: str = "ATOM", altloc: str = " ",
             occupancy: float = 1.0, element: str = "", charge: str = "", residue_number: int = 1) -> str:  # fmt: skip
    return (
        f"{kind:6}{number:5d} {name:4}{altloc}{residue:>3} A{residue_number:4d}    {x:8.3f}{0.0:8.3f}{0.0:8.3f}"
        f"{occupancy:6.2f}  0.00          {element:>2}{charge:2}\n"
    )


def test_charges_of_sd_files(tmp_path: Path) -> None:
    reading = read(CASES / "succinate.sdf")
    assert reading.electrons.charge == -2 and reading.atoms.info["charge"] == -2
    assert "charge -2" in reading.summary() and "12 atoms (C4H4O4)" in reading.summary()
    text = (CASES / "succinate.sdf").read_text()
    # Without the lines M  CHG the old column counts: 5 stands for -1.
    old = "".join(line for line in text.splitlines(keepends=True) if "M  CHG" not in line)
    old = old.replace(" O   0  0", " O   0  5", 1).replace("-0.9248 O   0  0", "-0.9248 O   0  5", 1)
    assert read_text(tmp_path, "old.sdf", old).electrons.charge == -2
    radical = "\n     x\n\n  1  0  0  0  0  0  0  0  0  0999 V2000\n    0.0000    0.0000    0.0000 O   0  0\n"
    triplet = read_text(tmp_path, "o.mol", radical + "M  RAD  1   1   3\nM  ISO  1   1  18\nM  END\n")
    assert triplet.electrons.unpaired == 2 and triplet.unused == ("M  ISO",)
    data = "> <multiplicity>\n3\n\n> <IC50>\n12 nM\n\n$$$$\n"
    stated = read_text(tmp_path, "o.sdf", radical + "M  END\n" + data)
    assert stated.electrons.unpaired == 2 and stated.unused == ("IC50",) and "not used: IC50" in stated.summary()


def test_charge_and_spin_are_told_in_the_words_of_the_file(tmp_path: Path) -> None:
    assert "charge -2 (from M  CHG)" in read(CASES / "succinate.sdf").summary()
    head = "\n     x\n\n  1  0  0  0  0  0  0  0  0  0999 V2000\n    0.0000    0.0000    0.0000 O   0  {code}\n"
    column = read_text(tmp_path, "a.mol", head.format(code=6) + "M  END\n").electrons
    assert (column.charge, column.charge_source) == (-2, "from charges in the atom block")
    lines = head.format(code=0) + "M  CHG  1   1  -1\nM  RAD  1   1   2\nM  END\n"
    radical = read_text(tmp_path, "b.mol", lines)
    assert "charge -1 (from M  CHG); 1 unpaired electron (from M  RAD)" in radical.summary()
    agreed = read_text(tmp_path, "c.sdf", lines + "> <charge>\n-1\n\n$$$$\n").electrons
    assert agreed.charge == -1 and "M  CHG" in agreed.charge_source and "charge" in agreed.charge_source
    contradiction = lines + "> <charge>\n1\n\n$$$$\n"
    with pytest.raises(HelioError, match=r"different charges: .*M  CHG gives -1"):
        read_text(tmp_path, "d.sdf", contradiction)
    assert read(tmp_path / "d.sdf", charge=1).electrons.charge_source == "as asked for"
    ion = read_text(tmp_path, "a.pdb", pdb_line(1, "NA  ", "NA", 0.0, kind="HETATM", element="NA", charge="1+"))
    assert ion.electrons.charge_source == "the sum of columns 79 and 80"
    write_structure(tmp_path / "b.pdb", ion.atoms)
    assert "charge +1 (from REMARK 1); 0 unpaired electrons (from REMARK 1)" in read(tmp_path / "b.pdb").summary()


def test_v3000(tmp_path: Path) -> None:
    lines = ["", "  x", "", "  0  0  0     0  0            999 V3000", "M  V30 BEGIN CTAB", "M  V30 COUNTS 2 1 0 0 0"]
    lines += ["M  V30 BEGIN ATOM", "M  V30 1 O 0 0 0 0 CHG=-1", "M  V30 2 H 0 0 -", "M  V30 0.97 0", "M  V30 END ATOM"]
    reading = read_text(tmp_path, "oh.mol", "\n".join([*lines, "M  V30 END CTAB", "M  END", ""]))
    assert reading.electrons.charge == -1 and reading.atoms.get_distance(0, 1) == pytest.approx(0.97)


def test_records_of_an_sd_file_are_told() -> None:
    assert "frame 1 of 2; choose another by --frame" in read(CASES / "two.sdf").summary()
    second = read(CASES / "two.sdf", frame=2)
    assert second.atoms.get_chemical_formula() == "H2O" and "drawing (2D)" in second.summary()
    assert [len(reading.atoms) for reading in read_all(CASES / "two.sdf")] == [12, 3]
    assert read(CASES / "two.sdf", frame=-1).frame == 2
    with pytest.raises(HelioError, match="holds 2 structures: --frame must be 1 to 2"):
        read(CASES / "two.sdf", frame=3)


def test_models_of_a_pdb_file(tmp_path: Path) -> None:
    first = read(CASES / "models.pdb")
    assert (first.frame, first.frames) == (1, 2) and first.atoms.positions[0, 2] == 0.0
    assert read(CASES / "models.pdb", frame=2).atoms.positions[0, 2] == 0.4
    # Of other files the last structure is the default.
    write(tmp_path / "two.xyz", [molecule("H2O"), molecule("CH4")])
    assert read(tmp_path / "two.xyz").atoms.get_chemical_formula() == "CH4"


def test_elements_and_charges_of_a_pdb_file(tmp_path: Path) -> None:
    lines = [
        pdb_line(1, " CA ", "ALA", 0), pdb_line(2, "CA  ", " CA", 5, kind="HETATM"), pdb_line(3, "HG11", "VAL", 10),
        pdb_line(4, " OXT", "ALA", 15, charge="1-"), pdb_line(5, "CL1 ", "LIG", 20, kind="HETATM"),
        pdb_line(6, " D1 ", "LIG", 25, kind="HETATM"), pdb_line(7, " C1 ", "LIG", 30, element="ZN", charge="2+"),
    ]  # fmt: skip
    cell = "CRYST1    1.000    1.000    1.000  90.00  90.00  90.00 P 1           1\n"
    reading = read_text(tmp_path, "a.pdb", cell + "".join(lines) + "CONECT    1    2\nEND\n")
    assert reading.atoms.get_chemical_symbols() == ["C", "Ca", "H", "O", "Cl", "H", "Zn"]
    assert reading.electrons.charge == 1
    assert not reading.atoms.pbc.any() and "CRYST1 stands for no cell" in reading.summary()
    assert reading.unused == ("CONECT",)
    assert reading.atoms.arrays["atomtypes"][0] == "CA" and reading.atoms.arrays["residuenames"][4] == "LIG"


def test_alternate_locations_of_a_pdb_file(tmp_path: Path) -> None:
    text = pdb_line(1, " CA ", "SER", 0, element="C") + "".join(
        pdb_line(i, " OG ", "SER", x, altloc=label, occupancy=share, element="O")
        for i, (label, share, x) in enumerate((("A", 0.3, 1.4), ("B", 0.7, 1.5)), start=2)
    )
    with pytest.raises(HelioError, match=r"OG of SER A1 \(location A\) 0.3.*--altloc"):
        read_text(tmp_path, "a.pdb", text)
    taken = read(tmp_path / "a.pdb", altloc="A")
    assert taken.atoms.positions[1, 0] == 1.4 and "alternate location A taken, 1 atom of others" in taken.summary()
    assert read(tmp_path / "a.pdb", altloc="largest").atoms.positions[1, 0] == 1.5
    with pytest.raises(HelioError, match="no alternate location C: give --altloc A, B"):
        read(tmp_path / "a.pdb", altloc="C")


def test_partial_occupancy_of_a_cif() -> None:
    with pytest.raises(HelioError, match=r"O at site 2 0.5, O at site 9 0.5.*--altloc largest"):
        read(CASES / "half_oxygen.cif")
    reading = read(CASES / "half_oxygen.cif", altloc="largest")
    assert reading.atoms.get_chemical_formula() == "C2H6O"
    assert "1 alternative left out" in reading.summary()


def test_spin_and_keys_of_extended_xyz(tmp_path: Path) -> None:
    reading = read(CASES / "virials.extxyz")
    assert reading.electrons.unpaired == 2 and reading.atoms.info["spin"] == 2
    assert set(reading.unused) == {"REF_energy", "REF_virials", "REF_forces"}
    assert "not used: REF_energy" in reading.summary()
    text = '1\nProperties=species:S:1:pos:R:3 q=1 comment="x"\nNa 0 0 0\n'
    assert read_text(tmp_path, "a@0.extxyz", text).electrons.charge == 1
    with pytest.raises(HelioError, match=r"b.extxyz: spin must be a whole number"):
        read_text(tmp_path, "b.extxyz", text.replace("q=1", "spin=0.5"))
    assert read(tmp_path / "b.extxyz", unpaired_electrons=1).electrons.unpaired_source == "as asked for"


def test_fixed_atoms(tmp_path: Path) -> None:
    atoms = molecule("H2O", vacuum=4.0, pbc=True)
    masks = {"a.extxyz": FixCartesian(1, (True, False, True)), "POSCAR": FixScaled(1, (True, False, True))}
    for name, partly in masks.items():
        atoms.set_constraint([FixAtoms([0]), partly])
        write(tmp_path / name, atoms)
        reading = read(tmp_path / name)
        assert fixed_atoms(reading.atoms).sum() == 1 and "1 fixed atom;" in reading.summary()
        assert "constraints besides fixed atoms: atom" in reading.summary()
    atoms.set_constraint([FixBondLength(0, 1)])
    assert not fixed_atoms(atoms).any() and other_constraints(atoms) == ["FixBondLengths"]


def test_periodicity_and_velocities() -> None:
    assert "periodic along a and b alone" in read(CASES / "aa_slab.extxyz").summary()
    assert "no velocities" in read(CASES / "aa_slab.extxyz").summary()


def test_structures_are_read_without_heavy_imports(tmp_path: Path) -> None:
    write(tmp_path / "a.xyz", Atoms("He"))
    code = (
        "import sys; from helio.files.structure_reading import read; print(read(sys.argv[1]).summary());"
        "assert not {'jax', 'MDAnalysis'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "a.xyz"], capture_output=True, text=True)
    assert done.returncode == 0 and "1 atom (He)" in done.stdout, done.stderr


def test_pdb_positions_are_kept(tmp_path: Path) -> None:
    atoms = Atoms("OH", [[1.25, 2.5, 3.125], [1.25, 2.5, 4.0]])
    write(tmp_path / "a.pdb", atoms)
    np.testing.assert_allclose(read(tmp_path / "a.pdb", charge=-1).atoms.positions, atoms.positions, atol=1e-3)
