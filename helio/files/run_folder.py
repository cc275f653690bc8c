"""The folder of one simulation. That of a training is listed in `helio.train.run`.

| file | what |
|---|---|
| `settings.yaml` | everything that was asked for |
| `start.extxyz` | the structure at step 0 |
| `topology.pdb` | atom names for programs that want them beside the trajectory |
| `topology-saved.pdb` | likewise of the atoms in the trajectory, where these are not all |
| `log.csv` | energies, temperature and speed against step and time |
| `trajectory.h5md`, `trajectory/` | frames (`helio.files.trajectory`) |
| `checkpoint.npz`, `checkpoint.previous.npz` | where to go on |
| `replica-000/`, ... | `start.extxyz`, `topology.pdb`, log and trajectory of each, if there are several |
| `uncertain.extxyz` | structures whose forces were too uncertain |
| `exchanges.csv` | attempted exchanges of replicas |
| `lock` | held by the process that writes the folder |
| `.helio-run.json` | the mark of a run folder (`helio.files.run_contents`) |
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from helio.errors import HelioError
from helio.files.atomic import disk_errors, make_folder, write_text
from helio.files.run_contents import LOCK, check_no_links, check_replaceable, holds_something, remove_run, write_mark
from helio.files.yaml_file import read_yaml


class RunFolder:
    """Paths of one run; `claim_new` and `claim_existing` hold its lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.settings = path / "settings.yaml"
        self.start = path / "start.extxyz"
        self.topology = path / "topology.pdb"
        self.saved_topology = path / "topology-saved.pdb"
        self.trajectory = path / "trajectory.h5md"
        self.log = path / "log.csv"
        self.checkpoint = path / "checkpoint.npz"
        self.uncertain = path / "uncertain.extxyz"
        self.last_good = path / "last-good.extxyz"

    def replicas(self, count: int) -> list[RunFolder]:
        """Where each of several replicas has its start, log and trajectory; a single one has them here."""
        if count == 1:
            return [self]
        folders = [RunFolder(self.path / f"replica-{number:03d}") for number in range(count)]
        for folder in folders:
            make_folder(folder.path)
        return folders

    def existing_replicas(self) -> list[RunFolder]:
        """The replicas of a run that is there."""
        folders = [RunFolder(path) for path in sorted(self.path.glob("replica-*")) if path.is_dir()]
        return folders or [self]

    def write_settings(self, values: dict[str, Any]) -> None:
        """Write plain values as YAML."""
        write_text(self.settings, yaml.safe_dump(values, sort_keys=False, allow_unicode=True))

    def read_settings(self) -> dict[str, Any]:
        """Read what `write_settings` wrote; `HelioError` for anything else."""
        values = read_yaml(self.settings)
        if not isinstance(values, dict):
            raise HelioError(f"{self.settings} does not hold settings of a run")
        return values


@contextmanager
def claim_new(path: str | Path, *, overwrite: bool = False) -> Iterator[RunFolder]:
    """Make the folder of a new run and hold its lock.

    Raises `HelioError` if it cannot be written, holds anything (unless `overwrite` is set and it is an earlier run,
    whose files are then removed), or another process is writing it. What no run wrote is never removed.
    """
    path = Path(path)
    with disk_errors(path):
        exists = path.exists()
        if exists and not path.is_dir():
            raise HelioError(f"{path} is a file; give another folder with --out")
    if exists and holds_something(path):
        if not overwrite:
            raise HelioError(f"the folder {path} exists; continue that run with `helio resume {path}`, give another "
                             "folder with --out, or replace it with --overwrite")  # fmt: skip
        check_replaceable(path)
    make_folder(path)
    with locked(path):
        remove_run(path)
        write_mark(path)
        yield RunFolder(path)


@contextmanager
def claim_existing(path: str | Path) -> Iterator[RunFolder]:
    """Hold the lock of a run that is to be continued; `HelioError` if there is none or it is being written."""
    folder = existing_run(path)
    with locked(folder.path):
        yield folder


def existing_run(path: str | Path) -> RunFolder:
    """The folder of a run that can be continued; `HelioError` if there is none. It is not claimed."""
    path = Path(path)
    with disk_errors(path, "read"):
        exists = (path / "settings.yaml").exists()
    if not exists:
        raise HelioError(f"{path} is no run folder: it has no settings.yaml")
    if not (path / "checkpoint.npz").exists():
        raise HelioError(
            f"{path} has no checkpoint: the run ended before its first one; start it anew with --overwrite"
        )
    return RunFolder(path)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a folder, in which nothing is a link; it goes with the process, however it ends."""
    check_no_links(path)
    with os.fdopen(_opened_lock(path / LOCK), "rb+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HelioError(
                f"another process is writing the folder {path}; wait for it or give another folder"
            ) from None
        yield


def _opened_lock(path: Path) -> int:
    """A descriptor of the lock: links are not followed, nothing is emptied, and a pipe is not waited for."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with disk_errors(path):
        descriptor = os.open(path, flags, 0o666)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise HelioError(f"{path} is no file: remove it")
    return descriptor
