"""Files of coarse models: safetensors, with all else as JSON in the header (one entry, `helio_coarse`).

The header holds the format's number, name, architecture, scales, the model's time step and units, where it comes from,
and the SHA-256 of the weights. Tensors are named by their path in the `CoarseModel`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from helio.coarse.network.architecture import Architecture
from helio.coarse.network.model import CoarseModel
from helio.coarse.network.standardise import Scales
from helio.errors import HelioError
from helio.files.atomic import write_bytes
from helio.force_field.model_file import weights_sha256

FORMAT = 1
# In the package, by name.
PACKAGED = ("coarse-rouse", "coarse-copolymers")
_FOLDER = Path(__file__).parents[1] / "models"


@dataclass(frozen=True)
class CoarseInfo:
    """What a file says about its model."""

    name: str
    step_time: float  # of one step
    length_unit: str
    time_unit: str
    beads_per_group: float
    source: str  # data and program
    weights_sha256: str = ""


def save_coarse(model: CoarseModel, path: str | Path, info: CoarseInfo) -> None:
    """Write a model to `path`, whole or not at all."""
    tensors = _tensors(model)
    record = {
        "format": FORMAT,
        **{name: value for name, value in vars(info).items() if name != "weights_sha256"},
        "architecture": model.architecture.to_dict(),
        "scales": model.scales.to_dict(),
        "weights_sha256": weights_sha256(tensors),
    }
    write_bytes(path, save(tensors, {"helio_coarse": json.dumps(record, sort_keys=True)}))


def model_path(model: str | Path) -> Path:
    """The file of a model that comes with Helio, by its name; any other path as it is."""
    return _FOLDER / f"{model}.safetensors" if str(model) in PACKAGED else Path(model)


def read_coarse(path: str | Path) -> tuple[CoarseModel, CoarseInfo]:
    """The model in a file (or in the package), bit by bit as it was saved, and what the file says about it.

    Raises:
        HelioError: there is no such file, it is damaged, or it is something else.
    """
    path = model_path(path)
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except FileNotFoundError as error:
        raise HelioError(f"there is no model file {path}") from error
    except OSError as error:
        raise HelioError(f"cannot read the model file {path}: {error.strerror or error}") from error
    except SafetensorError as error:
        raise HelioError(f"{path} is truncated, damaged or no model file ({error})") from error
    if "helio_coarse" not in metadata:
        raise HelioError(f"{path} is no coarse model: `helio coarse train` makes one")
    record: dict[str, Any] = json.loads(metadata["helio_coarse"])
    if record["format"] != FORMAT:
        raise HelioError(f"{path} has format {record['format']}, this Helio reads format {FORMAT}")
    if weights_sha256(tensors) != record["weights_sha256"]:
        raise HelioError(f"{path} is damaged: its weights do not fit their checksum")
    try:
        info = CoarseInfo(**{name: record[name] for name in CoarseInfo.__dataclass_fields__})
        architecture, scales = Architecture.from_dict(record["architecture"]), Scales(**record["scales"])
    except (KeyError, TypeError) as error:
        raise HelioError(f"{path} is damaged: its header cannot be read ({error})") from error
    return _filled(architecture, scales, tensors, path), info


def _tensors(model: CoarseModel) -> dict[str, np.ndarray]:
    leaves = jax.tree_util.tree_flatten_with_path(model)[0]
    return {_name(path): np.ascontiguousarray(leaf) for path, leaf in leaves}


def _filled(
    architecture: Architecture, scales: Scales, tensors: dict[str, np.ndarray], path: str | Path
) -> CoarseModel:
    template = eqx.filter_eval_shape(CoarseModel, architecture, scales, seed=0)
    leaves, structure = jax.tree_util.tree_flatten_with_path(template)
    shapes = {_name(place): leaf.shape for place, leaf in leaves}
    if {name: tensor.shape for name, tensor in tensors.items()} != shapes:
        raise HelioError(f"the weights in {path} do not fit its architecture: train it anew with this version of Helio")
    return jax.tree.unflatten(structure, [jnp.asarray(tensors[name]) for name in shapes])


def _name(path: tuple[Any, ...]) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")
