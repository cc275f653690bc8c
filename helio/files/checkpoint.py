"""Checkpoints: the arrays of a tree, in one npz file without pickle.

Each array is stored under its path in the tree, bit by bit; the file's own checksums find damage. The checkpoint
before the last is kept beside it.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np

from helio.errors import HelioError, excerpt, reason
from helio.files.atomic import disk_errors, write_bytes
from helio.files.json_text import parse_object
from helio.files.npz import open_npz

Tree = TypeVar("Tree")
_VERSION = 1


def write_checkpoint(path: Path, tree: Any, info: dict[str, Any]) -> None:
    """Write the arrays of `tree` and the JSON values `info`; what was at `path` becomes `previous_path(path)`."""
    arrays = {name: np.asarray(leaf) for name, leaf in _named_leaves(tree)}
    header = json.dumps({"version": _VERSION, **info}).encode()
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, header=np.frombuffer(header, np.uint8), **arrays)
    if path.exists():
        _keep(path)
    write_bytes(path, content.getvalue())


def read_checkpoint(path: Path, template: Tree) -> tuple[Tree, dict[str, Any]]:
    """Read a checkpoint into a tree of the structure of `template`; returns it and `info`.

    Raises `HelioError` if the file is missing, damaged, or holds other arrays than the template.
    """
    stored, info = read_arrays(path)
    names = [name for name, _ in _named_leaves(template)]
    leaves = []
    for name, leaf in zip(names, jax.tree.leaves(template), strict=True):
        if name not in stored or stored[name].shape != np.shape(leaf) or stored[name].dtype != leaf.dtype:
            raise HelioError(f"{path} does not fit these settings: its array {name} is missing or of another kind")
        leaves.append(stored[name])
    return jax.tree.unflatten(jax.tree.structure(template), leaves), info


def read_arrays(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """All arrays of a checkpoint by name, and its `info`."""
    if not path.exists():
        raise HelioError(f"there is no checkpoint {path}")
    try:
        with open_npz(path, "checkpoint") as file:
            stored = {name: file[name] for name in file}
        if "header" not in stored:
            raise HelioError("it has no header")
        info = parse_object(stored.pop("header").tobytes(), "its header")
    except HelioError as error:
        raise damaged(path, str(error)) from error
    if (version := info.pop("version", None)) != _VERSION:
        raise HelioError(f"{path} was written by another version of Helio (its format is {excerpt(version)})")
    return stored, info


@contextmanager
def reading_info(path: Path) -> Iterator[None]:
    """Within the block, records are made of the values in a checkpoint: what cannot be made is damage of the file.

    Raises:
        HelioError: the block looked for a value that is missing, or that is of another kind.
    """
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise damaged(path, f"{type(error).__name__}: {reason(error)}") from error


def damaged(path: Path, problem: str) -> HelioError:
    """The message about a checkpoint that cannot be used."""
    return HelioError(
        f"the checkpoint {path} is damaged ({problem}); replace it by {previous_path(path).name} to go on from the one "
        "before"
    )


def check_finite(path: Path, tree: Any) -> None:
    """Raise `HelioError` if an array that was read from the checkpoint at `path` holds a NaN or an infinity."""
    for name, leaf in _named_leaves(tree):
        if np.issubdtype(np.asarray(leaf).dtype, np.floating) and not np.isfinite(leaf).all():
            raise damaged(path, f"the array {name} holds numbers that are not finite")


def previous_path(path: Path) -> Path:
    """Where the checkpoint before the last is kept."""
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def _keep(path: Path) -> None:
    """Give the present checkpoint a second name, so that there is one at every moment."""
    previous = previous_path(path)
    with disk_errors(previous):
        previous.unlink(missing_ok=True)
        try:
            os.link(path, previous)
        except OSError:  # a file system without hard links
            write_bytes(previous, path.read_bytes())


def _named_leaves(tree: Any) -> list[tuple[str, Any]]:
    paths, _ = jax.tree_util.tree_flatten_with_path(tree)
    return [(jax.tree_util.keystr(path), leaf) for path, leaf in paths]
