"""Run folders of Helio, whose trajectories hold elements, masses, bonds and unwrapped positions."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from ase.data import chemical_symbols

from helio.coarse.system import fine_system
from helio.coarse.trajectory import Block, FineTrajectory, block_frames
from helio.coarse.unwrapping import offsets_to_whole
from helio.errors import HelioError, counted
from helio.files.run_folder import RunFolder
from helio.files.trajectory import Frame, read_frames, read_particles


def is_run(folder: Path) -> bool:
    """Whether the folder is a run with a trajectory."""
    return RunFolder(folder).trajectory.is_file()


def read_run(folder: str | Path) -> FineTrajectory:
    """The trajectory of a run, atoms being beads of the types of their elements; in A and ps.

    Raises:
        HelioError: there are fewer than two frames, or the cell is not orthogonal or not periodic in all directions.
    """
    path = RunFolder(Path(folder)).trajectory
    particles = read_particles(path)
    first = list(islice(read_frames(path), 2))
    if len(first) < 2:
        raise HelioError(f"the trajectory of {folder} is too short: {counted(len(first), 'frame')}")
    if any(particles.pbc) and not all(particles.pbc):
        raise HelioError(f"{folder} is periodic in some directions only; it must be in all or none")
    place = np.full(int(particles.ids.max()) + 1, -1)
    place[particles.ids] = np.arange(len(particles.ids))
    numbers, types = np.unique(particles.species, return_inverse=True)
    box = _edges(first[0], path) if all(particles.pbc) else None
    system = fine_system(types, particles.masses, place[particles.bonds], box=box)
    # Helio's positions go on beyond the box, but the run may have begun with molecules that its boundary cuts.
    whole = None if box is None else offsets_to_whole(system, first[0].arrays["position"], box)

    def frames() -> Iterator[Block]:
        stream = read_frames(path)
        while taken := list(islice(stream, block_frames(len(types)))):
            positions = np.stack([frame.arrays["position"] for frame in taken]).astype(float)
            if box is None or whole is None:
                yield Block(positions)
                continue
            boxes = np.stack([_edges(frame, path) for frame in taken])
            yield Block(positions + whole * boxes[:, None], boxes)

    names = tuple(chemical_symbols[number] for number in numbers)
    return FineTrajectory(Path(folder).name, system, names, frames, first[1].time_ps - first[0].time_ps)


def _edges(frame: Frame, path: Path) -> np.ndarray:
    """Edges (3,) of an orthogonal cell along the axes; its vectors may come in any order and point either way."""
    cell = np.asarray(frame.arrays["edges"], float)
    edges = np.abs(cell).max(axis=0)
    along = np.abs(cell) > 1e-6 * edges.max()
    if not ((along.sum(axis=0) == 1) & (along.sum(axis=1) == 1)).all():
        raise HelioError(f"the cell of {path} at step {frame.step} is not orthogonal: {cell.round(3).tolist()}")
    return edges
