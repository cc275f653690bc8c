"""Processes that are killed again and again, at random moments after they have come further."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

_PATIENCE = 500.0  # s in which a process on a busy machine has come further


def launched(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    """A command of Helio in a process of its own."""
    root = str(Path(__file__).parents[1])
    known = os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": root} | environment
    known.pop("TF_CPP_MIN_LOG_LEVEL", None)  # JAX sets it in this process
    command = [sys.executable, "-m", "helio", *map(str, arguments)]
    return subprocess.Popen(command, env=known, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finished(process: subprocess.Popen[str]) -> str:
    """What a process printed that ended well."""
    output, _ = process.communicate(timeout=_PATIENCE)
    assert process.returncode == 0, output
    return output


def killed(
    launch: Callable[[], subprocess.Popen[str]],
    progress: Callable[[], Any],
    *,
    kills: int,
    seed: int = 0,
    pause_s: float = 0.3,
) -> int:
    """Launch and kill so many times; each time the process has come further, and up to `pause_s` have passed.

    Args:
        launch: begins the work or goes on with it.
        progress: differs once the work has come further.
        kills: number of processes.
        seed: of the moments.
        pause_s: longest time between progress and kill.

    Returns:
        How many were killed; the others had come to their end, and well.
    """
    chance, count = random.Random(seed), 0
    for _ in range(kills):
        before, began, process = progress(), time.monotonic(), launch()
        while process.poll() is None and progress() == before:
            assert time.monotonic() - began < _PATIENCE
            time.sleep(0.01)
        time.sleep(chance.uniform(0, pause_s))
        process.send_signal(signal.SIGKILL)
        output, _ = process.communicate()
        assert process.returncode in (0, -signal.SIGKILL), output
        count += process.returncode == -signal.SIGKILL
    return count


def written(path: Path) -> int:
    """When a file was last written; 0 where there is none."""
    return path.stat().st_mtime_ns if path.exists() else 0


def assert_same_datasets(first: Path, second: Path) -> None:
    """All that two HDF5 files hold is equal, bit for bit."""

    def content(path: Path) -> dict[str, bytes]:
        values: dict[str, bytes] = {}
        with h5py.File(path) as file:
            file.visititems(
                lambda name, item: values.update(
                    {name: repr(item[()].tolist()).encode() if item.dtype.hasobject else np.asarray(item).tobytes()}
                    if isinstance(item, h5py.Dataset)
                    else {}
                )
            )
        return values

    one, other = content(first), content(second)
    assert one.keys() == other.keys() and [name for name in one if one[name] != other[name]] == []
