"""Writing of a store: frames of many systems, in any order of the systems, never more than a block in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from helio.coarse.groups import Groups, centers, make_groups, radii_of_gyration
from helio.coarse.split import PARTS
from helio.coarse.store import FORMAT, VERSION
from helio.coarse.system import FineSystem
from helio.coarse.trajectory import Block, FineTrajectory
from helio.errors import HelioError
from helio.files.atomic import atomic_path

_CHUNK_BYTES = 131_072


class StoreWriter:
    """Adds systems to a store that is being written (`store_writer`)."""

    def __init__(self, file: h5py.File, *, beads_per_group: float, seed: int, keep_fine: bool, least_frames: int):
        self._file, self._beads_per_group, self._seed = file, beads_per_group, seed
        self._keep_fine, self._least_frames = keep_fine, least_frames
        self._begun: dict[str, SystemWriter] = {}

    def begin(self, trajectory: FineTrajectory, part: str) -> SystemWriter:
        """Begin a system; what its `append` is given makes up its trajectory.

        Raises:
            HelioError: a name that is taken or cannot be, other units than the store's, types that it does not know.
        """
        name, attributes = trajectory.name, self._file.attrs
        if name in self._begun or not name or "/" in name or name.startswith("."):
            raise HelioError(f"{name!r} is no name for a system: names are unique and have no slash or leading dot")
        if part not in PARTS:
            raise HelioError(f"a store has the parts {', '.join(PARTS)}, not {part!r} as {name} is given")
        units = (attributes["length_unit"], attributes["time_unit"])
        if (trajectory.length_unit, trajectory.time_unit) != units:
            raise HelioError(
                f"{name} is in {trajectory.length_unit} and {trajectory.time_unit}, "
                f"the store in {units[0]} and {units[1]}"
            )
        if not (np.isfinite(trajectory.interval) and trajectory.interval > 0):
            raise HelioError(f"the frames of {name} need a time between them above zero, not {trajectory.interval:g}")
        types = _renumbered(trajectory, tuple(map(str, np.asarray(attributes["type_names"]))))
        groups = make_groups(trajectory.system, beads_per_group=self._beads_per_group, seed=self._seed)
        group = self._file.create_group(f"systems/{name}")
        group.attrs["part"], group.attrs["interval"] = part, trajectory.interval
        writer = SystemWriter(group, name, trajectory.system, types, groups, keep_fine=self._keep_fine)
        self._begun[name] = writer
        return writer

    def add(self, trajectory: FineTrajectory, part: str) -> int:
        """Write all frames of a trajectory and return their number."""
        writer = self.begin(trajectory, part)
        for block in trajectory.frames():
            writer.append(block)
        return writer.frames

    def finish(self) -> None:
        """Check what was written; `HelioError` for no systems, or trajectories that are too short."""
        if not self._begun:
            raise HelioError("there are no systems to put into the store")
        for name, writer in self._begun.items():
            if writer.frames < self._least_frames:
                raise HelioError(
                    f"the trajectory of {name} is too short: {writer.frames} frames, where a history and the frame "
                    f"after it need {self._least_frames}"
                )


class SystemWriter:
    """Appends frames to one system of the store."""

    def __init__(
        self,
        group: h5py.Group,
        name: str,
        system: FineSystem,
        types: np.ndarray,
        groups: Groups,
        *,
        keep_fine: bool,
    ) -> None:
        self._group, self._name, self._system, self._groups = group, name, system, groups
        self._keep_fine = keep_fine
        self.frames = 0
        group["types"], group["masses"], group["bonds"] = types, system.masses, system.bonds
        group["groups"] = groups.members
        for key, value in (("bond_types", system.bond_types), ("box", system.box)):
            if value is not None:
                group[key] = value
        self._column("centers", (len(groups), 3), np.float32)
        self._column("gyration", (system.molecule_count,), np.float32)
        if keep_fine:
            self._column("positions", (len(system), 3), np.float32)

    def append(self, block: Block) -> None:
        """Add consecutive frames.

        Raises:
            HelioError: another number of beads, positions that are no numbers, or boxes where there were none.
        """
        positions, boxes = block
        if positions.ndim != 3 or positions.shape[1:] != (len(self._system), 3):
            raise HelioError(
                f"from frame {self.frames} on {self._name} has positions of the shape {positions.shape[1:]}, its "
                f"topology {len(self._system)} beads: the number of beads must not change"
            )
        if not np.isfinite(positions).all():
            bad = self.frames + int(np.flatnonzero(~np.isfinite(positions).all(axis=(1, 2)))[0])
            raise HelioError(f"frame {bad} of {self._name} holds positions that are no numbers")
        if boxes is not None and "boxes" not in self._group:
            if self.frames or self._system.box is None:
                raise HelioError(f"{self._name} has boxes from frame {self.frames} on, and none before")
            self._column("boxes", (3,), np.float64)
        if ("boxes" in self._group) != (boxes is not None):
            raise HelioError(f"{self._name} has no boxes from frame {self.frames} on")
        self._extend("centers", centers(self._system, self._groups, positions))
        self._extend("gyration", radii_of_gyration(self._system, positions))
        if self._keep_fine:
            self._extend("positions", positions)
        if boxes is not None:
            self._extend("boxes", boxes)
        self.frames += len(positions)

    def _column(self, name: str, shape: tuple[int, ...], dtype: Any) -> None:
        row = int(np.prod(shape)) * np.dtype(dtype).itemsize
        chunks = (max(1, _CHUNK_BYTES // row), *shape)
        self._group.create_dataset(name, (0, *shape), dtype, maxshape=(None, *shape), chunks=chunks)

    def _extend(self, name: str, rows: np.ndarray) -> None:
        dataset: Any = self._group[name]
        dataset.resize(self.frames + len(rows), axis=0)
        dataset[self.frames :] = rows


@contextmanager
def store_writer(
    path: str | Path,
    *,
    type_names: tuple[str, ...],
    length_unit: str,
    time_unit: str,
    beads_per_group: float,
    seed: int = 0,
    keep_fine: bool = False,
    least_frames: int = 2,
    origin: str = "",
    overwrite: bool = False,
) -> Iterator[StoreWriter]:
    """A writer for the store `path`, which appears when the block ends without an error, and not before.

    Args:
        path: of the store.
        type_names: all types that its systems may have.
        length_unit: of positions and boxes.
        time_unit: of the time between frames.
        beads_per_group: how large groups are, about.
        seed: of the partition into groups.
        keep_fine: keep the positions of all beads, too.
        least_frames: shorter trajectories are refused.
        origin: where the data come from, in words.
        overwrite: replace `path` if it exists.

    Raises:
        HelioError: `path` exists or cannot be written, or what is written does not hold together.
    """
    with new_store(
        path,
        type_names=type_names,
        length_unit=length_unit,
        time_unit=time_unit,
        beads_per_group=beads_per_group,
        seed=seed,
        origin=origin,
        overwrite=overwrite,
    ) as file:
        writer = StoreWriter(
            file, beads_per_group=beads_per_group, seed=seed, keep_fine=keep_fine, least_frames=least_frames
        )
        yield writer
        writer.finish()


@contextmanager
def new_store(
    path: str | Path,
    *,
    type_names: tuple[str, ...],
    length_unit: str,
    time_unit: str,
    beads_per_group: float,
    seed: int,
    origin: str,
    overwrite: bool,
) -> Iterator[h5py.File]:
    """The file of a store without systems, with arguments and errors of `store_writer`."""
    if Path(path).exists() and not overwrite:
        raise HelioError(f"{path} exists; give another name or --overwrite")
    with atomic_path(path) as temporary, h5py.File(temporary, "w", libver="v110") as file:
        file.attrs["format"], file.attrs["version"] = FORMAT, VERSION
        file.attrs.create("type_names", list(type_names), dtype=h5py.string_dtype())
        file.attrs["length_unit"], file.attrs["time_unit"] = length_unit, time_unit
        file.attrs["beads_per_group"], file.attrs["seed"], file.attrs["origin"] = beads_per_group, seed, origin
        file.create_group("systems", track_order=True)
        yield file


def _renumbered(trajectory: FineTrajectory, known: tuple[str, ...]) -> np.ndarray:
    """Types (N,) in the numbers of the store."""
    used = np.unique(trajectory.system.types)
    if used.max() >= len(trajectory.type_names):
        raise HelioError(f"{trajectory.name} has the type {used.max()}, and names for {len(trajectory.type_names)}")
    names = [trajectory.type_names[number] for number in used]
    if unknown := [name for name in names if name not in known]:
        raise HelioError(
            f"{trajectory.name} has beads of the type {unknown[0]!r}, "
            f"which is not among those known: {', '.join(known)}"
        )
    numbers = np.array([known.index(name) for name in names], np.int32)
    return numbers[np.searchsorted(used, trajectory.system.types)]
