"""Files of tensors (safetensors), with a record of everything else as JSON in the header.

The format itself promises that shapes fit the bytes that are there; what the record says is compared with the shapes
before anything is built from it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from helio.errors import HelioError, reason
from helio.files.json_text import parse_object
from helio.files.regular_file import regular_file

_NUMBERS = {
    "F64": np.float64,
    "F32": np.float32,
    "I64": np.int64,
    "I32": np.int32,
    "U8": np.uint8,
}


class TensorFile:
    """An open file of tensors: `shapes` by name, `record` of the header, `tensor` reads one."""

    def __init__(self, file: Any, path: Path, entry: str, damaged: str) -> None:
        self._file, self._path = file, path
        metadata = file.metadata() or {}
        self.record = parse_object(metadata[entry], f"the header of {path}") if entry in metadata else None
        self.shapes: dict[str, tuple[int, ...]] = {}
        for name in file.keys():
            part = file.get_slice(name)
            if part.get_dtype() not in _NUMBERS:
                raise HelioError(f"{path} {damaged}: its tensor {name[:80]!r} is of the type {part.get_dtype()}")
            self.shapes[name] = tuple(part.get_shape())

    @property
    def size(self) -> int:
        """Numbers of all tensors together."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    def tensors(self) -> dict[str, np.ndarray]:
        """All tensors by name."""
        return {name: self._file.get_tensor(name) for name in self.shapes}


@contextmanager
def open_tensors(
    path: str | Path, entry: str, *, missing: str, damaged: str = "is truncated, damaged or not a model file", mend: str
) -> Iterator[TensorFile]:
    """Open a file of tensors for reading.

    Args:
        path: where it is.
        entry: of the header's metadata, that holds the record; without it `record` is None.
        missing: what to do where there is no file, in messages.
        damaged: what is said of a file that cannot be read.
        mend: what to do about that.

    Raises:
        HelioError: there is none, it may not be read, is cut off or damaged, or holds anything but numbers.
    """
    path = Path(path)
    if not path.is_dir():
        path = regular_file(path, "model file", hint=missing)
    try:
        with safe_open(path, framework="np") as file:
            yield TensorFile(file, path, entry, damaged)
    except OSError as error:
        raise HelioError(f"cannot read the model file {path}: {error.strerror or reason(error)}") from error
    except SafetensorError as error:
        raise HelioError(f"{path} {damaged} ({reason(error)}): {mend}") from error
