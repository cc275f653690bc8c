"""Trajectories of runs and of other programs, whole, cut, unfit."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.units
import MDAnalysis
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from helio.analyse import Frames, open_all, open_frames
from helio.analyse.molecule_kinds import molecule_kinds
from helio.analyse.unwrapping import centers, particle_series, whole_positions
from helio.errors import HelioError
from helio.files import trajectory
from tests.analyse.conftest import write_run

CELL = np.array([[0.0, 7.0, 0.0], [-8.0, 1.0, 0.0], [0.5, 0.0, 9.0]])  # in no standard orientation
FRAMES = 12


def waters() -> Atoms:
    one, other = molecule("H2O"), molecule("H2O")
    other.positions += (-4.0, 4.0, 4.5)
    both = Atoms("OH2OH2", np.concatenate([one.positions, other.positions]), cell=CELL, pbc=True)
    both.positions[4] += CELL[2]  # a bond across the boundary
    return both


def moved() -> np.ndarray:
    """The first molecule goes far beyond the box."""
    positions = np.repeat(waters().positions[None], FRAMES, axis=0)
    positions[:, :3] += np.arange(FRAMES)[:, None, None] * np.array([0.0, 1.5, 0.7])
    return positions


@pytest.fixture
def frames(make_frames: Callable[..., Frames], monkeypatch: pytest.MonkeyPatch) -> Frames:
    monkeypatch.setattr(trajectory, "PART_BYTES", 1000)  # several parts
    random = np.random.default_rng(0)
    more = {name: random.normal(size=(FRAMES, 6)) for name in ("charge", "hirshfeld_ratio")}
    more |= {name: random.normal(size=(FRAMES, 6, 3)) for name in ("velocity", "force")}
    return make_frames(waters(), moved(), interval_ps=0.5, commit_every=5, **more)


def test_what_was_recorded_is_there(frames: Frames) -> None:
    assert len(frames) == FRAMES and frames.interval_ps == pytest.approx(0.5)
    assert frames.label == "run" and frames.unwrapped and frames.has_box()
    assert frames.molecules.tolist() == [0, 0, 0, 1, 1, 1]
    assert frames.atomic_numbers.tolist() == [8, 1, 1, 8, 1, 1]
    for name in ("velocity", "force", "charge", "hirshfeld_ratio"):
        assert frames.has(name)
    charge = np.random.default_rng(0).normal(size=(FRAMES, 6))
    expected = Atoms("OH2OH2", cell=CELL, pbc=True)
    for number, moment in enumerate(frames):
        np.testing.assert_allclose(moment.data["charge"], charge[number], rtol=1e-6)
        expected.positions = moved()[number]
        mine = Atoms("OH2OH2", moment.positions, cell=moment.triclinic_dimensions, pbc=True)
        distances = expected.get_all_distances(mic=True)
        np.testing.assert_allclose(mine.get_all_distances(mic=True), distances, atol=2e-5)


def test_velocities_turn_with_the_cell(frames: Frames) -> None:
    moment = frames.moment(3)
    random = np.random.default_rng(0)
    random.normal(size=(2, FRAMES, 6))
    velocity = random.normal(size=(FRAMES, 6, 3))[3]
    turn = np.linalg.solve(CELL, moment.triclinic_dimensions.astype(float))
    np.testing.assert_allclose(moment.velocities, velocity @ turn, atol=1e-5)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-5)


def test_times_and_atoms_are_chosen(frames: Frames) -> None:
    part = open_frames(frames.path, begin_ps=1.0, end_ps=4.6, every=3, selection="element O")
    assert list(part.numbers) == [2, 5, 8] and part.times_ps.tolist() == [1.0, 2.5, 4.0]
    assert [len(part.atoms.positions) for _ in part] == [2, 2, 2]
    assert part.interval_ps == pytest.approx(1.5)
    assert [kind.formula for kind in molecule_kinds(part)] == ["H2O"]
    assert open_frames(frames.path / "trajectory.h5md").run is not None


def test_mdanalysis_reads_the_same(frames: Frames) -> None:
    theirs = MDAnalysis.Universe(frames.path / "topology.pdb", frames.path / "trajectory.h5md")
    for mine, other in zip(frames, theirs.trajectory, strict=True):
        assert mine.time == pytest.approx(other.time)
        assert mine.volume == pytest.approx(other.volume, rel=1e-5)


def test_molecules_are_made_whole(frames: Frames) -> None:
    whole = whole_positions(frames)
    matrix = centers(frames, frames.molecules)
    water = waters()
    for number, moment in enumerate(frames):
        positions = whole(moment)
        assert np.linalg.norm(positions[1:3] - positions[0], axis=1).max() < 1
        assert np.linalg.norm(positions[4:] - positions[3], axis=1).max() < 1
        center = matrix @ positions
        if number == 0:
            first = center
        path = np.linalg.norm(center - first, axis=1)
        assert path == pytest.approx([number * np.hypot(1.5, 0.7), 0], abs=1e-4)
    assert matrix.shape == (2, len(water))


def test_series_are_read_in_parts(frames: Frames) -> None:
    parts = list(particle_series(frames, lambda: lambda moment: moment.positions, 6, budget=12 * FRAMES * 4))
    assert [part.stop - part.start for part, _ in parts] == [4, 2]
    together = np.concatenate([series for _, series in parts], axis=1)
    np.testing.assert_array_equal(together, np.stack([moment.positions.copy() for moment in frames]))


def test_a_part_that_is_missing_or_cut(frames: Frames) -> None:
    parts = sorted((frames.path / "trajectory").glob("*.h5"))
    assert len(parts) == 3
    content = parts[-1].read_bytes()
    parts[-1].unlink()
    with pytest.raises(HelioError, match=r"is not there: a file in .* is missing"):
        open_frames(frames.path)
    parts[-1].write_bytes(content[: len(content) // 2])
    with pytest.raises(HelioError, match=r"is not there|cannot be read"):
        open_frames(frames.path)
    (frames.path / "trajectory.h5md").write_bytes(b"cut")
    with pytest.raises(HelioError, match="cannot be read"):
        open_frames(frames.path)


def test_a_trajectory_of_another_program(frames: Frames, tmp_path: Path) -> None:
    path = tmp_path / "other.xtc"
    with MDAnalysis.Writer(str(path), 6) as writer:
        for _ in frames:
            writer.write(frames.universe.atoms)
    other = open_frames(path, frames.path / "topology.pdb")
    assert not other.unwrapped and other.log == {} and len(other) == FRAMES
    assert other.molecules.tolist() == [0, 0, 0, 1, 1, 1]
    with pytest.raises(HelioError, match="give --topology"):
        open_frames(path)
    with pytest.raises(HelioError, match="hold no velocities"):
        other.need("velocity")
    content = path.read_bytes()
    (tmp_path / "cut.xtc").write_bytes(content[:-10])  # MDAnalysis leaves out the frame that is cut
    assert len(open_frames(tmp_path / "cut.xtc", frames.path / "topology.pdb")) == FRAMES - 1
    (tmp_path / "shreds.xtc").write_bytes(content[:60])
    with pytest.raises(HelioError, match=r"shreds\.xtc cannot be opened as a trajectory"):
        open_frames(tmp_path / "shreds.xtc", frames.path / "topology.pdb")


def test_several_runs(frames: Frames, tmp_path: Path) -> None:
    replicas = tmp_path / "replicas"
    for number in range(2):
        write_run(replicas / f"replica-00{number}", waters(), moved())
    opened = open_all([frames.path, replicas])
    assert [one.label for one in opened] == ["run", "replicas/replica-000", "replicas/replica-001"]
    with pytest.raises(HelioError, match="holds several replicas; name one, such as"):
        open_frames(replicas)
    alone = write_run(tmp_path / "one", molecule("H2O"), molecule("H2O").positions[None])
    with pytest.raises(HelioError, match=r"run \(6 atoms\) and one \(3 atoms\) are not of the same atoms"):
        open_all([frames.path, alone])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"begin_ps": 100.0}, "its frames go from 0 to 5.5 ps"),
        ({"selection": "atoms of mine"}, "is not understood"),
        ({"selection": "element C"}, "holds no atom"),
        ({"every": 0}, "n of at least 1, not 0"),
    ],
)
def test_mistakes(frames: Frames, options: dict, message: str) -> None:
    with pytest.raises(HelioError, match=message):
        open_frames(frames.path, **options)


def test_uneven_times(frames: Frames, tmp_path: Path) -> None:
    from helio.files.trajectory import Frame, TrajectoryWriter, read_particles

    particles = read_particles(frames.path / "trajectory.h5md")
    writer = TrajectoryWriter(tmp_path / "uneven", particles, creator="0")
    for time in (0.0, 1.0, 3.0):
        writer.append(Frame(int(time), time, {"position": moved()[0], "edges": CELL}))
    writer.commit()
    (tmp_path / "uneven" / "topology.pdb").write_bytes((frames.path / "topology.pdb").read_bytes())
    with pytest.raises(HelioError, match="between 1 and 2 ps apart"):
        _ = open_frames(tmp_path / "uneven").interval_ps


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(HelioError, match="there is no"):
        open_frames(tmp_path / "none")
    with pytest.raises(HelioError, match=r"holds no trajectory\.h5md"):
        open_frames(tmp_path)


@pytest.mark.parametrize("copies", [1, 4])  # of the six atoms: XTC compresses more than nine
@pytest.mark.parametrize("suffix", ["xtc", "dcd"])
def test_a_frame_that_is_cut_off_is_named(frames: Frames, tmp_path: Path, suffix: str, copies: int) -> None:
    topology, path = tmp_path / "many.pdb", tmp_path / f"many.{suffix}"
    many: Any = MDAnalysis.Merge(*[frames.universe.atoms] * copies)
    for number in range(copies):
        many.atoms[6 * number : 6 * number + 6].positions += 20 * number
    many.dimensions = [90, 90, 90, 90, 90, 90]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        many.atoms.write(topology)
        with MDAnalysis.Writer(str(path), 6 * copies) as writer:
            for _ in range(3):
                writer.write(many.atoms)
    whole = open_frames(path, topology)
    assert whole.attention is None and len(whole) == 3
    for hidden in tmp_path.glob(".*"):  # where MDAnalysis keeps the places of frames
        hidden.unlink()
    path.write_bytes(path.read_bytes()[:-9])
    cut = open_frames(path, topology)
    assert len(cut) == 2 and cut.attention is not None and "cut off" in cut.attention and "2 frames" in cut.attention


@pytest.mark.parametrize("name", ["moving.extxyz", "moving.xyz"])
def test_extended_xyz(tmp_path: Path, name: str) -> None:
    """With the box in any orientation, times and velocities."""
    path, atoms = tmp_path / name, molecule("H2O", cell=CELL, pbc=True)
    for number in range(4):
        atoms.info["time_ps"] = 1 + 0.5 * number
        atoms.positions += 0.25
        atoms.set_velocities(np.full((3, 3), 0.01))
        atoms.write(path, format="extxyz", append=True)
    found = open_frames(path)
    assert found.times_ps.tolist() == [1, 1.5, 2, 2.5] and found.molecules.tolist() == [0, 0, 0]
    moments = [(moment.positions.copy(), moment.triclinic_dimensions.copy()) for moment in found]
    assert np.linalg.det(moments[0][1]) == pytest.approx(abs(np.linalg.det(CELL)), rel=1e-5)
    inside = atoms.get_scaled_positions(wrap=False)
    np.testing.assert_allclose(moments[-1][0] @ np.linalg.inv(moments[-1][1]), inside, atol=1e-5)
    speeds = np.linalg.norm(found.first().velocities, axis=1)
    np.testing.assert_allclose(speeds, 0.01 * 3**0.5 * 1000 * ase.units.fs, rtol=1e-5)


def test_extended_xyz_of_different_atoms(tmp_path: Path) -> None:
    path = tmp_path / "both.extxyz"
    for name in ("H2O", "CH4"):
        molecule(name).write(path, append=True)
    with pytest.raises(HelioError, match=r"frame 1 of .* is not of the same atoms"):
        open_frames(path)
