from __future__ import annotations

import ase.io
import numpy as np
import pytest
from ase.build import molecule

from helio.errors import HelioError
from helio.evaluate import LabelOptions, read_labels
from helio.evaluate.frames import count_frames, read_frames


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
    frames = list(read_frames(file, stride=stride, limit=limit))
    assert [index for index, _ in frames] == numbers
    assert [atoms.info["number"] for _, atoms in frames] == numbers
    assert count_frames(file, stride=stride, limit=limit) == len(numbers)


def test_npz_sets(tmp_path):
    path = tmp_path / "md17.npz"
    rng = np.random.default_rng(0)
    positions, forces = rng.normal(size=(2, 4, 3, 3))
    np.savez(path, R=positions, z=np.array([8, 1, 1]), E=np.arange(4.0)[:, None], F=forces)
    frames = list(read_frames(path, stride=3))
    assert [index for index, _ in frames] == [0, 3]
    assert count_frames(path) == 4
    labels = read_labels(frames[1][1], LabelOptions())
    assert labels.energy == 3.0
    np.testing.assert_array_equal(labels.forces, forces[3])
    np.savez(path, R=positions, z=np.array([8, 1]))
    with pytest.raises(HelioError, match="do not fit"):
        list(read_frames(path))
    np.savez(path, R=positions)
    with pytest.raises(HelioError, match="no array of numbers"):
        list(read_frames(path))


def test_damaged_files_are_explained(tmp_path, file):
    with pytest.raises(HelioError, match="there is no file"):
        read_frames(tmp_path / "absent.xyz")
    empty = tmp_path / "empty.xyz"
    empty.touch()
    with pytest.raises(HelioError, match="is empty"):
        read_frames(empty)
    cut = tmp_path / "cut.extxyz"
    cut.write_text(file.read_text()[:-60])
    with pytest.raises(HelioError, match="cut off"):
        list(read_frames(cut))
    unknown = tmp_path / "letter.txt"
    unknown.write_text("Dear chemist,\n")
    with pytest.raises(HelioError, match="format"):
        list(read_frames(unknown))
    half = tmp_path / "half.npz"
    half.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(HelioError, match="npz"):
        list(read_frames(half))
    with pytest.raises(HelioError, match="at least 1"):
        read_frames(file, stride=0)
