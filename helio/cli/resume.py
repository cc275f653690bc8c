"""`helio resume`: go on with a run."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from helio.cli.paths import check_inputs


def resume(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Run folder of `helio md`, `train` or `coarse`.")],
    steps: Annotated[
        int | None, typer.Option(help="Total number of steps of the whole run, to make it longer than first asked for.")
    ] = None,
    devices: Annotated[
        int | None,
        typer.Option(help="Another number of devices than before; numbers are then the same to round-off only."),
    ] = None,
    allow_bias: Annotated[
        bool,
        typer.Option(
            "--allow-bias",
            help="Run the bias that the run names, a Python program with all your rights, though it is not, or no "
            "longer, one that you have run.",
        ),
    ] = False,
    distributed: Annotated[
        str | None, typer.Option(metavar="WHERE", help="Be one of several processes, as in helio md.")
    ] = None,
) -> None:
    """Continue a run from its checkpoint, bit for bit as if it had never stopped."""
    check_inputs([folder], "folder")
    from helio.cli.compiled import keep_compiled_programs

    keep_compiled_programs()
    from helio.cli.coarse_simulate import resume_coarse_rollout
    from helio.cli.coarse_train import resume_coarse_training
    from helio.cli.distributed import follows, joined
    from helio.cli.frameworks.model import resume_frameworks_training
    from helio.cli.train import resume_training_in, task_of
    from helio.errors import HelioError

    task = task_of(folder)
    on_one_device = {
        "coarse-train": partial(resume_coarse_training, steps=steps),
        "coarse-simulate": partial(resume_coarse_rollout, steps=steps),
        "frameworks-train": partial(resume_frameworks_training, steps=steps),
    }
    if task in on_one_device:
        if devices is not None or distributed is not None:
            raise HelioError(f"{folder} is a run on one device: leave out --devices and --distributed")
        on_one_device[task](folder)
        return
    if task == "train":
        resume_training_in(folder, steps=steps, distributed=distributed)
        return
    from helio.cli.progress import live_report, say_how_it_ended
    from helio.simulate.run import resume_md

    if distributed is not None:
        devices = joined(distributed, devices)
    with live_report(quiet=follows(distributed)) as report:
        outcome = resume_md(folder, report=report, steps=steps, devices=devices, allow_bias=allow_bias)
    say_how_it_ended(outcome, folder, quiet=follows(distributed))
