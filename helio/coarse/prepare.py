"""From folders of trajectories to a store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from helio.coarse.readers.lammps import Unwrap, is_lammps, read_lammps
from helio.coarse.readers.published import is_published, read_published
from helio.coarse.readers.run import is_run, read_run
from helio.coarse.split import split_systems
from helio.coarse.store_writer import store_writer
from helio.coarse.trajectory import FineTrajectory
from helio.errors import HelioError


@dataclass(frozen=True)
class Sources:
    """How folders are read, where they do not tell by themselves."""

    interval: float | None = None  # time between frames; runs of Helio tell
    length_unit: str = "sigma"  # of LAMMPS
    time_unit: str = "tau"
    unwrap: Unwrap = "flags"


def find_sources(paths: Sequence[Path]) -> list[Path]:
    """Folders with a trajectory: those given, and those directly in the others, in the order of their names.

    Raises:
        HelioError: a path is no folder, or there is none in it.
    """
    found = []
    for path in paths:
        if not path.is_dir():
            raise HelioError(f"there is no folder {path}")
        inside = [path] if _known(path) else [child for child in sorted(path.iterdir()) if _known(child)]
        if not inside:
            raise HelioError(
                f"{path} holds no trajectory: neither trajectory.h5md (Helio), nor a dump (.lammpstrj), nor ptype.h5"
            )
        found += inside
    return found


def read_source(folder: Path, sources: Sources) -> FineTrajectory:
    """The trajectory in a folder; `HelioError` where it cannot be read, or the time between frames is missing."""
    if is_run(folder):
        return read_run(folder)
    if sources.interval is None:
        raise HelioError(f"{folder} does not tell the time between frames: give it with --interval")
    if is_published(folder):
        return read_published(folder, interval=sources.interval)
    return read_lammps(
        folder,
        interval=sources.interval,
        length_unit=sources.length_unit,
        time_unit=sources.time_unit,
        unwrap=sources.unwrap,
    )


def prepare(
    folders: Sequence[Path],
    out: Path,
    sources: Sources,
    *,
    beads_per_group: float,
    validation: float,
    test: float,
    seed: int,
    keep_fine: bool = False,
    least_frames: int = 31,
    overwrite: bool = False,
    report: Callable[[str, int], None] = lambda name, frames: None,
) -> None:
    """Read `folders` into the store `out`; `report` is told each system's name and number of frames.

    The split is drawn by `seed`, as are the groups; `validation` and `test` are numbers of systems, or shares below 1.

    Raises:
        HelioError: something cannot be read, or does not fit together; then no store is written.
    """
    trajectories = [read_source(folder, sources) for folder in folders]
    parts = split_systems([t.name for t in trajectories], validation=validation, test=test, seed=seed)
    names = sorted({t.type_names[number] for t in trajectories for number in set(t.system.types.tolist())})
    with store_writer(
        out,
        type_names=tuple(names),
        length_unit=trajectories[0].length_unit,
        time_unit=trajectories[0].time_unit,
        beads_per_group=beads_per_group,
        seed=seed,
        keep_fine=keep_fine,
        least_frames=least_frames,
        origin=", ".join(sorted({str(folder.parent) for folder in folders})),
        overwrite=overwrite,
    ) as writer:
        for trajectory in trajectories:
            report(trajectory.name, writer.add(trajectory, parts[trajectory.name]))


def _known(folder: Path) -> bool:
    return folder.is_dir() and (is_run(folder) or is_published(folder) or is_lammps(folder))
