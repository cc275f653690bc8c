"""Runs of Helio: molecules made whole, positions left to go on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from helio.coarse.readers.run import is_run, read_run
from helio.errors import HelioError
from helio.files.trajectory import Frame, Particles, TrajectoryWriter


def write(folder: Path, positions: np.ndarray, cell: np.ndarray | None, *, pbc: tuple[bool, bool, bool]) -> Path:
    ids = np.array([4, 5, 6, 9])  # a part of a larger system
    particles = Particles(ids, np.array([8, 1, 1, 3]), np.array([16.0, 1, 1, 7]), np.array([[4, 5], [6, 4]]), pbc)
    writer = TrajectoryWriter(folder, particles, creator="0")
    for number, moment in enumerate(positions):
        arrays = {"position": moment} if cell is None else {"position": moment, "edges": cell * (1 + 0.01 * number)}
        writer.append(Frame(number, 0.5 * number, arrays))
    writer.commit()
    return folder


def water(frames: int) -> np.ndarray:
    first = np.array([[0.2, 5, 5], [9.5, 5, 5], [0.2, 5.9, 5], [3, 3, 3]])  # the first bond crosses the boundary
    return first + 0.7 * np.arange(frames)[:, None, None]


def test_periodic(tmp_path):
    read = read_run(write(tmp_path / "run", water(30), 10 * np.eye(3), pbc=(True, True, True)))
    assert (read.name, read.interval, read.length_unit, read.time_unit) == ("run", 0.5, "A", "ps")
    assert [read.type_names[number] for number in read.system.types] == ["O", "H", "H", "Li"]
    assert read.system.bonds.tolist() == [[0, 1], [0, 2]] and read.system.molecules.tolist() == [0, 0, 0, 1]
    (block,) = read.frames()
    assert block.boxes is not None and block.boxes[:, 0] == pytest.approx(10 * (1 + 0.01 * np.arange(30)))
    assert block.positions[0, 1, 0] == pytest.approx(-0.5)
    assert np.allclose(block.positions[:, [0, 2, 3]], water(30)[:, [0, 2, 3]])


def test_left_handed_cells_have_edges_of_the_same_box(tmp_path):
    """Vectors in another order, or that point the other way, span the same box."""
    box = np.diag([10.0, 11.0, 12.0])
    usual = read_run(write(tmp_path / "usual", water(3), box, pbc=(True, True, True)))
    (block,) = usual.frames()
    for name, cell in (("exchanged", box[[1, 0, 2]]), ("reversed", box * [1, 1, -1])):
        read = read_run(write(tmp_path / name, water(3), cell, pbc=(True, True, True)))
        assert read.system.box == pytest.approx([10, 11, 12])
        (other,) = read.frames()
        np.testing.assert_allclose(other.positions, block.positions)
        assert other.boxes is not None and block.boxes is not None
        np.testing.assert_allclose(other.boxes, block.boxes)


def test_without_box(tmp_path):
    read = read_run(write(tmp_path, water(3), None, pbc=(False, False, False)))
    assert is_run(tmp_path) and read.system.box is None
    (block,) = read.frames()
    assert block.boxes is None and np.allclose(block.positions, water(3))


@pytest.mark.parametrize(
    ("cell", "pbc", "frames", "message"),
    [
        ([[10, 0, 0], [3, 10, 0], [0, 0, 10]], (True, True, True), 3, "step 0 is not orthogonal"),
        ([[10, 0, 0], [0, 10, 0], [0, 0, 10]], (True, True, False), 3, "periodic in some directions only"),
        ([[10, 0, 0], [0, 10, 0], [0, 0, 10]], (True, True, True), 1, "too short: 1 frame"),
    ],
)
def test_mistakes(tmp_path, cell, pbc, frames, message):
    with pytest.raises(HelioError, match=message):
        read_run(write(tmp_path, water(frames), np.array(cell, float), pbc=pbc))
