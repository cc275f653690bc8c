"""Reading of mol2 files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from helio.errors import HelioError
from helio.files.mol2 import read_mol2

ACETATE = """\
# written by hand
@<TRIPOS>MOLECULE
acetate
 7 6 1
SMALL
GASTEIGER

@<TRIPOS>ATOM
  1 C1   0.0  0.0  0.0 C.3   1 LIG1  0.0332
  2 C2   1.5  0.0  0.0 C.2   1 LIG1  0.0383
  3 O1   2.1  1.1  0.0 O.co2 1 LIG1 -0.5497
  4 O2   2.1 -1.1  0.0 O.co2 1 LIG1 -0.5497
  5 H1  -0.4  1.0  0.0 H     1 LIG1  0.0093
  6 H2  -0.4 -0.5  0.9 H     1 LIG1  0.0093
  7 H3  -0.4 -0.5 -0.9 H     1 LIG1  0.0093
@<TRIPOS>BOND
  1 1 2 1
"""


def test_reads_elements_names_residues_and_charges(tmp_path: Path) -> None:
    file = tmp_path / "acetate.mol2"
    file.write_text(ACETATE)
    (molecule,) = read_mol2(file)
    assert molecule.atoms.get_chemical_formula() == "C2H3O2"
    assert molecule.title == "acetate"
    assert round(molecule.atoms.get_initial_charges().sum(), 6) == -1
    assert list(molecule.atoms.arrays["atomtypes"][:3]) == ["C1", "C2", "O1"]
    assert set(molecule.atoms.arrays["residuenames"]) == {"LIG"}
    np.testing.assert_allclose(molecule.atoms.positions[3], [2.1, -1.1, 0.0])
    assert not molecule.atoms.pbc.any()


@pytest.mark.parametrize(
    ("name", "kind", "element"),
    [
        ("CA", "ca", "C"),
        ("C1", "CA", "C"),
        ("CL1", "cl", "Cl"),
        ("NA", "Na", "Na"),
        ("HG", "ho", "H"),
        ("CA", "CT", "C"),
    ],
)
def test_elements_of_other_force_fields(tmp_path: Path, name: str, kind: str, element: str) -> None:
    file = tmp_path / "atom.mol2"
    file.write_text(f"@<TRIPOS>MOLECULE\nx\n 1\nSMALL\nNO_CHARGES\n@<TRIPOS>ATOM\n1 {name} 0 0 0 {kind} 1 LIG 0.5\n")
    (molecule,) = read_mol2(file)
    assert molecule.atoms.get_chemical_symbols() == [element]
    assert not molecule.atoms.has("initial_charges")


def test_cell_of_p1_alone(tmp_path: Path) -> None:
    for number, pbc, unused in ((1, True, ()), (14, False, ("CRYSIN (space group 14 1)",))):
        file = tmp_path / f"{number}.mol2"
        file.write_text(ACETATE + f"@<TRIPOS>CRYSIN\n 10.0 11.0 12.0 90 90 90 {number} 1\n")
        (molecule,) = read_mol2(file)
        assert molecule.atoms.pbc.all() == pbc
        assert molecule.unused == unused


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (" 7 6 1", " 99999999999 6 1", "should hold 99999999999 atoms and holds 7"),
        ("@<TRIPOS>MOLECULE", "@<TRIPOS>NOTHING", "no mol2 file"),
        ("O.co2 1 LIG1 -0.5497\n  5", "Du 1 LIG1 0\n  5", "which is no element"),
        ("-1.1  0.0", "much  0.0", "cannot be read"),
        ("  4 O2   2.1 -1.1  0.0 O.co2 1 LIG1 -0.5497", "  4 O2   2.1", "cannot be read"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    file = tmp_path / "bad.mol2"
    assert old in ACETATE
    file.write_text(ACETATE.replace(old, new, 1))
    with pytest.raises(HelioError, match=message):
        read_mol2(file)
