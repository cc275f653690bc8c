"""Keeping quiet what compiled code prints."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

OUTPUT, ERRORS = 1, 2  # numbers of the process's standard streams


@contextmanager
def silent(*streams: int) -> Iterator[None]:
    """Send what is written to these streams of the process, from compiled code too, to nowhere; by default `OUTPUT`."""
    streams = streams or (OUTPUT,)
    kept = [os.dup(stream) for stream in streams]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for stream in streams:
            os.dup2(nowhere, stream)
        yield
    finally:
        for stream, copy in zip(streams, kept, strict=True):
            os.dup2(copy, stream)
            os.close(copy)
        os.close(nowhere)
