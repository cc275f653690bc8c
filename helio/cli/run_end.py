"""What commands that make run folders have in common: where they would write, what they go on with, how they ended."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import typer

from helio.errors import HelioError

if TYPE_CHECKING:
    from helio.train.loop import Outcome


class Ended(Protocol):
    """How far a run came."""

    @property
    def step(self) -> int:
        """The last."""
        ...

    @property
    def steps(self) -> int:
        """Those asked for."""
        ...

    @property
    def interrupted(self) -> bool:
        """Whether it was stopped and can go on."""
        ...


def is_run(source: Path, *, out: Path | None, overwrite: bool, dry_run: bool) -> bool:
    """Whether to go on with a run, rather than to begin one; `HelioError` for options that only a beginning has."""
    if not source.is_dir():
        return False
    if out is not None or overwrite or dry_run:
        raise HelioError(
            f"{source} is a run folder, which is gone on with: --out, --overwrite and --dry-run are for new runs"
        )
    return True


def would_write(out: Path, what: str = "") -> None:
    """Print the last line of a dry run."""
    written = f"{what}, to {out}" if what else f"to {out}"
    typer.echo(f"Would write {written}" + (", which exists: the run would need --overwrite" if out.exists() else ""))


def leave_if_interrupted(outcome: Ended, folder: Path, *, quiet: bool = False) -> None:
    """After an interruption say how to go on, and exit with status 130; where another process speaks, exit anyway."""
    if outcome.interrupted:
        if not quiet:
            typer.echo(f"Stopped at step {outcome.step} of {outcome.steps}. Continue with: helio resume {folder}")
        raise typer.Exit(130)
    if quiet:
        raise typer.Exit(0)


def training_done(outcome: Outcome) -> str:
    """That a training is done, how long it was and why it ended."""
    why = {"done": "", "patience": ", as validation no longer improved", "time": ", as the time was up"}[outcome.reason]
    best = f", best at step {outcome.best_step}" if outcome.best_step else ""
    return f"Done: {outcome.step} steps{why}{best}"
