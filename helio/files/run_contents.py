"""Contents of run folders, and the mark by which they are known.

Each run folder has a mark, `.helio-run.json`. Folders of earlier versions have none: they are known by a
`settings.yaml` beside a checkpoint that only Helio writes. Files that Helio writes are known by their names; whatever
else lies in a run folder is somebody's own and is never removed. No part of a run folder is a link: what a run writes
stays inside its folder, whoever made that.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from helio.errors import HelioError
from helio.files.atomic import disk_errors, write_text
from helio.files.zip_file import open_zip

MARK = ".helio-run.json"
LOCK = "lock"
_KIND, _VERSION = "run of Helio", 1
# Entries that a message lists.
_LISTED = 3

_FILES = frozenset(
    (
        MARK,
        LOCK,
        "settings.yaml",
        "start.extxyz",
        "topology.pdb",
        "topology-saved.pdb",
        "log.csv",
        "trajectory.h5md",
        "checkpoint.npz",
        "checkpoint.previous.npz",
        "last-good.extxyz",
        "exchanges.csv",
        "uncertain.extxyz",
        # Of a training.
        "model.safetensors",
        "reference_energies.json",
        "validation.csv",
        "skipped.csv",
        "report.html",
        "distillation.json",
        # Of a coarse roll-out.
        "rollout.h5",
        "last-good.npz",
        "last-good.previous.npz",
        "evaluation.json",
        # What `helio export` writes by default: of a run that is replaced nothing may stay.
        *(f"trajectory.{kind}" for kind in ("xtc", "dcd", "extxyz", "pdb")),
    )
)
# `helio.files.atomic` leaves such a file where it is killed; the index of readers of xtc files lies beside them.
_LEFT_OVER = re.compile(r"\.[^/]*\.[0-9a-f]{12}\.part(\.\w+)?|\.trajectory\.(xtc|dcd)_offsets\.(npz|lock)")
_PART = re.compile(r"part-\d{5,}\.h5")
_EVENTS = re.compile(r"events\.out\.tfevents\..+")
_REPLICA = re.compile(r"replica-\d{3,}")
_ENCODER = "encoder"  # of a training of framework models: a run in itself
_TRACKER = "wandb"  # written by Weights & Biases, and left as it is


def write_mark(folder: Path) -> None:
    """Mark a folder as that of a run."""
    write_text(folder / MARK, json.dumps({"kind": _KIND, "version": _VERSION}) + "\n")


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a run, of this version or an earlier one."""
    return _is_marked(folder) or _is_earlier_run(folder) or _is_earlier_run(folder / _ENCODER)


def holds_something(folder: Path) -> bool:
    """Whether there is anything but the mark and the lock, which a run that never began leaves."""
    with disk_errors(folder, "read"):
        return any(entry.name not in (MARK, LOCK) for entry in folder.iterdir())


def check_replaceable(folder: Path) -> None:
    """Raise `HelioError` if a folder is not that of a run, or holds what no run wrote."""
    foreign = sorted(_foreign(folder))
    listed = ", ".join(foreign[:_LISTED]) + (f" and {len(foreign) - _LISTED} more" if len(foreign) > _LISTED else "")
    if not is_run(folder):
        first = listed or "files"
        raise HelioError(f"{folder} holds {first} and is no run folder; it is not overwritten: give another with --out")
    if foreign:
        raise HelioError(
            f"{folder} holds {listed}, which no run of Helio wrote; nothing is overwritten: move that elsewhere, or "
            "give another folder with --out"
        )


def remove_run(folder: Path) -> None:
    """Remove the files of the run in a folder but its lock; `check_replaceable` has been passed."""
    with disk_errors(folder, "remove files of"):
        for entry in sorted(folder.iterdir()):
            if entry.is_symlink() or not entry.is_dir():
                if entry.name != LOCK:
                    entry.unlink(missing_ok=True)
            elif entry.name != _TRACKER:
                shutil.rmtree(entry)  # it follows no links


def check_no_links(folder: Path) -> None:
    """Raise `HelioError` if anything in a folder is a link, a pipe or a device: a run writes regular files alone."""

    def fail(error: OSError) -> None:
        raise error

    with disk_errors(folder, "read"):
        for place, folders, files in os.walk(folder, followlinks=False, onerror=fail):
            if Path(place) == folder and _TRACKER in folders:
                folders.remove(_TRACKER)
            for name in (*folders, *files):
                check_regular(Path(place) / name)


def check_regular(path: Path) -> None:
    """Raise `HelioError` if there is something at `path` that is neither a file nor a folder itself."""
    with disk_errors(path, "read"):
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            return
    if stat.S_ISLNK(mode):
        raise HelioError(f"{path} is a link, and a run folder holds none: remove it, or put the file itself there")
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise HelioError(f"{path} is a pipe or a device, and a run folder holds files alone: remove it")


def _is_marked(folder: Path) -> bool:
    mark = folder / MARK
    try:
        if not stat.S_ISREG(mark.lstat().st_mode):
            return False
        with mark.open("rb") as file:
            values = json.loads(file.read(1000))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(values, dict) and values.get("kind") == _KIND


def _is_earlier_run(folder: Path) -> bool:
    """Whether settings lie beside a checkpoint with the header of Helio's."""
    checkpoint = folder / "checkpoint.npz"
    try:
        regular = all(stat.S_ISREG(path.lstat().st_mode) for path in (folder / "settings.yaml", checkpoint))
        if not regular:
            return False
        with open_zip(checkpoint, "checkpoint") as archive:
            return "header.npy" in archive.sizes
    except (OSError, HelioError):
        return False


def _foreign(folder: Path, prefix: str = "") -> Iterator[str]:
    """Names of what no run of Helio writes."""
    with disk_errors(folder, "read"):
        entries = list(os.scandir(folder))
    for entry in entries:
        name = prefix + entry.name
        if entry.is_symlink():
            yield f"{name} (a link)"
        elif entry.is_dir():
            yield from _foreign_folder(Path(entry.path), entry.name, name, prefix)
        elif entry.name not in _FILES and not _LEFT_OVER.fullmatch(entry.name):
            yield name


def _foreign_folder(path: Path, name: str, shown: str, prefix: str) -> Iterator[str]:
    pattern = {"trajectory": _PART, "tensorboard": _EVENTS}.get(name)
    if pattern is not None:
        for entry in path.iterdir():
            ours = pattern.fullmatch(entry.name) or _LEFT_OVER.fullmatch(entry.name)
            if entry.is_symlink() or entry.is_dir() or not ours:
                yield f"{shown}/{entry.name}"
    elif not prefix and (_REPLICA.fullmatch(name) or name == _ENCODER):
        yield from _foreign(path, f"{shown}/")
    elif prefix or name != _TRACKER:
        yield f"{shown}/"
