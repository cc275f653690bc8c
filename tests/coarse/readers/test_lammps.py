"""Dumps of a known motion: image flags, unwrapped and scaled columns, boxes that shrink, and what cannot be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from helio.coarse.readers.lammps import read_lammps
from helio.coarse.trajectory import FineTrajectory
from helio.errors import HelioError

pytest.importorskip("MDAnalysis")

EDGES = np.array([10.0, 11.0, 12.0])
ORIGIN = np.array([-5.0, 0.5, 2.0])

DATA = """LAMMPS data file

4 atoms
3 bonds
2 atom types
1 bond types

-5 5 xlo xhi
0.5 11.5 ylo yhi
2 14 zlo zhi

Masses

1 1.5
2 2.5

Atoms # bond

3 1 1 0.0 1.0 3.0
1 1 1 0.0 1.0 3.0
2 1 2 0.0 1.0 3.0
4 2 2 0.0 1.0 3.0

Bonds

1 1 1 2
2 1 2 3
3 1 3 4
"""


def motion(frames: int = 40) -> np.ndarray:
    random = np.random.default_rng(3)
    start = ORIGIN + 4 + np.cumsum(random.normal(scale=0.5, size=(4, 3)), axis=0)
    return start + 0.6 * np.arange(frames)[:, None, None] + random.normal(scale=0.2, size=(frames, 4, 3))


def dump(positions: np.ndarray, kind: str, *, images: bool = False, boundary: str = "pp pp pp") -> str:
    """A dump with shuffled rows; `kind` is "", "u", "s" or "su" as in xsu."""
    names = [f"{axis}{kind}" for axis in "xyz"] + (["ix", "iy", "iz"] if images else [])
    lines = []
    for step, frame in enumerate(positions):
        low, high = (ORIGIN, ORIGIN + EDGES) if "pp" in boundary else (frame.min(axis=0), frame.max(axis=0))
        cells = np.floor((frame - low) / (high - low)) if "pp" in boundary else np.zeros(frame.shape)
        shown = frame if "u" in kind else frame - cells * (high - low)
        shown = (shown - low) / (high - low) if "s" in kind else shown
        lines += ["ITEM: TIMESTEP", str(step * 100), "ITEM: NUMBER OF ATOMS", str(len(frame))]
        lines += [f"ITEM: BOX BOUNDS {boundary}", *(f"{a:.12g} {b:.12g}" for a, b in zip(low, high, strict=True))]
        lines += [f"ITEM: ATOMS type id {' '.join(names)}"]
        for bead in np.random.default_rng(step).permutation(len(frame)):
            cell = " ".join(str(int(number)) for number in cells[bead]) if images else ""
            lines.append(f"1 {bead + 1} {' '.join(f'{value:.12g}' for value in shown[bead])} {cell}")
    return "\n".join(lines) + "\n"


def folder(path: Path, content: str, data: str = DATA) -> Path:
    (path / "chain.data").write_text(data)
    (path / "chain.lammpstrj").write_text(content)
    return path


def positions_of(read: FineTrajectory) -> np.ndarray:
    return np.concatenate([block.positions for block in read.frames()])


@pytest.mark.parametrize("kind", ["", "u", "s", "su"])
def test_columns(tmp_path, kind, monkeypatch):
    monkeypatch.setattr("helio.coarse.trajectory.BLOCK_BEADS", 4 * 7)
    read = read_lammps(folder(tmp_path, dump(motion(), kind, images="u" not in kind)), interval=2.0)
    assert np.allclose(positions_of(read), motion(), atol=1e-8)
    system = read.system
    assert system.bonds.tolist() == [[0, 1], [1, 2], [2, 3]] and system.masses.tolist() == [1.5, 2.5, 1.5, 2.5]
    assert [read.type_names[number] for number in system.types] == ["1", "2", "1", "2"]
    assert system.box is not None and np.allclose(system.box, EDGES)
    assert (read.interval, read.length_unit, read.time_unit) == (2.0, "sigma", "tau")


def test_shrinking_box(tmp_path):
    """The origin of a box without periodic boundaries moves; positions do not."""
    read = read_lammps(folder(tmp_path, dump(motion(), "", boundary="ss ss ss")), interval=1.0)
    assert read.system.box is None and np.allclose(positions_of(read), motion(), atol=1e-8)


def test_wrapped_positions(tmp_path):
    made = folder(tmp_path, dump(motion(), ""))
    with pytest.raises(HelioError, match="wrapped into the box and come without image flags"):
        positions_of(read_lammps(made, interval=1.0))
    found = positions_of(read_lammps(made, interval=1.0, unwrap="continuity"))
    shift = (found - motion()) / EDGES
    assert np.allclose(shift, shift[0, 0], atol=1e-8) and np.allclose(shift[0, 0], np.rint(shift[0, 0]), atol=1e-8)


def test_mistakes(tmp_path):
    text = dump(motion(3), "u")
    for content, message in (
        (text[: int(0.9 * len(text))], "step 200 .* cut off"),
        (text + dump(motion(2)[:, :3], "u"), "3 beads at step 0 and 4 before: their number must not change"),
        (dump(motion()[:, :3], "u"), "has 3 beads, chain.data 4"),
        (text.replace("type id xu yu zu", "type id a b c"), "needs the columns id and x, y, z"),
        (text.replace("ITEM: TIMESTEP", "TIMESTEP"), "no dump in text of LAMMPS: 'TIMESTEP'"),
        (text[: text.rindex("type id xu yu zu") + 17], "step 200 .* cut off: 0 of 4 beads"),
        (text.replace("pp pp pp", "pp pp ff"), "periodic in some directions only"),
        ("", "is empty"),
    ):
        with pytest.raises(HelioError, match=message):
            positions_of(read_lammps(folder(tmp_path, content), interval=1.0))
    without = DATA[: DATA.index("Bonds")].replace("3 bonds", "0 bonds")
    with pytest.raises(HelioError, match="has no bonds"):
        read_lammps(folder(tmp_path, text, without), interval=1.0)
    (tmp_path / "other.data").write_text(DATA)
    with pytest.raises(HelioError, match=r"needs one file \.data or \.lmp, and has 2"):
        read_lammps(tmp_path, interval=1.0)
