"""Reading of GROMACS files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units

from helio.errors import HelioError
from helio.files.structure_reading import read
from helio.files.structures import write_structure

LINES = """\
two atoms of alanine and ions, t= 0.0
    5
    1ALA     CA    1   0.100   0.200   0.300  0.0100  0.0000  0.0000
    1ALA    HB1    2   0.300   0.200   0.300  0.0000  0.0200  0.0000
    2CA      CA    3   1.300   0.200   0.300  0.0000  0.0000  0.0000
    3HEM     NA    4   1.300   1.200   0.300  0.0000  0.0000  0.0000
    4CLA    CLA    5   0.300   1.200   1.300  0.0000  0.0000  0.0000
   2.00000   2.00000   2.00000
"""


def test_names_velocities_and_box(tmp_path: Path) -> None:
    (tmp_path / "a.gro").write_text(LINES)
    reading = read(tmp_path / "a.gro", charge=1)
    atoms = reading.atoms
    assert atoms.get_chemical_symbols() == ["C", "H", "Ca", "N", "Cl"]
    np.testing.assert_allclose(atoms.positions[4], [3.0, 12.0, 13.0])
    np.testing.assert_allclose(atoms.get_velocities()[0, 0], 0.1 / (1000 * units.fs), rtol=1e-6)
    np.testing.assert_allclose(atoms.cell.lengths(), 20.0)
    assert atoms.pbc.all() and list(atoms.arrays["residuenames"][:3]) == ["ALA", "ALA", "CA"]


def test_frames_precision_triclinic_boxes_and_no_box(tmp_path: Path) -> None:
    box = "2.0 2.0 2.0 0.0 0.0 0.5 0.0 0.0 0.0"
    second = f"second\n1\n    1SOL     OW    1   1.23456  -2.34567   3.45678\n{box}\n\n"
    (tmp_path / "a.gro").write_text("first\n0\n 0 0 0\n" + second)
    reading = read(tmp_path / "a.gro")
    assert reading.frames == 2 and not reading.atoms.has("momenta")
    np.testing.assert_allclose(reading.atoms.positions, [[12.3456, -23.4567, 34.5678]])
    np.testing.assert_allclose(reading.atoms.cell.array, [[20, 0, 0], [5, 20, 0], [0, 0, 20]])
    (tmp_path / "b.gro").write_text("none\n1\n    1SOL     OW    1   1.000   2.000   3.000\n 0 0 0\n")
    assert not read(tmp_path / "b.gro").atoms.pbc.any()


def test_columns_hold_many_atoms_and_refuse_what_is_too_wide(tmp_path: Path) -> None:
    argon = Atoms("Ar100001", np.zeros((100_001, 3)) + np.arange(100_001)[:, None] % 900)
    write_structure(tmp_path / "a.gro", argon)
    np.testing.assert_allclose(read(tmp_path / "a.gro").atoms.positions, argon.positions, atol=5.1e-3)
    with pytest.raises(HelioError, match="the positions are beyond its columns"):
        write_structure(tmp_path / "b.gro", Atoms("Ar", [[1e5, 0, 0]]))
    named = Atoms("Ar")
    named.set_array("residuenames", np.array(["KRYPTON"]))
    with pytest.raises(HelioError, match="the name 'KRYPTON' has more than five letters"):
        write_structure(tmp_path / "b.gro", named)
    assert not (tmp_path / "b.gro").exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    5\n", "    6\n", "cut off: 6 atoms and a box are announced, 6 lines follow"),
        ("    5\n", "    many\n", "holds no number of atoms"),
        ("0.100   0.200", "nowhere 0.200", "holds no position"),
        ("   2.00000   2.00000   2.00000", "box", "holds no box"),
        ("4CLA    CLA", "4SOL     MW", "take out virtual sites"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in LINES
    (tmp_path / "a.gro").write_text(LINES.replace(old, new, 1))
    with pytest.raises(HelioError, match=message):
        read(tmp_path / "a.gro", charge=1)
