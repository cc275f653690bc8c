"""What is shown while work goes on."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

# Seconds between lines where the output is no terminal.
_PLAIN_PERIOD = 20.0


@contextmanager
def changing_line(first: str) -> Iterator[Callable[[str], None]]:
    """A function that shows a line in the place of the one before; where there is no terminal, one now and then."""
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


@contextmanager
def counting_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A function that is told how many are done and of how many, and shows it on standard error.

    A bar that goes away at the end; where there is no terminal, a line now and then.
    """
    if not sys.stderr.isatty():
        yield _counted_lines(what)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, of: progress.update(task, completed=done, total=of)


def _counted_lines(what: str) -> Callable[[int, int], None]:
    began = last = time.monotonic()

    def report(done: int, of: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < _PLAIN_PERIOD or not done:
            return
        last, left = now, timedelta(seconds=round((now - began) * (of - done) / done))
        print(f"{100 * done / of:5.1f} %  {done:,} of {of:,} {what}  {left} left", file=sys.stderr, flush=True)

    return report
