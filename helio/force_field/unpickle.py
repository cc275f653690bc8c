"""Reading pickles of numpy arrays without running anything that the file brings along.

An ordinary unpickler calls whatever a file names. `load_arrays` knows the few names with which numpy describes an array
(pickle protocols 3 to 5), and gives each an inert stand-in of its own; any other name is refused. The arrays are then
made from the raw bytes.
"""

from __future__ import annotations

import io
import pickle
import struct
from typing import Any, Literal

import numpy as np

from helio.errors import HelioError

# What damaged or hostile bytes can make an unpickler raise.
UNPICKLING_ERRORS = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    OverflowError,
    MemoryError,
    struct.error,
)

_NUMBERS = {"f4": "f4", "f8": "f8", "i4": "i4", "i8": "i8"}


class _DataType:
    """Stands in for `numpy.dtype`."""

    def __init__(self, name: str, align: bool = False, copy: bool = False):
        self.name, self.byte_order = _NUMBERS[name], "<"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.byte_order = {"<": "<", ">": ">"}[state[1]]


class _Array:
    """Stands in for `numpy.ndarray` while its bytes are read."""

    value: np.ndarray

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, data_type, fortran_order, raw = state
        self.fill(raw, data_type, shape, "F" if fortran_order else "C")

    def fill(self, raw: object, data_type: object, shape: tuple[int, ...], order: Literal["C", "F"]) -> None:
        """Make the array of its bytes."""
        if not isinstance(data_type, _DataType) or not isinstance(raw, bytes | bytearray):
            raise pickle.UnpicklingError("an array of something else than numbers")
        flat = np.frombuffer(raw, data_type.byte_order + data_type.name)
        self.value = flat.reshape(shape, order=order).astype(data_type.name, order="C")


def _reconstruct(kind: object, shape: object, code: object) -> _Array:
    """Stands in for numpy's function of this name, which makes an empty array that the state then fills."""
    return _Array()


def _from_buffer(raw: object, data_type: object, shape: tuple[int, ...], order: Literal["C", "F"]) -> _Array:
    """Stands in for what makes an array of its bytes in protocol 5."""
    array = _Array()
    array.fill(raw, data_type, shape, order)
    return array


_ALLOWED = {
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,  # numpy 1
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,  # numpy 1
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _DataType,
}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        try:
            return _ALLOWED[module_name, global_name]
        except KeyError:
            raise ForbiddenName(f"{module_name}.{global_name}") from None


class ForbiddenName(Exception):
    """A pickle names something that is not on the list of what may be read."""


def load_arrays(content: bytes, path: str) -> dict[str, np.ndarray]:
    """The arrays of a pickled nested dict, under names joined with "/".

    Raises `HelioError` (about `path`) if the bytes are no pickle, are damaged, or name anything but numpy arrays.
    """
    try:
        return _flat(_ArrayUnpickler(io.BytesIO(content)).load())
    except ForbiddenName as error:
        raise HelioError(
            f"{path} asks to run {error}, which a file of weights has no need for: it was refused and nothing was run; "
            "do not open this file with other programs unless you trust where it comes from"
        ) from error
    except UNPICKLING_ERRORS as error:
        raise HelioError(
            f"{path} is damaged or is not a pickle of numpy arrays ({error}): fetch it again or choose another file"
        ) from error


def _flat(tree: object, prefix: str = "") -> dict[str, np.ndarray]:
    if isinstance(tree, _Array):
        return {prefix: tree.value}
    if not isinstance(tree, dict):
        raise pickle.UnpicklingError(f"{prefix or 'the content'} is a {type(tree).__name__}, not a dict of arrays")
    flat: dict[str, np.ndarray] = {}
    for name, value in tree.items():
        flat |= _flat(value, f"{prefix}/{name}" if prefix else str(name))
    return flat
