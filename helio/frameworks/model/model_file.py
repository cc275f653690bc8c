"""One file with all that generation needs: networks, scales, and the library of blocks with their embeddings.

Safetensors; the header's one entry `helio` holds the kind, the format's number, settings, names of labels, and name,
licence, citation and source of the model, and a SHA-256 of all tensors.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from ase.data import chemical_symbols
from safetensors.numpy import save

from helio.errors import HelioError, excerpt
from helio.files.atomic import write_bytes
from helio.files.safetensors_file import open_tensors
from helio.force_field.model_file import weights_sha256
from helio.frameworks.block import Block
from helio.frameworks.library import Library
from helio.frameworks.model.block_encoder import BlockEncoder
from helio.frameworks.model.diffusion import GenerativeModel
from helio.frameworks.model.heads import MOST_BLOCKS
from helio.frameworks.model.known_sites import KnownSites
from helio.frameworks.model.proportions import Proportions
from helio.frameworks.model.scaling import Scales
from helio.frameworks.model.settings import EncoderSettings, NetworkSettings, ScheduleSettings
from helio.network.template import TooManyParameters, template
from helio.settings.checking import checked, checked_record

KIND, FORMAT = "frameworks", 2
DEFAULT = "helio-frameworks"
_FIELDS = ("numbers", "positions", "bonds", "connections", "docking")
_BEGINS = {
    "numbers": "atom",
    "positions": "atom",
    "bonds": "bond",
    "connections": "connection",
    "docking": "connection",
}
_ROWS: dict[str, tuple[int, ...]] = {
    "numbers": (),
    "positions": (3,),
    "bonds": (2,),
    "connections": (3,),
    "docking": (),
}


@dataclass(frozen=True)
class FrameworkModelInfo:
    """What a user of the model must know."""

    name: str
    licence: str = "not stated"
    citation: str = "not stated"
    source: str = "not stated"


@dataclass(frozen=True, eq=False)
class FrameworkModel:
    """All that generation needs."""

    encoder_settings: EncoderSettings
    network_settings: NetworkSettings
    schedule_settings: ScheduleSettings
    scales: Scales
    library: Library  # blocks that samples are made of
    embeddings: np.ndarray  # (blocks, C) float32, not standardised
    encoder: BlockEncoder
    generative: GenerativeModel
    latents: np.ndarray  # (M, D) float32, of frameworks that it was trained on
    info: FrameworkModelInfo
    proportions: Proportions | None = None  # where all frameworks that it was trained on have one node and one linker
    sites: KnownSites | None = None  # likewise


def new_encoder(settings: EncoderSettings, seed: int) -> BlockEncoder:
    """An encoder of blocks with random weights."""
    return _encoder(settings, np.random.default_rng([seed, 3]))


def new_generative(settings: NetworkSettings, channels: int, labels: int, seed: int) -> GenerativeModel:
    """A generative model with random weights."""
    return _generative(settings, channels, labels, np.random.default_rng([seed, 4]))


def save_framework_model(model: FrameworkModel, path: str | Path) -> None:
    """Write a model, whole or not at all; the same model gives the same bytes."""
    tensors = {
        **_named("encoder", model.encoder),
        **_named("generative", model.generative),
        **{f"scales.{name}": getattr(model.scales, name) for name in ("lattice", "embedding", "labels")},
        **_library_tensors(model.library),
        "library.embeddings": model.embeddings,
        "latents": model.latents,
    }
    if model.proportions is not None:
        tensors["proportions"] = model.proportions.rows
    if model.sites is not None:
        tensors |= {f"sites.{field.name}": getattr(model.sites, field.name) for field in fields(model.sites)}
    tensors = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    record = {
        "kind": KIND,
        "format": FORMAT,
        **asdict(model.info),
        "settings": {
            "encoder": model.encoder_settings.model_dump(mode="json"),
            "network": model.network_settings.model_dump(mode="json"),
            "schedule": model.schedule_settings.model_dump(mode="json"),
        },
        "labels": list(model.scales.names),
        "blocks": list(model.library.names),
        "sha256": weights_sha256(tensors),
    }
    # One entry only: safetensors writes several in a random order.
    write_bytes(path, save(tensors, {"helio": json.dumps(record, sort_keys=True)}))


def read_framework_model(path: str | Path) -> FrameworkModel:
    """Read a model, bit by bit as it was saved; the name `helio-frameworks` stands for the one in the package.

    Raises:
        HelioError: there is no such file, it is damaged, or it is something else.
    """
    values, tensors = _read(_located(path))
    if weights_sha256(tensors) != values.get("sha256"):
        raise HelioError(f"{path} is damaged: its weights do not fit their checksum. Fetch or copy it again")
    try:
        known = {name: values[name] for name in _Record.__dataclass_fields__ if name in values}
        record = checked_record(_Record, known, "its header")
        encoder = checked(EncoderSettings, record.settings.get("encoder", {}), "settings of the encoder")
        network = checked(NetworkSettings, record.settings.get("network", {}), "settings of the network")
        schedule = checked(ScheduleSettings, record.settings.get("schedule", {}), "settings of the schedule")
        _check_tensors(tensors, record, encoder, network)
    except HelioError as error:
        raise HelioError(f"{path} is damaged, or of another version of Helio: {error}") from None
    names = record.labels
    scales = Scales(**{name: tensors[f"scales.{name}"] for name in ("lattice", "embedding", "labels")}, names=names)
    return FrameworkModel(
        encoder_settings=encoder,
        network_settings=network,
        schedule_settings=schedule,
        scales=scales,
        library=_library(tensors, record.blocks),
        embeddings=tensors["library.embeddings"],
        encoder=_filled("encoder", lambda rng: _encoder(encoder, rng), tensors, path),
        generative=_filled(
            "generative", lambda rng: _generative(network, encoder.channels, len(names), rng), tensors, path
        ),
        latents=tensors["latents"],
        info=FrameworkModelInfo(record.name, record.licence, record.citation, record.source),
        sites=_sites(tensors),
        proportions=Proportions(tensors["proportions"]) if "proportions" in tensors else None,
    )


def _located(path: str | Path) -> Path:
    if str(path) != DEFAULT:
        return Path(path)
    return Path(str(files("helio") / "models" / f"{DEFAULT}.safetensors"))


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    make = "`helio frameworks train` makes one"
    with open_tensors(path, "helio", missing=make, mend="fetch or copy it again") as file:
        record = file.record or {}
        if record.get("kind") != KIND:
            raise HelioError(f"{path} is no model of frameworks: {make}")
        if record.get("format") != FORMAT:
            raise HelioError(
                f"{path} has format {excerpt(record.get('format'))}, this Helio reads {FORMAT}: train it anew"
            )
        return record, file.tensors()


@dataclass(frozen=True)
class _Record:
    """Contents of the header, besides kind, format and checksum."""

    name: str
    settings: dict[str, dict[str, Any]]
    labels: tuple[str, ...]
    blocks: tuple[str, ...]
    licence: str = "not stated"
    citation: str = "not stated"
    source: str = "not stated"


def _check_tensors(
    tensors: Mapping[str, np.ndarray], record: _Record, encoder: EncoderSettings, network: NetworkSettings
) -> None:
    """Raise `HelioError` unless all tensors but the weights are there and have rows that fit each other."""
    counts = {kind: tensors.get(f"library.{kind}_counts") for kind in set(_BEGINS.values())}
    sums = {kind: -1 if count is None else int(count.astype(np.int64).sum()) for kind, count in counts.items()}
    blocks, free = len(record.blocks), -1
    shapes = {
        "scales.lattice": (2, 6),
        "scales.embedding": (2, encoder.channels),
        "scales.labels": (2, len(record.labels)),
        "library.embeddings": (blocks, encoder.channels),
        "library.node": (blocks,),
        "latents": (free, network.latent),
        **{f"library.{kind}_counts": (blocks,) for kind in sums},
        **{f"library.{name}": (sums[kind], *_ROWS[name]) for name, kind in _BEGINS.items()},
    }
    if "proportions" in tensors:
        shapes["proportions"] = (free, 5)
    if any(name.startswith("sites.") for name in tensors):
        sites = {
            "fractional": (free, MOST_BLOCKS, 3),
            "node": (free, MOST_BLOCKS),
            "kinds": (free, 3),
            "shapes": (free, 6),
        }
        shapes |= {f"sites.{name}": shape for name, shape in sites.items()}
    for name, shape in shapes.items():
        if name not in tensors:
            raise HelioError(f"the tensor {name} is missing")
        actual = tensors[name].shape
        if len(actual) != len(shape) or any(want not in (free, size) for want, size in zip(shape, actual, strict=True)):
            raise HelioError(f"the tensor {name} has the shape {actual}")
    if blocks == 0 or any(count is None or (count < 0).any() for count in counts.values()):
        raise HelioError("its library of blocks is empty or damaged")
    if len({len(tensors[name]) for name in shapes if name.startswith("sites.")}) > 1 or len(tensors["latents"]) == 0:
        raise HelioError("it has no latents, or different numbers of sites")
    _check_library(tensors, counts)


def _check_library(tensors: Mapping[str, np.ndarray], counts: Mapping[str, Any]) -> None:
    """Raise `HelioError` for elements that there are not, and for bonds and connections of atoms that there are not."""
    numbers = tensors["library.numbers"]
    if numbers.size and not (1 <= numbers.min() and numbers.max() < len(chemical_symbols)):
        raise HelioError("its library of blocks has elements that there are not")
    for name, kind in (("bonds", "bond"), ("docking", "connection")):
        atoms = np.repeat(counts["atom"], counts[kind])  # of the block that each row belongs to
        rows = tensors[f"library.{name}"].reshape(len(atoms), -1)
        if ((rows < 0) | (rows >= atoms[:, None])).any():
            raise HelioError("its library of blocks has bonds of atoms that there are not")


def _named(prefix: str, model: Any) -> dict[str, np.ndarray]:
    leaves = jax.tree_util.tree_flatten_with_path(model)[0]
    return {f"{prefix}.{_name(path)}": np.asarray(leaf) for path, leaf in leaves}


def _encoder(settings: EncoderSettings, rng: np.random.Generator) -> BlockEncoder:
    return BlockEncoder(features=settings.features, channels=settings.channels, layers=settings.layers, rng=rng)


def _generative(settings: NetworkSettings, channels: int, labels: int, rng: np.random.Generator) -> GenerativeModel:
    return GenerativeModel(channels=channels, labels=labels, **settings.model_dump(), rng=rng)


def _filled(
    prefix: str, build: Callable[[np.random.Generator], Any], tensors: Mapping[str, np.ndarray], path: str | Path
) -> Any:
    parameters = sum(tensor.size for tensor in tensors.values())
    try:
        leaves, structure = jax.tree_util.tree_flatten_with_path(template(build, parameters=parameters))
    except TooManyParameters:
        raise HelioError(
            f"the weights in {path} do not fit its settings: these need more than the {parameters:,} parameters that "
            "are there"
        ) from None
    found = []
    for place, leaf in leaves:
        name = f"{prefix}.{_name(place)}"
        if name not in tensors or tensors[name].shape != leaf.shape:
            raise HelioError(f"the weights in {path} do not fit its settings: {name} is missing or of another shape")
        found.append(jnp.asarray(tensors[name]))
    return jax.tree.unflatten(structure, found)


def _name(path: tuple[Any, ...]) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")


def _sites(tensors: Mapping[str, np.ndarray]) -> KnownSites | None:
    names = [field.name for field in fields(KnownSites)]
    if f"sites.{names[0]}" not in tensors:
        return None
    return KnownSites(**{name: tensors[f"sites.{name}"] for name in names})


def _library_tensors(library: Library) -> dict[str, np.ndarray]:
    """Rows of all blocks one after another, and how many each has."""
    blocks = library.blocks
    tensors = {f"library.{name}": np.concatenate([getattr(block, name) for block in blocks]) for name in _FIELDS}
    sizes = {"atom": "numbers", "bond": "bonds", "connection": "connections"}
    for what, name in sizes.items():
        tensors[f"library.{what}_counts"] = np.array([len(getattr(block, name)) for block in blocks], np.int32)
    return tensors | {"library.node": np.array([block.node for block in blocks], np.uint8)}


def _library(tensors: Mapping[str, np.ndarray], names: tuple[str, ...]) -> Library:
    parts = {}
    for name in _FIELDS:
        ends = np.cumsum(tensors[f"library.{_BEGINS[name]}_counts"])[:-1]
        parts[name] = np.split(tensors[f"library.{name}"], ends)
    nodes = tensors["library.node"].astype(bool)
    blocks = [Block(**{name: parts[name][i] for name in _FIELDS}, node=bool(node)) for i, node in enumerate(nodes)]
    return Library(tuple(blocks), names)


def parameter_count(model: eqx.Module) -> int:
    """Numbers that training changes."""
    return sum(int(leaf.size) for leaf in jax.tree.leaves(model))
