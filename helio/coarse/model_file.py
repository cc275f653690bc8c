"""Files of coarse models: safetensors, with all else as JSON in the header (one entry, `helio_coarse`).

The header holds the format's number, name, architecture, scales, the model's time step and units, where it comes from,
and the SHA-256 of the weights. Tensors are named by their path in the `CoarseModel`.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from safetensors.numpy import save

from helio.coarse.network.architecture import Architecture
from helio.coarse.network.model import CoarseModel
from helio.coarse.network.standardise import Scales
from helio.errors import HelioError, excerpt
from helio.files.atomic import write_bytes
from helio.files.safetensors_file import open_tensors
from helio.force_field.model_file import weights_sha256
from helio.network.template import TooManyParameters, template
from helio.settings.checking import checked_record

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
    make, damaged = "`helio coarse train` makes one", "is truncated, damaged or no model file"
    with open_tensors(path, "helio_coarse", missing=make, damaged=damaged, mend="copy it again") as file:
        record = file.record
        if record is None:
            raise HelioError(f"{path} is no coarse model: {make}")
        if record.get("format") != FORMAT:
            raise HelioError(f"{path} has format {excerpt(record.get('format'))}, this Helio reads format {FORMAT}")
        tensors = file.tensors()
    if weights_sha256(tensors) != record.get("weights_sha256"):
        raise HelioError(f"{path} is damaged: its weights do not fit their checksum")
    names = {name: record[name] for name in CoarseInfo.__dataclass_fields__ if name in record}
    try:
        info = checked_record(CoarseInfo, names, "the header")
        architecture = Architecture.from_dict(record.get("architecture"))
        scales = checked_record(Scales, record.get("scales"), "the scales of the model")
    except HelioError as error:
        raise HelioError(f"the header of {path} is damaged, or of another version of Helio: {error}") from None
    return _filled(architecture, scales, tensors, path), info


def _tensors(model: CoarseModel) -> dict[str, np.ndarray]:
    leaves = jax.tree_util.tree_flatten_with_path(model)[0]
    return {_name(path): np.ascontiguousarray(leaf) for path, leaf in leaves}


def _filled(
    architecture: Architecture, scales: Scales, tensors: dict[str, np.ndarray], path: str | Path
) -> CoarseModel:
    parameters, shapes, structure = sum(tensor.size for tensor in tensors.values()), {}, None
    with suppress(TooManyParameters):
        shaped = template(lambda generator: CoarseModel(architecture, scales, seed=generator), parameters=parameters)
        leaves, structure = jax.tree_util.tree_flatten_with_path(shaped)
        shapes = {_name(place): leaf.shape for place, leaf in leaves}
    if structure is None or {name: tensor.shape for name, tensor in tensors.items()} != shapes:
        raise HelioError(f"the weights in {path} do not fit its architecture: train it anew with this version of Helio")
    return jax.tree.unflatten(structure, [jnp.asarray(tensors[name]) for name in shapes])


def _name(path: tuple[Any, ...]) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")
