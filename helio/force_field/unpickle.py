"""Reading pickles of numpy arrays without running anything that the file brings along.

An ordinary unpickler calls whatever a file names. `load_arrays` knows the few names with which numpy describes an array
(pickle protocols 3 to 5), and gives each an inert stand-in of its own; any other name is refused. The arrays are then
made from the raw bytes.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import struct
from typing import Any, Literal

import numpy as np

from helio.errors import HelioError, reason

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
    RecursionError,
    struct.error,
)

_MAX_NESTING = 32  # of dicts in each other
_MAX_INSTRUCTIONS = 1_000_000  # the published models have some thousand

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
        check_pickle(content)
        return _flat(_ArrayUnpickler(io.BytesIO(content)).load())
    except ForbiddenName as error:
        raise HelioError(
            f"{path} asks to run {reason(error)}, which a file of weights has no need for: it was refused and nothing "
            "was run; do not open this file with other programs unless you trust where it comes from"
        ) from error
    except UNPICKLING_ERRORS as error:
        raise HelioError(
            f"{path} is damaged or is not a pickle of numpy arrays ({reason(error)}): fetch it again or choose another "
            "file"
        ) from error


def check_pickle(content: bytes | bytearray) -> None:
    """Look through the instructions of a pickle before any of them is followed.

    Raises:
        pickle.UnpicklingError: they number things far beyond how many there are, for which memory would be taken, or
            there are far more of them than a file of weights has.
        ValueError: they are cut off or damaged.
    """
    for count, (instruction, argument, _) in enumerate(pickletools.genops(bytes(content))):
        if count > _MAX_INSTRUCTIONS:
            raise pickle.UnpicklingError(f"more than {_MAX_INSTRUCTIONS:,} instructions")
        numbers = instruction.name in ("PUT", "BINPUT", "LONG_BINPUT") and isinstance(argument, int)
        if numbers and not 0 <= int(argument or 0) <= len(content):
            raise pickle.UnpicklingError("it numbers more things than it has bytes")


def _flat(tree: object) -> dict[str, np.ndarray]:
    """Arrays by their path; each dict is met once, since a file can name one dict in many places."""
    flat: dict[str, np.ndarray] = {}
    met: set[int] = set()
    waiting: list[tuple[str, object, int]] = [("", tree, 0)]
    while waiting:
        name, value, depth = waiting.pop()
        if isinstance(value, _Array):
            flat[name] = value.value
        elif not isinstance(value, dict):
            raise pickle.UnpicklingError(f"{name or 'the content'} is a {type(value).__name__}, not a dict of arrays")
        elif id(value) in met or depth > _MAX_NESTING:
            raise pickle.UnpicklingError("dicts that stand in several places, or very deep in each other")
        else:
            met.add(id(value))
            waiting += [(f"{name}/{key}" if name else str(key), inner, depth + 1) for key, inner in value.items()]
    return flat
