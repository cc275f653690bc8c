"""Frames of extended xyz files, which say the box, times and velocities, for MDAnalysis."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from helio.errors import HelioError
from helio.files.ase_formats import each_structure
from helio.files.orientation import cell_for_images, standard_orientation
from helio.units import FS


def is_extended_xyz(path: Path) -> bool:
    """Whether the second line of an xyz file says the properties or the cell, as extended xyz does."""
    if path.suffix.lower() not in (".xyz", ".extxyz"):
        return False
    with path.open(encoding="utf-8", errors="replace") as file:
        file.readline()
        second = file.readline()
    return "Lattice=" in second or "Properties=" in second


def open_extended_xyz(path: Path) -> tuple[Any, tuple[bool, bool, bool]]:
    """The atoms and all frames, in memory, and the periodic directions; times are `time_ps` of frames, or 1 ps apart.

    Cells are turned into the standard orientation, with positions and velocities.

    Raises:
        HelioError: the file cannot be read, or its frames are not of the same atoms.
    """
    import MDAnalysis
    from MDAnalysis.coordinates.memory import MemoryReader

    frames = _read(path)
    first = frames[0]
    for number, atoms in enumerate(frames):
        if not np.array_equal(atoms.numbers, first.numbers):
            raise HelioError(f"frame {number} of {path} is not of the same atoms as its first; analyse them one by one")
    turned = [_standard(atoms) for atoms in frames]
    times = [atoms.info.get("time_ps") for atoms in frames]
    interval = times[1] - times[0] if len(times) > 1 and None not in times else 1.0
    universe: Any = MDAnalysis.Universe.empty(len(first), trajectory=False)
    symbols = np.array(first.get_chemical_symbols(), object)
    for name in ("names", "elements", "types"):
        universe.add_TopologyAttr(name, symbols)
    velocities = [part for _, _, part in turned if part is not None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about atoms without masses, which are set later
        universe.load_new(
            np.array([positions for positions, _, _ in turned], np.float32),
            format=MemoryReader,
            dimensions=np.array([box for _, box, _ in turned]),
            velocities=np.array(velocities, np.float32) if len(velocities) == len(frames) else None,
            dt=interval or 1.0,
            time_offset=times[0] or 0.0,
        )
    return universe, (bool(first.pbc[0]), bool(first.pbc[1]), bool(first.pbc[2]))


def _read(path: Path) -> list[Any]:
    frames = list(each_structure(path))
    if not frames:
        raise HelioError(f"{path} holds no frame")
    return frames


def _standard(atoms: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Positions, box (a, b, c, alpha, beta, gamma; zeros without) and velocities in A/ps."""
    if not atoms.pbc.any():
        return atoms.positions, np.zeros(6), atoms.get_velocities() * (1000 * FS) if atoms.has("momenta") else None
    box, turn = standard_orientation(cell_for_images(atoms.cell.array, atoms.pbc, atoms.positions))
    positions = atoms.positions @ turn.T
    velocities = atoms.get_velocities() @ turn.T * (1000 * FS) if atoms.has("momenta") else None
    return positions, box, velocities
