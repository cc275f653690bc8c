"""Trajectories of LAMMPS: a folder with one data file, which has masses and bonds, and one dump in text.

The data file is read by MDAnalysis. Dumps are read here: what matters is the boundary, the image flags and the origin
of the box, which moves in boxes that shrink around their beads.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

import numpy as np

from helio.coarse.system import FineSystem, fine_system
from helio.coarse.trajectory import Block, FineTrajectory, block_frames
from helio.coarse.unwrapping import Continuity, JumpCheck, unwrapped_by_images
from helio.errors import HelioError

Unwrap = Literal["flags", "continuity"]
_DATA, _DUMP = (".data", ".lmp"), (".lammpstrj", ".dump")


class _Frame(NamedTuple):
    positions: np.ndarray  # (N, 3), in the order of the beads' numbers
    images: np.ndarray | None  # (N, 3)
    box: np.ndarray | None  # edges (3,), None where no boundary is periodic


def is_lammps(folder: Path) -> bool:
    """Whether the folder holds a dump."""
    return bool(_with_suffix(folder, _DUMP))


def read_lammps(
    folder: str | Path,
    *,
    interval: float,
    length_unit: str = "sigma",
    time_unit: str = "tau",
    unwrap: Unwrap = "flags",
) -> FineTrajectory:
    """The trajectory in `folder`.

    Args:
        folder: with one `.data` or `.lmp` and one `.lammpstrj` or `.dump`.
        interval: time between frames.
        length_unit: of the dump.
        time_unit: of the interval.
        unwrap: what takes positions out of a periodic box: `flags`, the image flags ix, iy, iz; or `continuity`, the
            shortest way from frame to frame. Unwrapped columns xu, yu, zu and systems without boundaries need neither.

    Raises:
        HelioError: files are missing, cut off or do not belong together, or positions cannot be unwrapped.
    """
    folder = Path(folder)
    data, dump = _one(folder, _DATA), _one(folder, _DUMP)
    with dump.open() as file:
        first = next(_frames(file, dump), None)
    if first is None:
        raise HelioError(f"{dump} is empty")
    system, names = _topology(data, first.box)
    if len(first.positions) != len(system):
        raise HelioError(f"{dump} has {len(first.positions)} beads, {data.name} {len(system)}")

    def frames() -> Iterator[Block]:
        continuity, check = Continuity(system), JumpCheck(system, folder.name)
        with dump.open() as file:
            stream = _frames(file, dump)
            while taken := list(islice(stream, block_frames(len(system)))):
                positions = np.stack([frame.positions for frame in taken])
                if system.box is None:
                    yield Block(positions)
                    continue
                boxes = np.stack([_box(frame, dump) for frame in taken])
                images = [frame.images for frame in taken if frame.images is not None]
                if len(images) == len(taken):
                    positions = unwrapped_by_images(positions, np.stack(images), boxes)
                elif unwrap == "continuity":
                    positions = continuity(positions, boxes)
                else:
                    check(positions, boxes)
                yield Block(positions, boxes)

    return FineTrajectory(folder.name, system, names, frames, interval, length_unit, time_unit)


def _topology(data: Path, box: np.ndarray | None) -> tuple[FineSystem, tuple[str, ...]]:
    """The system, and names of its types, which are LAMMPS' numbers from 1 on."""
    import MDAnalysis

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about what the file does not say
        try:
            atoms: Any = MDAnalysis.Universe(str(data), format="DATA", topology_format="DATA").atoms
        except (ValueError, IndexError, KeyError, EOFError) as error:
            raise HelioError(f"{data} cannot be read as a data file of LAMMPS: {error}") from error
    if not hasattr(atoms, "bonds") or len(atoms.bonds) == 0:
        raise HelioError(f"{data} has no bonds, which groups are made from")
    if not hasattr(atoms, "masses"):
        raise HelioError(f"{data} has no masses")
    names, types = np.unique(np.asarray(atoms.types, str), return_inverse=True)
    return fine_system(types, atoms.masses, atoms.bonds.indices, box=box), tuple(map(str, names))


def _frames(file: IO[str], path: Path) -> Iterator[_Frame]:
    """The frames of a dump in text."""
    count = None
    while line := file.readline():
        if not line.startswith("ITEM: TIMESTEP"):
            raise HelioError(f"{path} is no dump in text of LAMMPS: {line.strip()[:60]!r} stands where a frame begins")
        step = file.readline().strip()
        try:
            file.readline()
            beads = int(file.readline())
            boundaries = file.readline().split()[-3:]
            bounds = np.array([file.readline().split() for _ in range(3)], float)
            columns = file.readline().split()[2:]
            wanted = _wanted(columns, path)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about no rows, which is an error below
                rows = np.loadtxt(islice(file, beads), ndmin=2, usecols=wanted)
        except ValueError as error:
            raise HelioError(
                f"step {step} of {path} cannot be read, the file is cut off or damaged: {error}"
            ) from error
        if len(rows) < beads:
            raise HelioError(f"step {step} of {path} is cut off: {len(rows)} of {beads} beads")
        if count not in (None, beads):
            raise HelioError(
                f"{path} has {beads} beads at step {step} and {count} before: their number must not change"
            )
        if boundaries.count("pp") in (1, 2):
            raise HelioError(f"{path} is periodic in some directions only; it must be in all or none")
        count = beads
        yield _frame(rows, columns, bounds, "pp" in boundaries, path)


def _wanted(columns: list[str], path: Path) -> list[int]:
    """Places of the bead's number, its position and its image flags."""
    position = next((names for names in _POSITIONS if set(names) <= set(columns)), None)
    if "id" not in columns or position is None:
        raise HelioError(f"{path} needs the columns id and x, y, z (or xu, xs or xsu); it has {' '.join(columns)}")
    flags = _FLAGS if set(_FLAGS) <= set(columns) else ()
    return [columns.index(name) for name in ("id", *position, *flags)]


_FLAGS = ("ix", "iy", "iz")
_POSITIONS = tuple(tuple(f"{axis}{kind}" for axis in "xyz") for kind in ("u", "", "su", "s"))


def _frame(rows: np.ndarray, columns: list[str], bounds: np.ndarray, periodic: bool, path: Path) -> _Frame:
    if bounds.shape != (3, 2):
        raise HelioError(f"the box of {path} is not orthogonal")
    rows = rows[np.argsort(rows[:, 0])]
    positions, edges = rows[:, 1:4], bounds[:, 1] - bounds[:, 0]
    kind = next(names for names in _POSITIONS if set(names) <= set(columns))[0][1:]
    if "s" in kind:
        positions = bounds[:, 0] + positions * edges
    if not periodic:
        return _Frame(positions, None, None)
    images = np.zeros(positions.shape) if "u" in kind else (rows[:, 4:7] if rows.shape[1] > 4 else None)
    return _Frame(positions, images, edges)


def _box(frame: _Frame, path: Path) -> np.ndarray:
    if frame.box is None:
        raise HelioError(f"{path} has a periodic box at first and none later")
    return frame.box


def _with_suffix(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in suffixes and path.is_file())


def _one(folder: Path, suffixes: tuple[str, ...]) -> Path:
    found = _with_suffix(folder, suffixes)
    if len(found) != 1:
        raise HelioError(f"{folder} needs one file {' or '.join(suffixes)}, and has {len(found)}")
    return found[0]
