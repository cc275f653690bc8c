"""Several processes that run one simulation together, on one machine or many.

All of them read and compute the same, and the first one writes. They must take every decision alike: what depends on
the clock, on signals or on the disk is decided by one of them for all.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import jax
import numpy as np

from helio.errors import HelioError


def join_processes(where: str, *, devices: int | None = None) -> None:
    """Become one of several processes; to be called before JAX computes anything.

    Args:
        where: "auto" under Slurm, Open MPI or another launcher that JAX knows; else "HOST:PORT,COUNT,NUMBER": where
            the first process listens, how many there are, and the number of this one, from 0.
        devices: of all processes together, where they are made of the processors of hosts without GPUs; with "auto"
            each process has one.

    Raises:
        HelioError: `where` cannot be read, or the processes do not find each other.
    """
    options: dict[str, Any] = {}
    if where != "auto":
        try:
            address, count, number = where.split(",")
            options = {"coordinator_address": address, "num_processes": int(count), "process_id": int(number)}
        except ValueError:
            raise HelioError(f"--distributed is auto or HOST:PORT,COUNT,NUMBER, not {where!r}") from None
    try:
        jax.distributed.initialize(**options)
    except (RuntimeError, ValueError) as error:
        raise HelioError(f"the processes did not find each other: {str(error).splitlines()[0]}") from error
    if devices is not None and "num_processes" in options:
        _make_host_devices(max(1, devices // options["num_processes"]))


def prepare_devices(devices: int) -> None:
    """Let the processors of a host without GPUs be so many devices, unless it is one of several processes.

    Without effect once JAX has computed something: the number is then what it was.
    """
    if not jax.distributed.is_initialized():
        _make_host_devices(devices)


def _make_host_devices(devices: int) -> None:
    with suppress(RuntimeError):  # JAX has counted its devices already
        jax.config.update("jax_num_cpu_devices", devices)


def is_first() -> bool:
    """Whether this process writes."""
    return jax.process_index() == 0


def decided(until: int, stop: bool, state: Any) -> tuple[int, bool]:
    """The first process' step to run until, and whether any process was asked to stop.

    Args:
        until: this process' choice.
        stop: whether this process was asked to stop.
        state: a tree of arrays that every process holds, to see that they still agree.

    Raises:
        HelioError: they do not.
    """
    if jax.process_count() == 1:
        return until, stop
    checksum = 0
    for leaf in jax.tree.leaves(state):
        checksum = zlib.crc32(np.ascontiguousarray(np.asarray(leaf)).tobytes(), checksum)
    votes = _gathered(np.array([until, stop, checksum], np.uint32))
    if len(set(votes[:, 2].tolist())) > 1:
        raise HelioError(
            "the processes no longer have the same state; run all of them on one kind of processor or GPU, with the "
            "same version of every library"
        )
    return int(votes[0, 0]), bool(votes[:, 1].any())


@contextmanager
def led_by_first() -> Iterator[bool]:
    """A block in which the first process goes ahead; if it fails there, the others raise a `HelioError`, too.

    Gives whether this is the first process.
    """
    if jax.process_count() == 1:
        yield True
    elif is_first():
        try:
            yield True
        except BaseException:
            _gathered(np.array([0], np.uint32))
            raise
        _gathered(np.array([1], np.uint32))
    else:
        if not _gathered(np.array([1], np.uint32))[0, 0]:
            raise HelioError("the first process could not begin; see its message")
        yield False


def _gathered(values: np.ndarray) -> np.ndarray:
    """The arrays of all processes, stacked."""
    from jax.experimental import multihost_utils

    return np.asarray(multihost_utils.process_allgather(values)).reshape(jax.process_count(), -1)
