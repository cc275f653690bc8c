"""Reading and writing of structures, good files and bad ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from helio.errors import HelioError
from helio.files.structures import read_structure, read_structures, write_structure


@pytest.mark.parametrize("name", ["water.xyz", "water.extxyz", "water.pdb", "water.cif", "water.gro", "POSCAR"])
def test_round_trip(tmp_path: Path, name: str) -> None:
    atoms = molecule("H2O", cell=[8.0, 8.0, 8.0], pbc=True)
    write_structure(tmp_path / name, atoms)
    again = read_structure(tmp_path / name)
    assert sorted(again.numbers) == sorted(atoms.numbers)
    distances = np.sort(again.get_all_distances(mic=True).ravel())
    np.testing.assert_allclose(distances, np.sort(atoms.get_all_distances().ravel()), atol=0.02)


def test_last_structure_by_default(tmp_path: Path) -> None:
    file = tmp_path / "two.xyz"
    write_structure(file, [molecule("H2O"), molecule("CH4")])
    assert read_structure(file).get_chemical_formula() == "CH4"
    assert len(read_structures(file)) == 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.xyz", "", "is empty"),
        ("cut.xyz", "3\nwater\nO 0 0 0\nH 0 0 1", "cut off"),
        ("cut.extxyz", "3\nProperties=species:S:1:pos:R:3\nO 0 0 0\nH 0", "cut off"),
        ("none.pdb", "REMARK nothing here\nEND\n", "no atoms"),
        ("what.unknown", "some text", "not known"),
        ("letter.xyz", "1\n\nO a b c\n", "cannot be read"),
    ],
)
def test_bad_files(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(HelioError, match=message):
        read_structure(tmp_path / name)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(HelioError, match="no file"):
        read_structure(tmp_path / "nowhere.xyz")
    with pytest.raises(HelioError, match="folder"):
        read_structure(tmp_path)


def test_never_overwrites_unasked(tmp_path: Path) -> None:
    file = tmp_path / "water.xyz"
    write_structure(file, molecule("H2O"))
    with pytest.raises(HelioError, match="exists"):
        write_structure(file, Atoms("H"))
    write_structure(file, Atoms("H"), overwrite=True)
    assert len(read_structure(file)) == 1
    with pytest.raises(HelioError, match="no extension"):
        write_structure(tmp_path / "water.what", Atoms("H"))
    assert [path.name for path in tmp_path.iterdir()] == ["water.xyz"]
