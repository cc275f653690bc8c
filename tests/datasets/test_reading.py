from __future__ import annotations

import ase.io
import numpy as np
import pytest
from ase.build import molecule

from helio.datasets import ReadingChoices, count_labelled, read_labelled
from helio.errors import HelioError
from helio.units import KCAL_PER_MOL


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "set.extxyz"
    frames = [molecule(name) for name in ("H2O", "CH4", "NH3", "CO2", "H2O")]
    for number, atoms in enumerate(frames):
        atoms.info["number"] = number
    ase.io.write(path, frames)
    return path


@pytest.mark.parametrize(
    ("stride", "limit", "numbers"),
    [(1, None, [0, 1, 2, 3, 4]), (2, None, [0, 2, 4]), (2, 2, [0, 2]), (1, 9, [0, 1, 2, 3, 4])],
)
def test_stride_and_limit(file, stride, limit, numbers):
    structures = list(read_labelled(file, stride=stride, limit=limit))
    assert [structure.number for structure in structures] == numbers
    assert [structure.attributes["number"] for structure in structures] == numbers
    assert count_labelled(file, stride=stride, limit=limit) == len(numbers)


def test_npz_sets(tmp_path):
    path = tmp_path / "md17.npz"
    rng = np.random.default_rng(0)
    positions, forces = rng.normal(size=(2, 600, 3, 3))
    np.savez(path, R=positions, z=np.array([8, 1, 1]), E=np.arange(600.0)[:, None], F=forces)
    structures = list(read_labelled(path, stride=300))
    assert [structure.number for structure in structures] == [0, 300]
    assert count_labelled(path) == 600
    assert structures[1].labels["energy"] == pytest.approx(300 * KCAL_PER_MOL)
    np.testing.assert_allclose(structures[1].labels["forces"], forces[300] * KCAL_PER_MOL)
    np.testing.assert_array_equal(structures[1].positions, positions[300])
    assert "kcal/mol" in structures[0].units.described(["energy"]) and "MD17" in structures[0].units.origin
    np.savez(path, R=positions, z=np.array([8, 1]))
    with pytest.raises(HelioError, match="do not fit"):
        list(read_labelled(path))
    np.savez(path, R=positions)
    with pytest.raises(HelioError, match="no array of numbers"):
        list(read_labelled(path, layout="md17"))


def test_labels_charge_and_spin_of_npz(tmp_path):
    """Everything that the file has: also dipoles, charges, ratios and a multiplicity."""
    dipole, charges = np.arange(6.0).reshape(2, 3), np.full((2, 2), 0.25)
    np.savez(
        tmp_path / "oh.npz", R=np.eye(3)[None, :2] + np.zeros((2, 1, 1)), z=[8, 1], E=[1.0, 2.0], e_unit="eV", D=dipole,
        charges=charges, hirshfeld_ratios=charges, q=[0, 1], multiplicity=[2, 3], old_indices=[7, 9],
    )  # fmt: skip
    first, second = read_labelled(tmp_path / "oh.npz")
    assert (first.charge, first.unpaired_electrons) == (0, 1) and (second.charge, second.unpaired_electrons) == (1, 2)
    assert set(second.labels) == {"energy", "dipole", "charges", "hirshfeld_ratios"}
    np.testing.assert_array_equal(second.labels["dipole"], dipole[1])
    assert second.labels["energy"] == 2.0 and second.unused == ("old_indices",)
    assert second.attributes["old_indices"] == 9


def test_electrons_are_read_by_all_their_names(tmp_path):
    radical, cation, broken, half = (molecule("OH") for _ in range(4))
    radical.info["total_spin"] = 2  # of an odd number of electrons: a multiplicity
    cation.info |= {"total_charge": 1, "multiplicity": 3}
    broken.info |= {"charge": 0, "q": 1}
    half.info |= {"charge": 0.5}
    ase.io.write(tmp_path / "oh.extxyz", [radical, cation, broken, half])
    found = list(read_labelled(tmp_path / "oh.extxyz"))
    assert [(s.charge, s.unpaired_electrons) for s in found[:2]] == [(None, 1), (1, 2)]
    assert "different charges" in (found[2].problem or "") and "whole number" in (found[3].problem or "")
    charged = next(read_labelled(tmp_path / "oh.extxyz", ReadingChoices(charge=-1)))
    assert charged.charge is None and charged.unpaired_electrons == 2  # two electrons of an even number


def test_damaged_files_are_explained(tmp_path, file):
    with pytest.raises(HelioError, match="there is no file"):
        read_labelled(tmp_path / "absent.xyz")
    empty = tmp_path / "empty.xyz"
    empty.touch()
    with pytest.raises(HelioError, match="is empty"):
        read_labelled(empty)
    cut = tmp_path / "cut.extxyz"
    cut.write_text(file.read_text()[:-60])
    with pytest.raises(HelioError, match="cut off"):
        list(read_labelled(cut))
    unknown = tmp_path / "letter.txt"
    unknown.write_text("Dear chemist,\n")
    with pytest.raises(HelioError, match="format"):
        list(read_labelled(unknown))
    half = tmp_path / "half.npz"
    half.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(HelioError, match="npz"):
        list(read_labelled(half))
    with pytest.raises(HelioError, match="at least 1"):
        read_labelled(file, stride=0)


def test_a_header_is_not_believed(tmp_path):
    """The header claims 10^9 structures, for which no memory is taken."""
    path = tmp_path / "lying.npz"
    np.savez(path, R=np.zeros((4, 3, 3)), z=np.array([8, 1, 1]), E=np.zeros(4))
    path.write_bytes(path.read_bytes().replace(b"(4, 3, 3), }        ", b"(999999999, 3, 3), }"))
    with pytest.raises(HelioError, match="damaged"):
        list(read_labelled(path))
