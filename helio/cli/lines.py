"""One line that changes on a terminal, or else a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Seconds between lines where the output is no terminal.
_PLAIN_PERIOD = 20.0


@contextmanager
def changing_line(first: str) -> Iterator[Callable[[str], None]]:
    """A function that shows a line in the place of the one before."""
    if sys.stdout.isatty():
        from rich.live import Live
        from rich.text import Text

        with Live(Text(first), refresh_per_second=4) as live:
            yield lambda line: live.update(Text(line))
        return
    last = -_PLAIN_PERIOD

    def plain(line: str) -> None:
        nonlocal last
        if time.monotonic() - last >= _PLAIN_PERIOD:
            last = time.monotonic()
            print(line, flush=True)

    plain(first)
    yield plain
