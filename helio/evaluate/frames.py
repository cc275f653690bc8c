"""Structures of a labelled set, one after another."""

from __future__ import annotations

import itertools
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from helio.errors import HelioError
from helio.files.ase_formats import each_structure

if TYPE_CHECKING:
    from ase import Atoms

# Names of arrays in .npz sets: this package's own, and those of the MD17 collections.
_NPZ_NAMES = {
    "numbers": ("atomic_numbers", "nuclear_charges", "numbers", "z"),
    "positions": ("positions", "coords", "R"),
    "energy": ("energy", "energies", "E"),
    "forces": ("forces", "F"),
}


def read_frames(path: str | Path, *, stride: int = 1, limit: int | None = None) -> Iterator[tuple[int, Atoms]]:
    """Every `stride`-th structure of a file with its number in the file, `limit` of them at most.

    Reads every format of ASE without holding the file in memory, and .npz sets of one molecule in the layout of MD17,
    whose labels become `info["energy"]` and `info["forces"]`.

    Raises `HelioError` for a file that is missing, empty, damaged or of unknown format.
    """
    if stride < 1 or (limit is not None and limit < 1):
        raise HelioError(f"stride and limit must be at least 1, not {stride} and {limit}")
    path = Path(path)
    if not path.is_file():
        raise HelioError(f"there is no file {path}")
    if path.stat().st_size == 0:
        raise HelioError(f"{path} is empty")
    frames = _npz_frames(path) if path.suffix == ".npz" else _ase_frames(path)
    chosen = itertools.islice(frames, 0, None, stride)
    return itertools.islice(zip(itertools.count(0, stride), chosen, strict=False), limit)


def count_frames(path: str | Path, *, stride: int = 1, limit: int | None = None) -> int | None:
    """How many structures `read_frames` will give; None where only reading tells."""
    path = Path(path)
    if path.suffix == ".npz":
        with _open_npz(path) as arrays:
            total = len(_npz_array(arrays, "positions", path))
    elif path.suffix in (".xyz", ".extxyz"):
        total = _count_xyz(path)
    else:
        return None
    count = -(-total // stride)
    return count if limit is None else min(count, limit)


def _ase_frames(path: Path) -> Iterator[Atoms]:
    count = 0
    for atoms in each_structure(path):
        if len(atoms) == 0:
            raise HelioError(f"structure {count} of {path} has no atoms")
        count += 1
        yield atoms
    if count == 0:
        raise HelioError(f"{path} holds no structures")


def _npz_frames(path: Path) -> Iterator[Atoms]:
    from ase import Atoms

    with _open_npz(path) as arrays:
        numbers, positions = _npz_array(arrays, "numbers", path), _npz_array(arrays, "positions", path)
        labels = {
            name: _npz_array(arrays, name, path)
            for name in ("energy", "forces")
            if any(key in arrays for key in _NPZ_NAMES[name])
        }
    if positions.ndim != 3 or numbers.shape[-1:] != positions.shape[1:2]:
        raise HelioError(f"{path}: positions of shape {positions.shape} do not fit elements of shape {numbers.shape}")
    numbers = np.broadcast_to(numbers, positions.shape[:2])
    for name, values in labels.items():
        if len(values) != len(positions):
            raise HelioError(f"{path} holds {len(positions)} structures but {len(values)} values of {name}")
    for frame in range(len(positions)):
        atoms = Atoms(numbers=numbers[frame], positions=positions[frame])
        if "energy" in labels:
            atoms.info["energy"] = float(labels["energy"][frame].item())
        if "forces" in labels:
            atoms.info["forces"] = labels["forces"][frame]
        yield atoms


def _open_npz(path: Path) -> np.lib.npyio.NpzFile:
    if not zipfile.is_zipfile(path):
        raise HelioError(f"{path} is cut off or no .npz file")
    return np.load(path, allow_pickle=False)


def _npz_array(arrays: np.lib.npyio.NpzFile, name: str, path: Path) -> np.ndarray:
    key = next((key for key in _NPZ_NAMES[name] if key in arrays), None)
    if key is None:
        raise HelioError(f"{path} has no array of {name} (looked for {', '.join(_NPZ_NAMES[name])})")
    try:
        return arrays[key]
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise HelioError(f"the array {key} of {path} cannot be read ({error})") from error


def _count_xyz(path: Path) -> int:
    """Frames of an .xyz file by its lines of atom counts; the reader itself reports what is wrong with a file."""
    count = 0
    with path.open("rb") as lines:
        while line := lines.readline():
            if not line.strip().isdigit():
                break
            for _ in range(1 + int(line)):
                lines.readline()
            count += 1
    return count
