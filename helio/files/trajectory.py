"""Trajectories in H5MD 1.1 (nongnu.org/h5md), written so that a crash at any moment leaves them readable.

An HDF5 file that is appended to can be unreadable after a crash. So frames go to parts, `trajectory/part-00000.h5`
and so on, the last of which is rewritten whole until it reaches `PART_BYTES`; `trajectory.h5md` joins them by virtual
datasets and is what users open. Places of a part that is missing read as NaN.

Units: Angstrom, ps, Angstrom ps-1 for velocities, kJ mol-1 Angstrom-1 for forces (one that readers know), e.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from helio.errors import HelioError
from helio.files.atomic import disk_errors, make_folder, write_bytes

PART_BYTES = 32_000_000

# Name of each quantity in H5MD and its unit.
UNITS = {
    "position": "Angstrom",
    "velocity": "Angstrom ps-1",
    "force": "kJ mol-1 Angstrom-1",
    "charge": "e",
    "edges": "Angstrom",
}


@dataclass(frozen=True)
class Frame:
    """One moment: arrays by the names of `UNITS`; `edges` (3, 3) is the cell."""

    step: int
    time_ps: float
    arrays: dict[str, np.ndarray]

    @property
    def nbytes(self) -> int:
        """Memory of the arrays."""
        return sum(array.nbytes for array in self.arrays.values())


class TrajectoryWriter:
    """Collects frames and commits them to a run folder."""

    def __init__(
        self,
        folder: Path,
        *,
        species: np.ndarray,
        masses: np.ndarray,
        pbc: tuple[bool, bool, bool],
        creator: str,
        last_step: int | None = None,
    ) -> None:
        """Begin a trajectory, or go on with one, dropping all frames beyond `last_step`.

        Args:
            folder: the run folder.
            species: (N,) atomic numbers.
            masses: (N,) in amu.
            pbc: periodic directions.
            creator: version of the program, for the file's header.
            last_step: None for a new trajectory.
        """
        self.folder = folder
        self._species, self._masses, self._pbc, self._creator = species, masses, pbc, creator
        self._parts: list[dict[str, tuple[tuple[int, ...], np.dtype]]] = []  # shapes in the finished parts
        self._frames: list[Frame] = []  # of the part that still grows
        self._written = 0
        make_folder(folder / "trajectory")
        if last_step is not None:
            self._go_on(last_step)

    def append(self, frame: Frame) -> None:
        """Add a frame; `commit` brings it to the disk."""
        self._frames.append(frame)

    def commit(self) -> None:
        """Bring all frames to the disk: first the parts, then the file that joins them."""
        if len(self._frames) == self._written:
            return
        write_bytes(_part_path(self.folder, len(self._parts)), _part_content(self._frames))
        self._write_master()
        self._written = len(self._frames)
        if sum(frame.nbytes for frame in self._frames) >= PART_BYTES:
            self._parts.append(_shapes(self._frames))
            self._frames, self._written = [], 0

    def _go_on(self, last_step: int) -> None:
        for number in range(_count_parts(self.folder)):
            frames = _read_part(_part_path(self.folder, number))
            kept = [frame for frame in frames if frame.step <= last_step]
            if len(kept) < len(frames) or number == _count_parts(self.folder) - 1:
                self._frames = kept
                break
            self._parts.append(_shapes(frames))
        # The joining file first: it must never promise more frames than the parts hold.
        self._write_master()
        if self._frames:
            write_bytes(_part_path(self.folder, len(self._parts)), _part_content(self._frames))
        first_unused = len(self._parts) + bool(self._frames)
        with disk_errors(self.folder):
            for number in range(first_unused, _count_parts(self.folder)):
                _part_path(self.folder, number).unlink()
        self._written = len(self._frames)

    def _write_master(self) -> None:
        parts = self._parts + ([_shapes(self._frames)] if self._frames else [])
        content = io.BytesIO()
        with h5py.File(content, "w") as file:
            _write_header(file, self._creator)
            particles = file.create_group("particles/all")
            particles["species"] = self._species
            particles["mass"] = self._masses
            particles["mass"].attrs["unit"] = "u"
            box = particles.create_group("box")
            box.attrs["dimension"] = 3
            box.attrs["boundary"] = ["periodic" if periodic else "none" for periodic in self._pbc]
            if parts:
                for name in parts[0]:
                    if name not in ("step", "time"):
                        _join(box if name == "edges" else particles, name, parts)
        write_bytes(self.folder / "trajectory.h5md", content.getvalue())


def _write_header(file: h5py.File, creator: str) -> None:
    header = file.create_group("h5md")
    header.attrs["version"] = np.array([1, 1])
    header.create_group("author").attrs["name"] = "unknown"
    program = header.create_group("creator")
    program.attrs["name"] = "helio"
    program.attrs["version"] = creator


def _join(parent: h5py.Group, name: str, parts: list[dict[str, tuple[tuple[int, ...], np.dtype]]]) -> None:
    """A time-dependent element of H5MD whose datasets are virtual and lie in the parts."""
    group = parent.create_group(name)
    for dataset, source in (("step", "step"), ("time", "time"), ("value", name)):
        length = sum(part[source][0][0] for part in parts)
        shape, dtype = parts[0][source]
        layout = h5py.VirtualLayout((length, *shape[1:]), dtype)
        first = 0
        for number, part in enumerate(parts):
            last = first + part[source][0][0]
            path = _part_path(Path(), number).as_posix()
            layout[first:last] = h5py.VirtualSource(path, source, shape=part[source][0], dtype=dtype)
            first = last
        fill = np.nan if np.issubdtype(dtype, np.floating) else -1
        group.create_virtual_dataset(dataset, layout, fillvalue=fill)
    group["time"].attrs["unit"] = "ps"
    group["value"].attrs["unit"] = UNITS[name]


def _part_path(folder: Path, number: int) -> Path:
    return folder / "trajectory" / f"part-{number:05d}.h5"


def _count_parts(folder: Path) -> int:
    number = 0
    while _part_path(folder, number).exists():
        number += 1
    return number


def _stacked(frames: list[Frame]) -> dict[str, np.ndarray]:
    steps = np.array([frame.step for frame in frames], np.int64)
    times = np.array([frame.time_ps for frame in frames], np.float64)
    return {"step": steps, "time": times} | {
        name: np.stack([frame.arrays[name] for frame in frames]) for name in frames[0].arrays
    }


def _shapes(frames: list[Frame]) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    arrays = frames[0].arrays
    moments = {"step": ((len(frames),), np.dtype(np.int64)), "time": ((len(frames),), np.dtype(np.float64))}
    return moments | {name: ((len(frames), *array.shape), array.dtype) for name, array in arrays.items()}


def _part_content(frames: list[Frame]) -> bytes:
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for name, array in _stacked(frames).items():
            file.create_dataset(
                name, data=array, fletcher32=True, chunks=(1, *array.shape[1:]) if array.ndim > 1 else True
            )
    return content.getvalue()


def _read_part(path: Path) -> list[Frame]:
    try:
        with h5py.File(path) as file:
            arrays = {str(name): np.asarray(file[str(name)]) for name in file}
    except OSError as error:
        raise HelioError(f"{path} cannot be read ({error}); without it the run cannot be resumed") from error
    steps, times = arrays.pop("step"), arrays.pop("time")
    return [
        Frame(int(step), float(time), {name: array[i] for name, array in arrays.items()})
        for i, (step, time) in enumerate(zip(steps, times, strict=True))
    ]
