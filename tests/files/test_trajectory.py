"""Trajectories written and read back, whole, cut and by other programs."""

from __future__ import annotations

import warnings
from pathlib import Path

import h5py
import MDAnalysis
import numpy as np
import pytest

from helio.errors import HelioError
from helio.files import trajectory
from helio.files.trajectory import Frame, Particles, TrajectoryWriter, read_frames, read_particles

WATERS = Particles(
    ids=np.array([3, 4, 5, 9]),
    species=np.array([8, 1, 1, 8]),
    masses=np.array([16.0, 1.0, 1.0, 16.0]),
    bonds=np.array([[3, 4], [3, 5]]),
    pbc=(True, True, True),
)


def frame(step: int) -> Frame:
    rng = np.random.default_rng(step)
    arrays = {
        "position": rng.normal(size=(4, 3)),
        "velocity": rng.normal(size=(4, 3)),
        "force": rng.normal(size=(4, 3)),
        "charge": rng.normal(size=4),
        "hirshfeld_ratio": rng.normal(size=4),
        "edges": np.diag([9.0, 10.0, 11.0]),
        "energy_network": np.asarray(-float(step)),
    }
    return Frame(step, step / 100, arrays)


def written(folder: Path, steps: range) -> Path:
    writer = TrajectoryWriter(folder, WATERS, creator="0")
    for step in steps:
        writer.append(frame(step))
        if step % 3 == 0:
            writer.commit()
    writer.commit()
    return folder / "trajectory.h5md"


def test_what_was_written_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trajectory, "PART_BYTES", 1000)  # several parts
    path = written(tmp_path, range(8))
    assert len(list((tmp_path / "trajectory").iterdir())) > 1
    found = read_particles(path)
    for name in ("ids", "species", "masses", "bonds"):
        np.testing.assert_array_equal(getattr(found, name), getattr(WATERS, name))
    assert found.pbc == WATERS.pbc
    frames = list(read_frames(path, stride=3))
    assert [(f.step, f.time_ps) for f in frames] == [(0, 0.0), (3, 0.03), (6, 0.06)]
    for one in frames:
        expected = frame(one.step).arrays
        assert one.arrays.keys() == expected.keys()
        for name, values in expected.items():
            np.testing.assert_array_equal(one.arrays[name], values, err_msg=name)


def test_going_on_drops_what_lies_beyond(tmp_path: Path) -> None:
    written(tmp_path, range(8))
    writer = TrajectoryWriter(tmp_path, WATERS, creator="0", last_step=4)
    for step in (6, 8):
        writer.append(frame(step))
    writer.commit()
    assert [f.step for f in read_frames(tmp_path / "trajectory.h5md")] == [0, 1, 2, 3, 4, 6, 8]


def test_readable_after_a_crash_between_part_and_joining_file(tmp_path: Path) -> None:
    """The part on the disk may be longer than the joining file says, by any number of frames."""
    master = tmp_path / "trajectory.h5md"
    old = {length: written(tmp_path, range(length)).read_bytes() for length in range(1, 6)}
    for longer in range(1, 11):
        written(tmp_path, range(longer))
        for length in range(1, min(longer, 5) + 1):
            master.write_bytes(old[length])
            with h5py.File(master) as file:
                positions = np.asarray(file["particles/all/position/value"])
            np.testing.assert_array_equal(positions, [frame(step).arrays["position"] for step in range(length)])


def test_missing_part_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trajectory, "PART_BYTES", 1000)
    path = written(tmp_path, range(8))
    (tmp_path / "trajectory" / "part-00001.h5").unlink()
    with pytest.raises(HelioError, match="is missing"):
        list(read_frames(path))


def test_bonds_as_h5md_has_them(tmp_path: Path) -> None:
    """H5MD 1.1: a list of tuples names its group, and its values are those of the element `id` of that group."""
    with h5py.File(written(tmp_path, range(1))) as file:
        bonds = file["connectivity/bonds"]
        group = file[bonds.attrs["particles_group"]]  # pyright: ignore
        assert group.name == "/particles/all"
        assert set(np.ravel(bonds)) <= set(np.asarray(group["id"]))  # pyright: ignore


def test_mdanalysis_reads_everything(tmp_path: Path) -> None:
    path = written(tmp_path, range(3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        universe = MDAnalysis.Universe.empty(4, trajectory=False)
        universe.load_new(str(path), format="H5MD")
    moment, expected = universe.trajectory[2], frame(2).arrays
    np.testing.assert_allclose(moment.positions, expected["position"], rtol=1e-6)
    np.testing.assert_allclose(moment.velocities, expected["velocity"], rtol=1e-6)
    np.testing.assert_allclose(moment.forces, expected["force"], rtol=1e-6)
    np.testing.assert_allclose(moment.dimensions, [9, 10, 11, 90, 90, 90])
    assert moment.data["energy_network"] == -2.0 and moment.time == pytest.approx(0.02)
