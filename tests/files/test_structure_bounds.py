"""Counts in structure files are held against their size."""

from __future__ import annotations

from pathlib import Path

import pytest

from helio.errors import HelioError
from helio.files.structure_bounds import check_counts, open_text

MANY = 3 * 10**9
CASES = {
    "xyz": f"{10**18}\n\nO 0 0 0\n",
    "extxyz": f"1\nProperties=species:S:1:pos:R:{MANY}\nO 0 0 0\n",
    "vasp": f"x\n1.0\n8 0 0\n0 8 0\n0 0 8\nO\n{MANY}\nDirect\n0 0 0\n",
    "vasp-xdatcar": f"x\n1.0\n8 0 0\n0 8 0\n0 0 8\nO\n{MANY}\nDirect configuration= 1\n0 0 0\n",
    "cube": f"x\ny\n1 0 0 0\n{MANY} 1 0 0\n100 0 1 0\n1 0 0 1\n8 8 0 0 0\n0 0 0\n",
    "gen": f"{MANY} C\n O\n 1 1 0 0 0\n",
    "cfg": f"Number of particles = {MANY}\nA = 1\n",
    "dlp4": f"x\n 0 0 {MANY}\nO 1\n0 0 0\n",
    "dlp-history": f"x\n 0 0 1\ntimestep 1 {MANY} 0 0 0.1\nO 1\n0 0 0\n",
    "lammps-data": f"x\n\n{MANY} atoms\n1 atom types\n",
    "lammps-dump-text": f"ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n{MANY}\n",
    "xsf": f"CRYSTAL\nPRIMCOORD\n{MANY} 1\n8 0 0 0\n",
}


@pytest.mark.parametrize("kind", CASES)
def test_counts_beyond_the_size_of_the_file(tmp_path: Path, kind: str) -> None:
    (tmp_path / "file").write_text(CASES[kind])
    with pytest.raises(HelioError, match="says that it holds"):
        check_counts(tmp_path / "file", kind)


def test_columns_that_the_first_atom_lacks(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("1\nProperties=species:S:1:pos:R:30\nO 0 0 0" + 100 * " " + "\n")
    with pytest.raises(HelioError, match="announces 31 columns; its first atom has 4"):
        check_counts(tmp_path / "file", "extxyz")


def test_sound_files_pass(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("1\nProperties=species:S:1:pos:R:3\nO 0 0 0\n2\n\nO 0 0 0\nO 0 0 1\n\n")
    check_counts(tmp_path / "file", "extxyz")
    check_counts(tmp_path / "file", "no such format")


def test_reading_ends_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a\nb\n")
    with open_text(tmp_path / "file") as file:
        assert [file.readline() for _ in range(3)] == ["a\n", "b\n", ""]
        with pytest.raises(EOFError):
            while True:
                file.readline()
