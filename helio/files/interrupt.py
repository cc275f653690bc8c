"""Ending cleanly when asked to."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_ACTIVE: list[threading.Event] = []  # of the blocks that can be asked to stop, the innermost last


@contextmanager
def stop_signal() -> Iterator[threading.Event]:
    """An event that the first SIGINT, SIGTERM or SIGHUP sets; the next SIGINT or SIGTERM acts as usual.

    SIGHUP, which a terminal that is closed may send more than once, always only sets the event; where it is ignored
    (under nohup) it stays so.
    """
    stop = threading.Event()
    _ACTIVE.append(stop)
    try:
        if threading.current_thread() is threading.main_thread():  # only the main thread may handle signals
            with _handled(stop):
                yield stop
        else:
            yield stop
    finally:
        _ACTIVE.remove(stop)


def request_stop() -> bool:
    """Ask the work that goes on to end with a checkpoint; whether there is any that can."""
    if _ACTIVE:
        _ACTIVE[-1].set()
    return bool(_ACTIVE)


@contextmanager
def _handled(stop: threading.Event) -> Iterator[None]:
    once = (signal.SIGINT, signal.SIGTERM)
    kinds = [*once, *([signal.SIGHUP] if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN else [])]
    before = {kind: signal.getsignal(kind) for kind in kinds}

    def handle(*_: Any) -> None:
        stop.set()
        for kind in once:
            signal.signal(kind, before[kind])

    try:
        for kind in kinds:
            signal.signal(kind, handle)
        yield
    finally:
        for kind in kinds:
            signal.signal(kind, before[kind])
