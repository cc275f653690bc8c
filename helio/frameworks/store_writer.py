"""Writing of a store of frameworks, whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from helio.errors import HelioError
from helio.files.atomic import atomic_path
from helio.frameworks.library import Library
from helio.frameworks.store import FORMAT, PARTS, VERSION, Entry, StoreContent


def write_store(path: str | Path, content: StoreContent, *, overwrite: bool = False) -> None:
    """Write a store.

    Args:
        path: of the store; it appears when all is written.
        content: library and frameworks.
        overwrite: replace `path` if it exists.

    Raises:
        HelioError: there are no frameworks, two of the same name, an unknown part, or `path` exists or is out of reach.
    """
    if Path(path).exists() and not overwrite:
        raise HelioError(f"{path} exists; give another name or --overwrite")
    names = [entry.framework.name for entry in content.entries]
    if not names:
        raise HelioError("there are no frameworks to put into the store")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise HelioError(f"two frameworks have the name {twice!r}; names are unique in a store")
    if bad := [entry for entry in content.entries if entry.part not in PARTS]:
        raise HelioError(f"a store has the parts {', '.join(PARTS)}, not {bad[0].part!r}")
    with atomic_path(path) as temporary, h5py.File(temporary, "w", libver="v110") as file:
        file.attrs["format"], file.attrs["version"], file.attrs["origin"] = FORMAT, VERSION, content.origin
        _write_library(file.create_group("library"), content.library)
        _write_frameworks(file.create_group("frameworks"), content.entries)
        _write_labels(file.create_group("labels"), content.entries)


def _write_library(group: Any, library: Library) -> None:
    blocks = library.blocks
    group["atoms"] = _begins([len(block) for block in blocks])
    group["bonds"] = _begins([len(block.bonds) for block in blocks])
    group["connections"] = _begins([len(block.connections) for block in blocks])
    group["numbers"] = np.concatenate([block.numbers for block in blocks]).astype(np.int32)
    group["positions"] = np.concatenate([block.positions for block in blocks])
    group["bond"] = np.concatenate([block.bonds for block in blocks]).astype(np.int32)
    group["connection"] = np.concatenate([block.connections for block in blocks])
    group["docking"] = np.concatenate([block.docking for block in blocks]).astype(np.int32)
    group["node"] = np.array([block.node for block in blocks])
    _text(group, "name", library.names)


def _write_frameworks(group: Any, entries: list[Entry]) -> None:
    frameworks = [entry.framework for entry in entries]
    _text(group, "name", [framework.name for framework in frameworks])
    _text(group, "part", [entry.part for entry in entries])
    _text(group, "net", [entry.net for entry in entries])
    group["blocks_begin"] = _begins([len(framework) for framework in frameworks])
    group["edges_begin"] = _begins([len(framework.edges) for framework in frameworks])
    group["cell"] = np.stack([framework.cell for framework in frameworks])
    for key, kind in (("centers", np.float64), ("blocks", np.int32), ("rotations", np.float64)):
        group[key] = np.concatenate([getattr(framework, key) for framework in frameworks]).astype(kind)
    for key in ("edges", "ends"):
        group[key] = np.concatenate([getattr(framework, key) for framework in frameworks]).astype(np.int32)


def _write_labels(group: Any, entries: list[Entry]) -> None:
    keys = sorted({key for entry in entries for key in entry.framework.labels})
    for key in keys:
        group[key] = np.array([entry.framework.labels.get(key, np.nan) for entry in entries])


def _begins(sizes: Sequence[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _text(group: Any, key: str, values: Sequence[str]) -> None:
    group.create_dataset(key, data=list(values), dtype=h5py.string_dtype())
