"""Opening of HDF5 files, and what is said about damaged ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from helio.errors import HelioError
from helio.files.hdf5 import is_hdf5


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """The file, for reading; `HelioError` where it or a part of it cannot be read, also within the block."""
    try:
        with h5py.File(path, "r") as file:
            yield file
    except PermissionError:
        raise HelioError(f"{path} may not be read: check its permissions") from None
    except (OSError, RuntimeError) as error:  # h5py raises both for what HDF5 reports
        raise HelioError(f"{path} is cut off or damaged ({str(error).splitlines()[0]})") from error


def holds(path: Path, names: tuple[str, ...]) -> bool:
    """Whether the file is HDF5, and the first of its groups that have data sets has all of these."""
    if not is_hdf5(path):
        return False
    try:
        with opened(path) as file:
            group: h5py.Group = file
            while groups := [child for child in group.values() if isinstance(child, h5py.Group)]:
                if any(isinstance(child, h5py.Dataset) for child in group.values()):
                    break
                group = groups[0]
            return all(name in group for name in names)
    except HelioError:
        return False


def groups_with(parent: h5py.Group, names: tuple[str, ...]) -> Iterator[h5py.Group]:
    """The groups below `parent`, however deep, that hold data sets of all these names, in the order of the file."""
    if all(isinstance(parent.get(name), h5py.Dataset) for name in names):
        yield parent
        return
    for child in parent.values():
        if isinstance(child, h5py.Group):
            yield from groups_with(child, names)


def array(group: h5py.Group, name: str) -> np.ndarray | None:
    """The data set as an array, or None where it is missing."""
    found = group.get(name)
    return found[...] if isinstance(found, h5py.Dataset) else None


def needed(group: h5py.Group, name: str) -> np.ndarray:
    """The data set as an array; `HelioError` where it is missing."""
    found = array(group, name)
    if found is None:
        raise HelioError(f"{group.name} has no data set {name}")
    return found


def texts(values: np.ndarray) -> list[str]:
    """Strings of any of the types that HDF5 keeps them in."""
    return [value.decode() if isinstance(value, bytes) else str(value) for value in np.ravel(values)]
