"""`helio train`: from labelled structures to a model."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from helio.cli.paths import check_inputs
from helio.cli.run_end import is_run, leave_if_interrupted, training_done, would_write

if TYPE_CHECKING:
    from rich.console import RenderableType

    from helio.train.compiling import Compiling
    from helio.train.loop import Outcome, Progress
    from helio.train.settings import TrainSettings

# Seconds between lines where the output is no terminal.
_PLAIN_PERIOD = 30.0


def train(
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="Settings file (.yaml), or run folder of a training to go on with.")
    ],
    out: Annotated[Path | None, typer.Option(help="Run folder to make; default training.", show_default=False)] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier run in the folder.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, take a few steps to time them, write nothing.")
    ] = False,
    steps: Annotated[int | None, typer.Option(help="Batches to take in all, instead of those in the settings.")] = None,
    report: Annotated[bool, typer.Option(help="Write report.html at the end.")] = True,
    distributed: Annotated[
        str | None,
        typer.Option(
            metavar="WHERE",
            help="Be one of several processes that train one model: auto under srun or mpirun, else "
            "HOST:PORT,COUNT,NUMBER, the number of this process from 0.",
        ),
    ] = None,
) -> None:
    """Train a model; Ctrl-C stops cleanly, and the same command with the run folder, or `helio resume`, goes on.

    `helio template train` prints a settings file, `helio data import` makes the data.
    """
    check_inputs([source], "settings file or run folder")
    from helio.cli.compiled import keep_compiled_programs

    keep_compiled_programs()
    from helio.cli.distributed import follows, joined
    from helio.packages import need

    need("optax", extra="train")
    from helio.settings.checking import checked
    from helio.train.input_file import SETTINGS_FILE
    from helio.train.run import train_model
    from helio.train.settings import TrainSettings
    from helio.train.setup import division

    if is_run(source, out=out, overwrite=overwrite, dry_run=dry_run):
        resume_training_in(source, steps=steps, report=report, distributed=distributed)
        return
    out_in_file, values = SETTINGS_FILE.read(source)
    out = out or out_in_file or Path("training")
    if steps is not None:
        values |= {"steps": steps, "epochs": None}
    if distributed is not None:
        joined(distributed, values.get("devices"))
    settings = checked(TrainSettings, values)
    if dry_run:
        _explain(settings, out)
        return
    quiet = follows(distributed)
    if not quiet:
        typer.echo(division(settings))
    carry_out(partial(train_model, settings, out, overwrite=overwrite), out, report=report, quiet=quiet)


def resume_training_in(folder: Path, *, steps: int | None, report: bool = True, distributed: str | None = None) -> None:
    """Go on with the training in a run folder."""
    from helio.cli.distributed import follows, joined
    from helio.packages import need

    need("optax", extra="train")
    from helio.train.run import resume_training

    if distributed is not None:
        joined(distributed, None)
    carry_out(partial(resume_training, folder, steps=steps), folder, report=report, quiet=follows(distributed))


def task_of(folder: Path) -> str | None:
    """What the settings of a run folder are for; None where they do not tell, or there are none."""
    from helio.files.run_folder import RunFolder

    run = RunFolder(folder)
    return run.read_settings().get("task") if run.settings.is_file() else None


@contextmanager
def live_report(*, quiet: bool = False) -> Iterator[Callable[[Progress | Compiling], None]]:
    """A function that shows where a training stands: a table that changes on a terminal, else a line now and then."""
    if quiet:
        yield lambda progress: None
    elif not sys.stdout.isatty():
        yield _plain_report()
    else:
        from rich.live import Live
        from rich.text import Text

        from helio.report.training import compiling_line, progress_table
        from helio.train.compiling import Compiling

        def shown(progress: Progress | Compiling) -> RenderableType:
            return Text(compiling_line(progress)) if isinstance(progress, Compiling) else progress_table(progress)

        with Live(Text("Preparing and compiling ..."), refresh_per_second=4) as live:
            yield lambda progress: live.update(shown(progress))


def _plain_report() -> Callable[[Progress | Compiling], None]:
    from helio.report.training import compiling_line, progress_line
    from helio.train.compiling import Compiling

    last = -_PLAIN_PERIOD

    def show(progress: Progress | Compiling) -> None:
        nonlocal last
        if isinstance(progress, Compiling):
            print(compiling_line(progress), flush=True)
            return
        now = time.monotonic()
        if now - last >= _PLAIN_PERIOD or progress.step == progress.steps:
            last = now
            print(progress_line(progress), flush=True)

    return show


def carry_out(work: Callable[..., Outcome], folder: Path, *, report: bool = True, quiet: bool = False) -> None:
    """Show where a training stands, say how it ended and write the report; after an interruption exit with status 130.

    Args:
        work: takes `report`.
        folder: of the run.
        report: write one.
        quiet: another process speaks; this one exits.
    """
    with live_report(quiet=quiet) as show:
        outcome = work(report=show)
    if outcome.skipped and not quiet:
        typer.echo(
            f"{outcome.skipped} batches were skipped, as their gradients were not finite: {folder / 'skipped.csv'}"
        )
    leave_if_interrupted(outcome, folder, quiet=quiet)
    models = ", ".join(map(str, sorted(folder.glob("model*.safetensors"))))
    typer.echo(f"{training_done(outcome)}. Model: {models}")
    if report:
        from helio.report.training import write_report

        typer.echo(f"Report: {write_report(folder)}")
    _compare_fine_tuning(folder)


def _compare_fine_tuning(folder: Path) -> None:
    """What a run that started from a model gained and lost."""
    from helio.files.run_folder import RunFolder

    if RunFolder(folder).read_settings().get("start") is not None:
        from helio.cli.finetune import show_changes

        show_changes(folder)


def _explain(settings: TrainSettings, out: Path) -> None:
    """Print what a training would do."""
    from helio.cli.progress import clock
    from helio.train.run import preview
    from helio.train.setup import division

    found = preview(settings)
    typer.echo(division(settings))
    typer.echo(
        f"{found.steps_per_epoch} batches per epoch, over {found.devices} device{'s' if found.devices > 1 else ''}"
    )
    for shape in found.shapes:
        typer.echo(f"  batches of {shape.structures} structures of up to {shape.atoms} atoms and {shape.pairs} pairs")
    typer.echo(
        f"Padding: {100 * found.waste.atoms:.1f} % of atoms, {100 * found.waste.pairs:.1f} % of pairs, "
        f"{100 * found.waste.structures:.1f} % of structures"
    )
    some = "" if found.trained == found.parameters else f", of which {found.trained:,} are trained"
    typer.echo(f"{found.parameters:,} parameters{some}; loss before training {found.loss:.6g}")
    for name, value in found.settings.model_dump(mode="json").items():
        typer.echo(f"  {name}: {value}")
    steps = found.settings.steps or 0
    typer.echo(
        f"Speed: about {found.counts[0] / found.steps_per_epoch / found.seconds_per_step:.0f} structures per second; "
        f"{steps} steps would take {clock(steps * found.seconds_per_step)}"
    )
    would_write(out)
