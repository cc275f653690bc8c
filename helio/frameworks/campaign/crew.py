"""Workers that take jobs and give results as they come: processes on this machine, or those of a Dask cluster.

Both run the same function in the same way; a job whose function fails, hangs or kills its process gives a `Failure`.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from helio.errors import HelioError
from helio.frameworks.workers import Failure, guarded, run_jobs
from helio.packages import extra_command

Result = tuple[Any, Any]  # a job, and what came of it

_PARTING = 10.0  # s that are waited for workers at the end
_LOCAL_START = 120  # s; on a busy machine it takes long until all processes have started and answer
_LOCAL = {
    "distributed.scheduler.allowed-failures": 0,  # a job that kills its worker would kill the next one, too
    "distributed.comm.timeouts.connect": f"{_LOCAL_START}s",
    "distributed.comm.timeouts.tcp": f"{_LOCAL_START}s",
}
_ATTEMPTS = 2  # at a job whose worker is lost: that may be the fault of the machine, or of the job before


class Crew(Protocol):
    """Takes jobs and gives results in the order in which they end."""

    def submit(self, job: Any) -> None:
        """Take a job."""
        ...

    def result(self, *, timeout: float) -> Result | None:
        """A job that has ended; None where none ends within so many seconds."""
        ...


@contextmanager
def local_crew(function: Callable[[Any], Any], *, workers: int, limit_s: float) -> Iterator[Crew]:
    """Worker processes on this machine, each with a thread here that feeds it."""
    crew = _LocalCrew()
    threads = [
        threading.Thread(target=crew.feed, args=(function, limit_s), daemon=True, name=f"worker {number}")
        for number in range(workers)
    ]
    for thread in threads:
        thread.start()
    try:
        yield crew
    finally:
        for _ in threads:
            crew.jobs.put(None)
        for thread in threads:  # those without a job end at once, and so do their processes
            thread.join(timeout=_PARTING)


class _LocalCrew:
    def __init__(self) -> None:
        self.jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.results: queue.SimpleQueue[Result] = queue.SimpleQueue()

    def submit(self, job: Any) -> None:
        self.jobs.put(job)

    def result(self, *, timeout: float) -> Result | None:
        try:
            return self.results.get(timeout=timeout)
        except queue.Empty:
            return None

    def feed(self, function: Callable[[Any], Any], limit_s: float) -> None:
        for result in run_jobs(function, iter(self.jobs.get, None), workers=1, limit_s=limit_s):
            self.results.put(result)


@contextmanager
def dask_crew(function: Callable[[Any], Any], *, scheduler: str, workers: int) -> Iterator[Crew]:
    """Workers of a Dask cluster, which see the same files.

    Args:
        function: importable by name there.
        scheduler: its address, or "local" for a cluster on this machine.
        workers: of a local cluster.

    Raises:
        HelioError: Dask is not installed, or no scheduler answers.
    """
    try:
        from dask.config import set as configure
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise HelioError(f"this needs Dask ({error}); install the extra: {extra_command('dask')}") from error
    try:
        if scheduler == "local":
            with configure(_LOCAL):
                cluster = LocalCluster(
                    n_workers=workers, threads_per_worker=1, dashboard_address=":0", memory_limit=None
                )
                client = Client(cluster, timeout=_LOCAL_START)
        else:
            cluster, client = None, Client(scheduler, timeout=20)
    except (OSError, TimeoutError, ValueError) as error:
        raise HelioError(f"no scheduler of Dask answers at {scheduler}: {error}") from error
    try:
        yield _DaskCrew(client, function)
    finally:
        for opened in (client, cluster):
            if opened is not None:
                with suppress(TimeoutError):  # all results are there; a worker that takes its time to end is ended
                    opened.close()


class _DaskCrew:
    def __init__(self, client: Any, function: Callable[[Any], Any]) -> None:
        self._client, self._function = client, function
        self._results: queue.SimpleQueue[tuple[Any, int, Any]] = queue.SimpleQueue()
        self._waiting: deque[tuple[Any, int]] = deque()  # jobs and the number of workers lost with them
        self._futures: set[Any] = set()  # a future that nobody holds is cancelled

    def submit(self, job: Any) -> None:
        self._waiting.append((job, 0))
        self._send()

    def _send(self) -> None:
        """No more jobs than workers are with them: one that waits behind another would be lost with its worker."""
        while self._waiting and len(self._futures) < max(1, sum(self._client.nthreads().values())):
            job, lost = self._waiting.popleft()
            future = self._client.submit(guarded, self._function, job, pure=False)
            self._futures.add(future)
            future.add_done_callback(lambda done, job=job, lost=lost: self._results.put((job, lost, done)))

    def result(self, *, timeout: float) -> Result | None:
        try:
            job, lost, done = self._results.get(timeout=timeout)
        except queue.Empty:
            return None
        self._futures.discard(done)
        finished = done.status == "finished"
        last = finished or lost + 1 >= _ATTEMPTS
        if not last:
            self._waiting.append((job, lost + 1))
        self._send()
        if not last:
            return None
        return job, done.result() if finished else Failure("its worker was lost")
