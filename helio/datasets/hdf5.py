"""Reading of HDF5 data sets, for all their layouts."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path

import h5py
import numpy as np

from helio.errors import HelioError
from helio.files.hdf5 import checked_dataset, is_hdf5, linked, open_hdf5

_MAX_DEPTH = 32  # of groups in each other


def opened(path: Path) -> AbstractContextManager[h5py.File]:
    """The file, for reading; `HelioError` where it or a part of it cannot be read, also within the block."""
    return open_hdf5(path, "data set")


def holds(path: Path, names: tuple[str, ...]) -> bool:
    """Whether the file is HDF5, and the first of its groups that have data sets has all of these."""
    if not is_hdf5(path):
        return False
    try:
        with opened(path) as file:
            group: h5py.Group = file
            for _ in range(_MAX_DEPTH):
                children = [linked(group, name) for name in islice(group, 100)]
                groups = [child for child in children if isinstance(child, h5py.Group)]
                if not groups or any(isinstance(child, h5py.Dataset) for child in children):
                    break
                group = groups[0]
            return all(name in group for name in names)
    except HelioError:
        return False


def groups_with(parent: h5py.Group, names: tuple[str, ...]) -> Iterator[h5py.Group]:
    """The groups below `parent` that hold data sets of all these names, in the order of the file.

    Raises:
        ValueError: a link leads elsewhere, or groups are very deep in each other, or in a circle.
    """
    yield from _groups_with(parent, names, 0)


def _groups_with(parent: h5py.Group, names: tuple[str, ...], depth: int) -> Iterator[h5py.Group]:
    if all(name in parent and isinstance(linked(parent, str(name)), h5py.Dataset) for name in names):
        yield parent
        return
    if depth > _MAX_DEPTH:
        raise ValueError(f"groups are more than {_MAX_DEPTH} deep in each other, or in a circle")
    for name in parent:
        child = linked(parent, str(name))
        if isinstance(child, h5py.Group):
            yield from _groups_with(child, names, depth + 1)


def array(group: h5py.Group, name: str) -> np.ndarray | None:
    """The data set as an array, or None where it is missing; `ValueError` where the file cannot hold it."""
    return checked_dataset(linked(group, name))[...] if name in group else None


def needed(group: h5py.Group, name: str) -> np.ndarray:
    """The data set as an array; `HelioError` where it is missing."""
    found = array(group, name)
    if found is None:
        raise HelioError(f"{group.name} has no data set {name}")
    return found


def texts(values: np.ndarray) -> list[str]:
    """Strings of any of the types that HDF5 keeps them in."""
    return [value.decode() if isinstance(value, bytes) else str(value) for value in np.ravel(values)]


def length(group: h5py.Group, name: str) -> int:
    """Rows of a data set, without reading it; zero where it has none or is missing."""
    dataset = checked_dataset(linked(group, name)) if name in group else None
    return int(dataset.shape[0]) if dataset is not None and dataset.shape else 0


def unused_names(group: h5py.Group, used: Collection[str]) -> tuple[str, ...]:
    """The names of the group's data sets that are not among those used."""
    return tuple(str(name) for name in group if str(name) not in used)
