"""Jobs in worker processes: a job that fails, hangs or kills its process is recorded, and the others go on."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from helio.errors import HelioError

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_environment = threading.Lock()


@dataclass(frozen=True)
class Failure:
    """Why a job gave no result."""

    reason: str


@dataclass
class _Worker:
    process: Any
    pipe: Connection
    job: Any = None
    number: int = -1
    began: float = 0.0


def run_jobs(
    function: Callable[[Any], Any], jobs: Iterable[Any], *, workers: int, limit_s: float
) -> Iterator[tuple[Any, Any]]:
    """Call `function` on each job, several at a time, each call in one of the worker processes.

    Args:
        function: importable by name; its `HelioError` becomes a `Failure`, any other error too, with its kind.
        jobs: taken as workers become free.
        workers: number of processes.
        limit_s: seconds after which a job is given up and its process ended.

    Yields:
        Each job with its result or its `Failure`, in the order of the jobs.
    """
    source, done, expected = enumerate(jobs), {}, 0
    crew = [_start(function) for _ in range(workers)]
    busy: list[_Worker] = []
    try:
        while True:
            while crew and (item := next(source, None)) is not None:
                worker = crew.pop()
                worker.number, worker.job = item
                worker.began = time.monotonic()
                worker.pipe.send(worker.job)
                busy.append(worker)
            if not busy:
                return
            for worker, result in _finished(busy, limit_s):
                busy.remove(worker)
                done[worker.number] = worker.job, result
                crew.append(worker if worker.process.is_alive() else _start(function))
            while expected in done:
                yield done.pop(expected)
                expected += 1
    finally:
        for worker in crew + busy:
            worker.process.kill()
            worker.process.join()
            worker.pipe.close()


def _finished(busy: list[_Worker], limit_s: float) -> list[tuple[_Worker, Any]]:
    """Wait for some; what hangs is ended."""
    ready = set(wait([worker.pipe for worker in busy], timeout=1.0))
    found = []
    for worker in busy:
        if worker.pipe in ready:
            try:
                found.append((worker, worker.pipe.recv()))
            except EOFError:
                worker.process.join()
                found.append((worker, Failure(f"its process died (exit code {worker.process.exitcode})")))
        elif time.monotonic() - worker.began > limit_s:
            worker.process.kill()
            worker.process.join()
            found.append((worker, Failure(f"not done within {limit_s:g} s")))
    return found


def _start(function: Callable[[Any], Any]) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(function, theirs), daemon=True)
    with _one_thread():
        process.start()
    theirs.close()
    return _Worker(process, ours)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Processes begun in the block compute with one thread each; more only get in each other's way."""
    with _environment:  # all threads of this process have the one
        before = {name: os.environ.get(name) for name in _THREADS}
        os.environ.update(dict.fromkeys(_THREADS, "1"))
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def _work(function: Callable[[Any], Any], pipe: Connection) -> None:
    """What a worker process does until the pipe is closed."""
    while True:
        try:
            job = pipe.recv()
        except EOFError:
            return
        with suppress(BrokenPipeError):  # who asked is gone
            pipe.send(guarded(function, job))


def guarded(function: Callable[[Any], Any], job: Any) -> Any:
    """What the function makes of the job; what it raises becomes its `Failure`."""
    try:
        return function(job)
    except HelioError as error:
        return Failure(str(error))
    except Exception as error:  # of libraries: what they raise is not theirs to choose, and the others go on
        return Failure(f"{type(error).__name__}: {error}")
