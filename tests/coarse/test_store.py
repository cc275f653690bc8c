"""What is written to a store is read again; what cannot be used is refused in a sentence."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pytest

from helio.coarse.groups import centers
from helio.coarse.readers.published import read_published
from helio.coarse.split import split_systems
from helio.coarse.store import Store
from helio.coarse.store_writer import StoreWriter, store_writer
from helio.coarse.system import fine_system
from helio.coarse.trajectory import Block, FineTrajectory
from helio.errors import HelioError

pytest.importorskip("pymetis")

RANDOM = np.random.default_rng(0)


def chain(name: str, beads: int, frames: int, *, box: float | None = None, types: str = "AB") -> FineTrajectory:
    system = fine_system(
        np.arange(beads) % len(types),
        1 + np.arange(beads) % 2,
        [(i, i + 1) for i in range(beads - 1)],
        box=None if box is None else [box] * 3,
    )
    positions = np.cumsum(np.random.default_rng(beads).normal(size=(frames, beads, 3)), axis=1)

    def blocks():
        for begin in range(0, frames, 7):
            boxes = None if box is None else np.full((len(positions[begin : begin + 7]), 3), box) + begin
            yield Block(positions[begin : begin + 7], boxes)

    return FineTrajectory(name, system, tuple(types), blocks, 0.5, "sigma", "tau")


def writing(path: Path, **more):
    settings = {"type_names": ("B", "A"), "length_unit": "sigma", "time_unit": "tau", "beads_per_group": 5}
    return store_writer(path, **(settings | more))  # pyright: ignore[reportArgumentType]


def test_round_trip(tmp_path):
    path = tmp_path / "store.h5"
    made = {"long": chain("long", 20, 40), "boxed": chain("boxed", 11, 25, box=30.0)}
    with writing(path, keep_fine=True, origin="a test") as writer:
        assert writer.add(made["long"], "train") == 40
        assert writer.add(made["boxed"], "test") == 25
        assert not path.exists()
    with Store(path) as store:
        assert store.names == ("long", "boxed") and len(store) == 2 and store.origin == "a test"
        assert (store.part("train"), store.part("validation"), store.part("test")) == (("long",), (), ("boxed",))
        assert (store.type_names, store.length_unit, store.time_unit) == (("B", "A"), "sigma", "tau")
        for name, trajectory in made.items():
            system, groups = store.system(name), store.groups(name)
            fine = np.concatenate([block.positions for block in trajectory.frames()])
            assert [store.type_names[number] for number in system.types[:2]] == ["A", "B"]
            assert np.array_equal(system.bonds, trajectory.system.bonds)
            assert np.array_equal(system.masses, trajectory.system.masses)
            assert len(groups) == round(len(system) / 5)
            assert np.allclose(store.positions(name), fine, atol=1e-5)
            assert np.allclose(store.centers(name), centers(system, groups, fine), atol=1e-5)
            assert np.array_equal(store.centers(name, 3, 9), store.centers(name)[3:9])
            centre = np.average(fine, axis=1, weights=system.masses)
            squares = ((fine - centre[:, None]) ** 2).sum(axis=2)
            rg = np.sqrt(np.average(squares, axis=1, weights=system.masses))
            assert np.allclose(store.gyration(name)[:, 0], rg, rtol=1e-5)
            assert store.interval(name) == 0.5 and store.frames(name) == len(fine)
        assert store.boxes("long") is None
        boxes = store.boxes("boxed", 5, 9)
        assert boxes is not None and boxes[:, 0].tolist() == [30, 30, 37, 37]
        with pytest.raises(HelioError, match="holds no system 'other'"):
            store.centers("other")
        with pytest.raises(HelioError, match="not 'dev'"):
            store.part("dev")


def test_without_fine_positions(tmp_path):
    with writing(tmp_path / "store.h5") as writer:
        writer.add(chain("a", 10, 30), "train")
    with Store(tmp_path / "store.h5") as store, pytest.raises(HelioError, match="no fine positions of a"):
        store.positions("a")


def appended(writer: StoreWriter, *blocks: Block) -> None:
    into = writer.begin(chain("a", 10, 5), "train")
    for block in blocks:
        into.append(block)


GOOD = np.zeros((2, 10, 3))


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda w: None, "no systems"),
        (lambda w: w.add(chain("a", 10, 30), "train"), r"trajectory of a is too short: 30 frames, .* need 31"),
        (lambda w: w.add(chain("a", 10, 40, types="AC"), "train"), "type 'C', which is not among those known: B, A"),
        (lambda w: w.add(chain("a/b", 10, 40), "train"), "'a/b' is no name"),
        (lambda w: [w.add(chain("a", 10, 40), "train") for _ in range(2)], "names are unique"),
        (lambda w: w.add(chain("a", 10, 40), "dev"), "not 'dev'"),
        (
            lambda w: appended(w, Block(GOOD), Block(np.zeros((2, 9, 3)))),
            "from frame 2 on a has positions of",
        ),
        (lambda w: appended(w, Block(GOOD), Block(GOOD * np.nan)), "frame 2 of a holds positions that are no numbers"),
        (lambda w: appended(w, Block(GOOD), Block(GOOD, np.ones((2, 3)))), "has boxes from frame 2 on"),
    ],
)
def test_refused(tmp_path, act, message):
    with pytest.raises(HelioError, match=message), writing(tmp_path / "store.h5", least_frames=31) as writer:
        act(writer)
    assert list(tmp_path.iterdir()) == []


def test_other_units(tmp_path):
    with pytest.raises(HelioError, match="a is in sigma and tau, the store in A and ps"):
        with writing(tmp_path / "store.h5", length_unit="A", time_unit="ps") as writer:
            writer.add(chain("a", 10, 40), "train")


def test_files_that_are_no_stores(tmp_path):
    path = tmp_path / "store.h5"
    with pytest.raises(HelioError, match="there is no store"):
        Store(path)
    with h5py.File(path, "w"):
        pass
    with pytest.raises(HelioError, match="is no store of coarse trajectories"):
        Store(path)
    with pytest.raises(HelioError, match="exists; give another name"), writing(path):
        pass
    with writing(path, overwrite=True) as writer:
        writer.add(chain("a", 50, 300), "train")
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(HelioError, match="cut off or damaged"):
        Store(path)


def test_split():
    names = [f"s{i}" for i in range(40)]
    parts = split_systems(names, validation=4, test=0.25, seed=1)
    assert Counter(parts.values()) == {"train": 26, "validation": 4, "test": 10}
    assert parts == split_systems(names[::-1], validation=4, test=0.25, seed=1)
    assert parts != split_systems(names, validation=4, test=0.25, seed=2)
    with pytest.raises(HelioError, match="3 systems to validate on and 1 to test on leave none of 4"):
        split_systems(names[:4], validation=3, test=1, seed=0)


def put(folder: Path, **arrays) -> Path:
    """Files of the published layout: file=(name, array)."""
    folder.mkdir(exist_ok=True)
    for file, (name, array) in arrays.items():
        with h5py.File(folder / f"{file}.h5", "w") as opened:
            opened[name] = array
    return folder


def test_published_chain(tmp_path):
    positions = RANDOM.normal(size=(12, 6, 3)).astype(np.float32)
    folder = put(
        tmp_path / "7",
        position=("position", positions),
        ptype=("particle_type", [0, 1, 2, 3, 0, 1]),
        bond=("bond_indices", [[0, 1], [1, 2], [2, 3], [3, 4], [4, 5]]),
    )
    read = read_published(folder, interval=5.0)
    assert (read.name, read.interval, read.length_unit, read.time_unit) == ("7", 5.0, "sigma", "tau")
    assert read.system.masses.tolist() == [1] * 6 and read.system.box is None
    assert np.array_equal(np.concatenate([block.positions for block in read.frames()]), positions)
    put(folder, ptype=("particle_type", [0, 1, 2, 3, 0, 4]))
    with pytest.raises(HelioError, match="bead of type 4"):
        read_published(folder, interval=5.0)
    (folder / "bond.h5").unlink()
    with pytest.raises(HelioError, match=r"lacks bond\.h5"):
        read_published(folder, interval=5.0)


def test_published_box(tmp_path):
    lattice = np.full((4, 3), 20.0)
    folder = put(
        tmp_path / "9",
        unwrapped_position=("unwrapped_position", RANDOM.normal(size=(4, 4, 3))),
        lattice=("lattice", lattice),
        ptype=("particle_type", [8, 1, 1, 3]),
        bond=("bond_indices", [[0, 1], [0, 2]]),
        bond_type=("bond_type", [7, 7]),
    )
    read = read_published(folder, interval=2.0)
    assert [read.type_names[number] for number in read.system.types] == ["O", "H", "H", "Li"]
    assert read.system.masses[[0, 3]] == pytest.approx([15.999, 6.94], abs=0.01)
    assert read.system.molecule_count == 2 and [block.boxes for block in read.frames()] == [None]
    lattice[2] += 0.5
    put(folder, lattice=("lattice", lattice))
    (block,) = read.frames()
    assert block.boxes is not None and block.boxes[:, 1].tolist() == [20, 20, 20.5, 20]
    (folder / "unwrapped_position.h5").rename(folder / "wrapped_position.h5")
    with pytest.raises(HelioError, match="wrapped positions without image flags"):
        read_published(folder, interval=2.0)
