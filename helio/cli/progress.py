"""The live line of a run."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from helio.cli.run_end import leave_if_interrupted

if TYPE_CHECKING:
    from helio.simulate.run import Outcome, Progress

# Seconds between lines where the output is no terminal.
_PLAIN_PERIOD = 10.0


@contextmanager
def live_report(*, quiet: bool = False) -> Iterator[Callable[[Progress], None]]:
    """A function that shows where a run stands: one line that changes on a terminal, else a line now and then."""
    if quiet:
        yield lambda progress: None
        return
    if not sys.stdout.isatty():
        yield _with_a_first_line(_plain_report(), print)
        return
    from rich.live import Live
    from rich.text import Text

    with Live(Text("Preparing and compiling ..."), refresh_per_second=8) as live:
        yield _with_a_first_line(lambda progress: live.update(Text(_line(progress))), live.console.print)


def _with_a_first_line(report: Callable[[Progress], None], say: Callable[[str], None]) -> Callable[[Progress], None]:
    """The report, which begins with how the force field runs."""
    first = True

    def both(progress: Progress) -> None:
        nonlocal first
        if first:
            first, reason = False, progress.plain_because
            how = "compiled" if reason is None else "plain"
            slow = "" if reason is None else f", several times slower: {reason}"
            say(f"Kernels: {how}, {progress.precision}{slow}")
        report(progress)

    return both


def _plain_report() -> Callable[[Progress], None]:
    last = -_PLAIN_PERIOD

    def report(progress: Progress) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _PLAIN_PERIOD or progress.step == progress.steps:
            last = now
            print(_line(progress), flush=True)

    return report


def _line(progress: Progress) -> str:
    share = 100 * progress.step / max(1, progress.steps)
    doubt = ""
    if progress.uncertainty is not None:
        doubt = f"forces ±{progress.uncertainty:.3g} eV/A{' EXTRAPOLATES' if progress.extrapolates else ''}  "
    return (
        f"{share:5.1f} %  step {progress.step}/{progress.steps}  {progress.time_ps:.3f} ps  "
        f"T {progress.temperature:.0f} K  E {progress.energy:.3f} eV  {progress.ns_per_day:.3g} ns/day  {doubt}"
        f"{clock(progress.seconds_left)} left"
    )


def clock(seconds: float) -> str:
    """Hours, minutes and seconds."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:d}:{minutes:02d}:{seconds:02d}"


def say_how_it_ended(outcome: Outcome, folder: Path, *, quiet: bool = False) -> None:
    """Print the last line; after an interruption say how to go on and exit with status 130."""
    leave_if_interrupted(outcome, folder, quiet=quiet)
    if (folder / "replica-000").is_dir():
        typer.echo(f"Done: {outcome.step} steps. Trajectories and logs: {folder / 'replica-*'}")
    else:
        typer.echo(f"Done: {outcome.step} steps. Trajectory: {folder / 'trajectory.h5md'}, log: {folder / 'log.csv'}")
    typer.echo(f"See what happened: helio report {folder}")
