"""The layout of the published data: one folder per trajectory, one HDF5 file per array.

| file | data set | shape |
|---|---|---|
| `position.h5` | `position`, of chains without boundaries | (T, N, 3) |
| `unwrapped_position.h5` | `unwrapped_position`, of systems in a box | (T, N, 3) |
| `lattice.h5` | `lattice`, edges of the box; not read for chains | (T, 3) |
| `ptype.h5` | `particle_type`, from 0 for chains, atomic numbers in a box | (N,) |
| `bond.h5` | `bond_indices`, from 0, each bond once | (P, 2) |
| `bond_type.h5` | `bond_type`, in a box | (P,) |

Chains are in the units of their simulation, all masses being one; in a box lengths are in A and times in ps, and
masses those of the elements.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
from ase.data import atomic_masses, chemical_symbols

from helio.coarse.system import fine_system
from helio.coarse.trajectory import Block, FineTrajectory, block_frames
from helio.errors import HelioError
from helio.files.hdf5 import checked_dataset, linked, open_hdf5

# Of four types of chain beads: two of the backbone, two of the sides.
CHAIN_TYPES = ("B1", "B2", "S1", "S2")


def is_published(folder: Path) -> bool:
    """Whether the folder holds a trajectory of this layout."""
    return (folder / "ptype.h5").is_file()


def read_published(folder: str | Path, *, interval: float) -> FineTrajectory:
    """The trajectory in `folder`, frames being `interval` apart (tau for chains, ps in a box).

    Raises:
        HelioError: files are missing or damaged, or positions were only kept wrapped.
    """
    folder = Path(folder)
    boxed = (folder / "unwrapped_position.h5").is_file()
    if not boxed and (folder / "wrapped_position.h5").is_file():
        raise HelioError(f"{folder} holds wrapped positions without image flags; unwrapped_position.h5 is needed")
    types, bonds = _array(folder, "ptype", "particle_type").astype(int).ravel(), _array(folder, "bond", "bond_indices")
    kind = "unwrapped_position" if boxed else "position"
    if not boxed:
        if types.max() >= len(CHAIN_TYPES):
            raise HelioError(
                f"{folder} has a bead of type {types.max()}; chains have types 0 to {len(CHAIN_TYPES) - 1}"
            )
        system, names, units = fine_system(types, np.ones(len(types)), bonds), CHAIN_TYPES, ("sigma", "tau")
    else:
        if types.min() < 1 or types.max() >= len(chemical_symbols):
            raise HelioError(f"{folder} has an atom of the element {types.min()}, which there is not")
        numbers, places = np.unique(types, return_inverse=True)
        kinds = _array(folder, "bond_type", "bond_type").ravel() if (folder / "bond_type.h5").is_file() else None
        first = _array(folder, "lattice", "lattice")[0]
        system = fine_system(places, atomic_masses[types], bonds, bond_types=kinds, box=first)
        names, units = tuple(chemical_symbols[number] for number in numbers), ("A", "ps")

    def frames() -> Iterator[Block]:
        boxes = _array(folder, "lattice", "lattice").astype(float) if boxed else None
        changing = boxes is not None and bool((boxes != boxes[0]).any())
        with open_hdf5(folder / f"{kind}.h5", "data set") as file:
            positions = _dataset(file, kind)
            step = block_frames(len(types))
            for begin in range(0, len(positions), step):
                part = slice(begin, begin + step)
                yield Block(positions[part].astype(float), boxes[part] if changing and boxes is not None else None)

    return FineTrajectory(folder.name, system, names, frames, interval, *units)


def _array(folder: Path, file: str, name: str) -> np.ndarray:
    path = folder / f"{file}.h5"
    if not path.is_file():
        raise HelioError(f"{folder} lacks {path.name}")
    with open_hdf5(path, "data set") as opened:
        return _dataset(opened, name)[...]


def _dataset(file: h5py.File, name: str) -> h5py.Dataset:
    if name not in file:
        raise HelioError(f"{file.filename} has no data set {name}")
    return checked_dataset(linked(file, name))
