"""`helio coarse train`: from a store of motion to a coarse model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from helio.errors import HelioError

if TYPE_CHECKING:
    from helio.coarse.settings import CoarseTrainSettings
    from helio.train.compiling import Compiling
    from helio.train.loop import Outcome, Progress

EPILOG = "Examples: helio coarse train settings.yaml --out runs/rouse; helio coarse train runs/rouse --steps 20000"


def train(
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="Settings file (.yaml), or run folder of a training to go on with.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Run folder to make; default coarse-training.", show_default=False)
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier run in the folder.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, take two steps to time them, write nothing.")
    ] = False,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Batches to take in all, instead of those in the settings.")
    ] = None,
) -> None:
    """Train a coarse model; Ctrl-C stops cleanly, and the same command with the run folder goes on.

    `helio template coarse` prints a settings file.
    """
    from helio.cli.compiled import keep_compiled_programs

    keep_compiled_programs()
    from helio.packages import need

    need("optax", extra="train")
    from helio.coarse.input_file import SETTINGS_FILE
    from helio.coarse.settings import CoarseTrainSettings
    from helio.coarse.training import train_coarse
    from helio.settings.checking import checked

    if source.is_dir():
        if out is not None or overwrite or dry_run:
            raise HelioError(f"{source} is a run folder, which is gone on with: --out, --overwrite and --dry-run need "
                             "a settings file")  # fmt: skip
        resume_coarse_training(source, steps=steps)
        return
    out_in_file, values = SETTINGS_FILE.read(source)
    out = out or out_in_file or Path("coarse-training")
    settings = checked(CoarseTrainSettings, values if steps is None else values | {"steps": steps})
    if dry_run:
        _explain(settings, out)
        return
    from helio.cli.lines import changing_line

    with changing_line("Preparing and compiling ...") as show:
        outcome = train_coarse(settings, out, report=lambda found: show(_line(found)), overwrite=overwrite)
    _finish(outcome, out)


def resume_coarse_training(folder: Path, *, steps: int | None) -> None:
    """Go on with the training in a run folder."""
    from helio.cli.lines import changing_line
    from helio.coarse.training import resume_coarse

    with changing_line("Preparing and compiling ...") as show:
        outcome = resume_coarse(folder, report=lambda found: show(_line(found)), steps=steps)
    _finish(outcome, folder)


def _line(found: Progress | Compiling) -> str:
    from helio.cli.progress import clock
    from helio.train.loop import Progress

    if not isinstance(found, Progress):
        return "Compiling ..."
    parts = [f"{100 * found.step / found.steps:5.1f} %  step {found.step}/{found.steps}  epoch {found.epoch}"]
    if found.training is not None:
        parts.append(f"loss {found.training.loss:.4f}")
    if found.validation is not None:
        parts.append(f"validation {found.validation.loss:.4f}, best at step {found.best_step}")
    if found.skipped:
        parts.append(f"{found.skipped} skipped")
    parts.append(f"{found.structures_per_second:.0f} windows/s  {clock(found.seconds_left)} left")
    return "  ".join(parts)


def _finish(outcome: Outcome, folder: Path) -> None:
    """Say how it ended; after an interruption exit with status 130."""
    if outcome.reason == "interrupted":
        typer.echo(f"Stopped at step {outcome.step} of {outcome.steps}. Continue with: helio coarse train {folder}")
        raise typer.Exit(130)
    why = {"done": "", "patience": ", as validation no longer improved", "time": ", as the time was up"}[outcome.reason]
    best = f", best at step {outcome.best_step}" if outcome.best_step else ""
    typer.echo(f"Done: {outcome.step} steps{why}{best}. Model: {folder / 'model.safetensors'}")


def _explain(settings: CoarseTrainSettings, out: Path) -> None:
    """Print what a training would do."""
    from helio.cli.progress import clock
    from helio.coarse.training import preview_training

    found = preview_training(settings)
    typer.echo(
        f"{found.counts[0]} systems to train on, {found.counts[1]} to validate on; {found.batches_per_epoch} batches "
        "per epoch"
    )
    typer.echo(f"One step of the model: {found.step_time:g} {found.time_unit}")
    typer.echo(f"{found.parameters:,} parameters; loss before training {found.loss:.6g}")
    for name, value in settings.model_dump(mode="json").items():
        typer.echo(f"  {name}: {value}")
    typer.echo(
        f"Speed: {1 / found.seconds_per_step:.3g} steps per second; {settings.steps} steps would take "
        f"{clock(settings.steps * found.seconds_per_step)}"
    )
    typer.echo(f"Would write to {out}" + (", which exists: the run would need --overwrite" if out.exists() else ""))
