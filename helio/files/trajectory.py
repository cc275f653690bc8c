"""Trajectories in H5MD 1.1 (nongnu.org/h5md), written so that a crash at any moment leaves them readable.

An HDF5 file that is appended to can be unreadable after a crash. So frames go to parts, `trajectory/part-00000.h5`
and so on, the last of which is rewritten whole until it reaches `PART_BYTES`; `trajectory.h5md` joins them by virtual
datasets and is what users open. Places of a part that is missing read as NaN.

Positions are unwrapped. `id` holds the numbers of the atoms in the whole system, `connectivity/bonds` pairs of them.
Units: Angstrom, ps, Angstrom ps-1 for velocities, kJ mol-1 Angstrom-1 for forces (one that readers know), e, eV.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from ase.data import chemical_symbols

from helio.errors import HelioError
from helio.files.atomic import disk_errors, make_folder, write_bytes
from helio.files.hdf5 import check_content, open_hdf5

PART_BYTES = 32_000_000

# Name of each quantity in H5MD and its unit.
UNITS = {
    "position": "Angstrom",
    "velocity": "Angstrom ps-1",
    "force": "kJ mol-1 Angstrom-1",
    "charge": "e",
    "hirshfeld_ratio": None,
    "edges": "Angstrom",
}
_PART = re.compile(r"trajectory/part-\d{5,}\.h5")  # as `_part_path` names them
_VECTORS = ("position", "velocity", "force")
# Quantities of the whole system that a frame may hold have names that begin like this.
ENERGY = "energy_"


@dataclass(frozen=True)
class Frame:
    """One moment: arrays by the names of `UNITS`, `edges` (3, 3) being the cell, and scalars `energy_...` in eV."""

    step: int
    time_ps: float
    arrays: dict[str, np.ndarray]

    @property
    def nbytes(self) -> int:
        """Memory of the arrays."""
        return sum(array.nbytes for array in self.arrays.values())


@dataclass(frozen=True)
class Particles:
    """The n atoms in the frames, and what does not change about them."""

    ids: np.ndarray  # (n,) numbers in the whole system, from 0
    species: np.ndarray  # (n,) atomic numbers
    masses: np.ndarray  # (n,) amu
    bonds: np.ndarray  # (P, 2) pairs of `ids`
    pbc: tuple[bool, bool, bool]


class TrajectoryWriter:
    """Collects frames and commits them to a run folder."""

    def __init__(
        self,
        folder: Path,
        particles: Particles,
        *,
        creator: str,
        last_step: int | None = None,
    ) -> None:
        """Begin a trajectory, or go on with one, dropping all frames beyond `last_step`.

        Args:
            folder: the run folder.
            particles: what the frames hold.
            creator: version of the program, for the file's header.
            last_step: None for a new trajectory.
        """
        self.folder = folder
        self._particles, self._creator = particles, creator
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
            group, box = _write_particles(file, self._particles)
            for name in parts[0] if parts else ():
                if name.startswith(ENERGY):
                    _join(file.require_group("observables"), name, parts)
                elif name in UNITS:
                    _join(box if name == "edges" else group, name, parts)
        write_bytes(self.folder / "trajectory.h5md", content.getvalue())


def _write_header(file: h5py.File, creator: str) -> None:
    header = file.create_group("h5md")
    header.attrs["version"] = np.array([1, 1])
    header.create_group("author").attrs["name"] = "unknown"
    program = header.create_group("creator")
    program.attrs["name"] = "helio"
    program.attrs["version"] = creator


def _write_particles(file: h5py.File, particles: Particles) -> tuple[h5py.Group, h5py.Group]:
    group = file.create_group("particles/all")
    group["id"], group["species"], group["mass"] = particles.ids, particles.species, particles.masses
    group["mass"].attrs["unit"] = "u"
    box = group.create_group("box")
    box.attrs["dimension"] = 3
    box.attrs["boundary"] = ["periodic" if periodic else "none" for periodic in particles.pbc]
    bonds = file.create_dataset("connectivity/bonds", data=particles.bonds)
    bonds.attrs["particles_group"] = group.ref
    return group, box


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
            # With an explicit range, the file stays readable where a crash left the part longer than this says.
            layout[first:last] = h5py.VirtualSource(path, source, shape=part[source][0], dtype=dtype)[: last - first]
            first = last
        fill = np.nan if np.issubdtype(dtype, np.floating) else -1
        group.create_virtual_dataset(dataset, layout, fillvalue=fill)
    group["time"].attrs["unit"] = "ps"
    unit = "eV" if name.startswith(ENERGY) else UNITS[name]
    if unit is not None:
        group["value"].attrs["unit"] = unit


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
    with open_hdf5(path, "part of a trajectory", hint="without it the run cannot be resumed") as file:
        check_content(file)
        arrays = {str(name): np.asarray(file[str(name)]) for name in file}
        steps, times = arrays.pop("step"), arrays.pop("time")
        if any(len(array) != len(steps) for array in arrays.values()):
            raise ValueError("its data sets have different numbers of frames")
        return [
            Frame(int(step), float(time), {name: array[i] for name, array in arrays.items()})
            for i, (step, time) in enumerate(zip(steps, times, strict=True))
        ]


def read_particles(path: Path) -> Particles:
    """What does not change in a trajectory, from its `trajectory.h5md`."""
    with open_trajectory(path) as file:
        group = file["particles/all"]
        if missing := {"id", "species", "mass"} - set(group):
            raise HelioError(
                f"{path} lacks {', '.join(sorted(missing))} of its particles: no run of this version wrote it"
            )
        ids, species, masses, bonds = (
            np.asarray(dataset)
            for dataset in (group["id"], group["species"], group["mass"], file["connectivity/bonds"])
        )
        a, b, c = (kind == "periodic" for kind in group["box"].attrs["boundary"])
        count = len(ids)
        if any(column.shape != (count,) or column.dtype.kind not in "iuf" for column in (ids, species, masses)):
            raise ValueError("its particles are not one number each")
        if count == 0 or species.min() < 0 or species.max() >= len(chemical_symbols):
            raise ValueError("its particles are of no elements")
        if bonds.size and (bonds.shape[1:] != (2,) or not np.isin(bonds, ids).all()):
            raise ValueError("its bonds are not pairs of its particles")
    return Particles(ids, species, masses, bonds, (a, b, c))


def read_frames(path: Path, *, stride: int = 1) -> Iterator[Frame]:
    """Every `stride`-th frame of a `trajectory.h5md`, one at a time; `HelioError` where a part is missing."""
    with open_trajectory(path) as file:
        places: dict[str, Any] = dict.fromkeys(UNITS, file["particles/all"])
        places["edges"] = file["particles/all/box"]
        places |= dict.fromkeys(file.get("observables", {}), file.get("observables"))
        found = {name: place[name] for name, place in places.items() if name in place}
        count = len(file["particles/all/id"])
        for name, group in found.items():
            shape = {"edges": (3, 3)}.get(name, (count, 3) if name in _VECTORS else (count,) if name in UNITS else ())
            if group["value"].shape[1:] != shape or group["value"].dtype.kind not in "iuf":
                raise ValueError(f"{name} has the shape {group['value'].shape}")
        for i in range(0, len(found["position"]["step"]) if found else 0, stride):
            step, time = int(found["position"]["step"][i]), float(found["position"]["time"][i])
            frame = Frame(step, time, {name: np.asarray(group["value"][i]) for name, group in found.items()})
            if not np.isfinite(frame.arrays["position"]).all():
                raise HelioError(f"frame {i} of {path} is not there: a file in {path.parent / 'trajectory'} is missing")
            yield frame


@contextmanager
def open_trajectory(path: Path) -> Iterator[Any]:
    """Open a `trajectory.h5md` for reading: what cannot be read of it within the block is damage of the file.

    Raises:
        HelioError: there is none, it or a part of it is damaged, or it refers to other files than its own parts.
    """
    with open_hdf5(path, "trajectory", hint="copy it again, with its folder trajectory/") as file:
        check_trajectory(file, path)
        yield file


def check_trajectory(file: h5py.File, path: Path) -> None:
    """Raise `ValueError` where an open `trajectory.h5md` claims more than it and its parts can hold."""
    folder = path.parent / "trajectory"
    size = sum(part.stat().st_size for part in folder.glob("part-*.h5") if part.is_file())
    check_content(file, parts=_PART, parts_bytes=size)
