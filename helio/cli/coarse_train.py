"""`helio coarse train`: from a store of motion to a coarse model."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from helio.cli.paths import check_inputs
from helio.cli.run_end import is_run, leave_if_interrupted, training_done, would_write

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
    check_inputs([source], "settings file or run folder")
    from helio.cli.compiled import keep_compiled_programs

    keep_compiled_programs()
    from helio.packages import need

    need("optax", extra="train")
    from helio.coarse.input_file import SETTINGS_FILE
    from helio.coarse.settings import CoarseTrainSettings
    from helio.coarse.training import train_coarse
    from helio.settings.checking import checked

    if is_run(source, out=out, overwrite=overwrite, dry_run=dry_run):
        resume_coarse_training(source, steps=steps)
        return
    out_in_file, values = SETTINGS_FILE.read(source)
    out = out or out_in_file or Path("coarse-training")
    settings = checked(CoarseTrainSettings, values if steps is None else values | {"steps": steps})
    if dry_run:
        _explain(settings, out)
        return
    _carry_out(partial(train_coarse, settings, out, overwrite=overwrite), out)


def resume_coarse_training(folder: Path, *, steps: int | None) -> None:
    """Go on with the training in a run folder."""
    from helio.coarse.training import resume_coarse

    _carry_out(partial(resume_coarse, folder, steps=steps), folder)


def _carry_out(work: Callable[..., Outcome], folder: Path) -> None:
    """Show where a training stands, and say how it ended."""
    from helio.cli.lines import changing_line

    with changing_line("Preparing and compiling ...") as show:
        outcome = work(report=lambda found: show(_line(found)))
    leave_if_interrupted(outcome, folder)
    typer.echo(f"{training_done(outcome)}. Model: {folder / 'model.safetensors'}")


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
    would_write(out)
