"""Run folders written from arrays."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from helio.analyse import Frames, open_frames
from helio.files.trajectory import Frame, Particles, TrajectoryWriter
from helio.simulate.bonds import bonds
from helio.simulate.saved_atoms import topology_text


def write_run(
    folder: Path,
    atoms: Atoms,
    positions: np.ndarray,
    *,
    interval_ps: float = 1.0,
    pairs: np.ndarray | None = None,
    commit_every: int = 10_000,
    log: Mapping[str, Sequence[float] | np.ndarray] | None = None,
    **arrays: np.ndarray,
) -> Path:
    """A run folder with the atoms' cell; positions (T, n, 3) and further arrays (T, ...) by their names in H5MD.

    Bonds are those of `atoms` unless `pairs` (P, 2) are given.
    """
    pairs = bonds(atoms)[0] if pairs is None else pairs
    pbc = (bool(atoms.pbc[0]), bool(atoms.pbc[1]), bool(atoms.pbc[2]))
    particles = Particles(np.arange(len(atoms)), atoms.numbers, atoms.get_masses(), pairs, pbc)
    writer = TrajectoryWriter(folder, particles, creator="0")
    for number, moment in enumerate(positions):
        content = {"position": moment} | {name: array[number] for name, array in arrays.items()}
        if atoms.pbc.any() and "edges" not in content:
            content["edges"] = atoms.cell.array
        writer.append(Frame(number, number * interval_ps, content))
        if (number + 1) % commit_every == 0:
            writer.commit()
    writer.commit()
    (folder / "topology.pdb").write_text(topology_text(atoms))
    (folder / "settings.yaml").write_text("model: none\n")
    if log is not None:
        with (folder / "log.csv").open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(log)
            table.writerows(zip(*log.values(), strict=True))
    return folder


@pytest.fixture
def make_frames(tmp_path: Path) -> Callable[..., Frames]:
    """`write_run` into an empty folder, and the frames opened."""

    def make(*arguments: object, **more: object) -> Frames:
        return open_frames(write_run(tmp_path / "run", *arguments, **more))  # pyright: ignore

    return make
