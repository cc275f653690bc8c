"""Reading the model that So3krates-torch ships, without torch: a zip of raw numbers and a pickle that arranges them.

As with `helio.force_field.unpickle`, nothing that the pickle names is ever called: modules become inert records, and
the few names that describe a tensor are replaced by stand-ins.
"""

from __future__ import annotations

import io
import math
import pickle
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np

from helio.errors import HelioError, reason
from helio.files.zip_file import ZipArchive, open_zip
from helio.force_field.unpickle import UNPICKLING_ERRORS, ForbiddenName, check_pickle

_STORAGES = {"FloatStorage": "f4", "DoubleStorage": "f8", "LongStorage": "i8"}
_MAX_MODULES = 10_000  # the published model has some hundred
_INERT_PREFIXES = ("so3krates_torch.", "torch.nn.modules.")


class _Record:
    """Any module or type of the archive: holds the state that the pickle gives it and does nothing."""

    def __init__(self, *args: object):
        del args


@dataclass(frozen=True)
class TorchModel:
    """What an archive holds.

    `tensors` are named by the path of modules ("zbl_repulsion.a1_raw"), `values` are the plain settings of the model
    object (numbers, strings, lists).
    """

    tensors: dict[str, np.ndarray]
    values: dict[str, Any]


def read_torch_model(content: bytes, path: str) -> TorchModel:
    """The tensors and settings of a So3krates-torch model file given as bytes; `path` is for messages.

    Raises `HelioError` if it is no such file, is damaged, or names anything that a model has no need for.
    """
    try:
        with open_zip(content, "model of So3krates-torch", label=path) as archive:
            model = _Unpickler(archive).load()
    except ForbiddenName as error:
        raise HelioError(
            f"{path} asks to run {error}, which a model has no need for: it was refused and nothing was run"
        ) from error
    except (*UNPICKLING_ERRORS, HelioError) as error:
        raise HelioError(
            f"{path} is damaged or is not a model of So3krates-torch ({reason(error)}): fetch it again or choose "
            "another file"
        ) from error
    if not isinstance(model, _Record):
        raise HelioError(f"{path} holds no model of So3krates-torch: choose another file")
    values = {name: v for name, v in vars(model).items() if isinstance(v, int | float | str | list)}
    try:
        return TorchModel(_tensors(model), values)
    except UNPICKLING_ERRORS as error:
        raise HelioError(f"{path} is damaged: it holds no model of So3krates-torch ({reason(error)})") from error


class _Unpickler(pickle.Unpickler):
    def __init__(self, archive: ZipArchive):
        pickles = [name for name in archive.sizes if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise pickle.UnpicklingError("no data.pkl inside")
        self._archive = archive
        self._folder = pickles[0].removesuffix("/data.pkl")
        order = f"{self._folder}/byteorder"
        if order in archive.sizes and archive.read(order) != b"little":
            raise pickle.UnpicklingError("numbers in big-endian order")
        instructions = archive.read(pickles[0])
        check_pickle(instructions)
        super().__init__(io.BytesIO(instructions))

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if module_name.startswith(_INERT_PREFIXES) or (module_name, global_name) == ("torch", "float32"):
            return _Record
        if module_name == "torch" and global_name in _STORAGES:
            return _STORAGES[global_name]
        allowed = {
            ("collections", "OrderedDict"): OrderedDict,
            ("__builtin__", "set"): set,
            ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
            ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
        }
        try:
            return allowed[module_name, global_name]
        except KeyError:
            raise ForbiddenName(f"{module_name}.{global_name}") from None

    def persistent_load(self, pid: Any) -> np.ndarray:
        """A storage: all numbers of one tensor, in a file of their own."""
        _, data_type, key, _, count = pid
        numbers = np.frombuffer(self._archive.read(f"{self._folder}/data/{int(key)}"), "<" + data_type)
        if len(numbers) != count:
            raise pickle.UnpicklingError(f"storage {key} has {len(numbers)} numbers instead of {count}")
        return numbers


def _rebuild_tensor(storage: np.ndarray, offset: int, shape: tuple, strides: tuple, *ignored: object) -> np.ndarray:
    expected = tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
    if strides != expected:
        raise pickle.UnpicklingError("a tensor that is not stored row by row")
    return storage[offset : offset + math.prod(shape)].reshape(shape)


def _rebuild_parameter(tensor: np.ndarray, *ignored: object) -> np.ndarray:
    return tensor


def _tensors(model: _Record) -> dict[str, np.ndarray]:
    """Tensors by the path of their module.

    A module may stand in several places, and a small file can so describe a tree that has no end.
    """
    tensors: dict[str, np.ndarray] = {}
    waiting: list[tuple[str, _Record]] = [("", model)]
    for _ in range(_MAX_MODULES):
        if not waiting:
            return tensors
        prefix, module = waiting.pop()
        state = vars(module)
        for kind in ("_parameters", "_buffers"):
            for name, value in dict(state.get(kind, {})).items():
                if isinstance(value, np.ndarray):
                    tensors[f"{prefix}{name}"] = value
        children = dict(state.get("_modules", {})).items()
        waiting += [(f"{prefix}{name}.", child) for name, child in children if isinstance(child, _Record)]
    raise pickle.UnpicklingError(f"more than {_MAX_MODULES:,} modules")
