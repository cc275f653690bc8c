"""One file with all that generation needs: networks, scales, and the library of blocks with their embeddings.

Safetensors; the header's one entry `helio` holds the kind, the format's number, settings, names of labels, and name,
licence, citation and source of the model, and a SHA-256 of all tensors.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from helio.errors import HelioError
from helio.files.atomic import write_bytes
from helio.force_field.model_file import weights_sha256
from helio.frameworks.block import Block
from helio.frameworks.library import Library
from helio.frameworks.model.block_encoder import BlockEncoder
from helio.frameworks.model.diffusion import GenerativeModel
from helio.frameworks.model.known_sites import KnownSites
from helio.frameworks.model.proportions import Proportions
from helio.frameworks.model.scaling import Scales
from helio.frameworks.model.settings import EncoderSettings, NetworkSettings, ScheduleSettings

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
    rng = np.random.default_rng([seed, 3])
    return BlockEncoder(features=settings.features, channels=settings.channels, layers=settings.layers, rng=rng)


def new_generative(settings: NetworkSettings, channels: int, labels: int, seed: int) -> GenerativeModel:
    """A generative model with random weights."""
    sizes = settings.model_dump()
    return GenerativeModel(channels=channels, labels=labels, **sizes, rng=np.random.default_rng([seed, 4]))


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
    record, tensors = _read(_located(path))
    if weights_sha256(tensors) != record["sha256"]:
        raise HelioError(f"{path} is damaged: its weights do not fit their checksum. Fetch or copy it again")
    settings = record["settings"]
    encoder, network = EncoderSettings(**settings["encoder"]), NetworkSettings(**settings["network"])
    names = tuple(record["labels"])
    scales = Scales(**{name: tensors[f"scales.{name}"] for name in ("lattice", "embedding", "labels")}, names=names)
    return FrameworkModel(
        encoder_settings=encoder,
        network_settings=network,
        schedule_settings=ScheduleSettings(**settings["schedule"]),
        scales=scales,
        library=_library(tensors, tuple(record["blocks"])),
        embeddings=tensors["library.embeddings"],
        encoder=_filled("encoder", new_encoder(encoder, 0), tensors, path),
        generative=_filled("generative", new_generative(network, encoder.channels, len(names), 0), tensors, path),
        latents=tensors["latents"],
        info=FrameworkModelInfo(*(record[name] for name in ("name", "licence", "citation", "source"))),
        sites=_sites(tensors),
        proportions=Proportions(tensors["proportions"]) if "proportions" in tensors else None,
    )


def _located(path: str | Path) -> Path:
    if str(path) != DEFAULT:
        return Path(path)
    return Path(str(files("helio") / "models" / f"{DEFAULT}.safetensors"))


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        record = json.loads(metadata.get("helio", "{}"))
    except FileNotFoundError:
        raise HelioError(f"there is no model file {path}: `helio frameworks train` makes one") from None
    except OSError as error:
        raise HelioError(f"cannot read the model file {path}: {error.strerror or error}") from error
    except (SafetensorError, ValueError) as error:
        raise HelioError(
            f"{path} is truncated, damaged or not a model file ({error}): fetch or copy it again"
        ) from error
    if record.get("kind") != KIND:
        raise HelioError(f"{path} is no model of frameworks: `helio frameworks train` makes one")
    if record["format"] != FORMAT:
        raise HelioError(f"{path} has format {record['format']}, this Helio reads {FORMAT}: train it anew")
    return record, tensors


def _named(prefix: str, model: Any) -> dict[str, np.ndarray]:
    leaves = jax.tree_util.tree_flatten_with_path(model)[0]
    return {f"{prefix}.{_name(path)}": np.asarray(leaf) for path, leaf in leaves}


def _filled(prefix: str, template: Any, tensors: Mapping[str, np.ndarray], path: str | Path) -> Any:
    leaves, structure = jax.tree_util.tree_flatten_with_path(template)
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
