"""HDF5 files of Helio's own: each says in its attributes `format` and `version` what it is."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from helio.errors import HelioError

# What h5py raises for a file that is not whole.
READING = (OSError, RuntimeError, KeyError, ValueError)

_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def open_store(path: str | Path, *, format: str, version: int, what: str, maker: str) -> h5py.File:
    """Open a file of one kind for reading.

    Args:
        path: where it is.
        format: what its attribute of this name must be.
        version: likewise.
        what: it is, in messages: "store of frameworks".
        maker: the commands that make one, in messages.

    Raises:
        HelioError: it does not exist, may not be read, is cut off, damaged, something else or of another version.
    """
    path, name = Path(path), what.partition(" ")[0]
    try:
        if not path.is_file():
            raise HelioError(f"there is no {name} {path}")
        if not is_hdf5(path):
            raise HelioError(f"{path} is no {what}: {maker} makes one")
        file = h5py.File(path, "r")
        found, of_version = file.attrs.get("format"), int(np.asarray(file.attrs.get("version", 0)))
    except PermissionError:
        raise HelioError(f"{path} may not be read: check its permissions") from None
    except READING as error:
        raise damage(path, error, what=what, maker=maker) from error
    if found != format:
        file.close()
        raise HelioError(f"{path} is no {what}: {maker} makes one")
    if of_version != version:
        file.close()
        mend = "update Helio" if of_version > version else f"make it anew by {maker}"
        raise HelioError(f"{path} is a {what} of version {of_version}, this Helio reads version {version}: {mend}")
    return file


def damage(path: Path, error: Exception, *, what: str, maker: str) -> HelioError:
    """What to tell where reading raised one of `READING`."""
    reason = str(error).partition("\n")[0]
    return HelioError(f"the {what} {path} is cut off or damaged ({reason}): make it anew by {maker}")


def is_hdf5(path: Path) -> bool:
    """Whether the file begins like HDF5."""
    with path.open("rb") as file:
        return file.read(len(_SIGNATURE)) == _SIGNATURE
