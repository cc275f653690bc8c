"""`helio coarse evaluate`: roll-outs beside simulation and beside cheaper predictions."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from helio.errors import HelioError

EPILOG = (
    "Examples: helio coarse evaluate runs/chains chains.h5; "
    "helio coarse evaluate runs/seed-* chains.h5 --simulation-speed 300 --simulation-on 'Helio, one core'"
)


def evaluate(
    paths: Annotated[
        list[Path], typer.Argument(metavar="RUN... STORE", help="Runs of `helio coarse simulate`; the store.")
    ],
    short: Annotated[
        float | None,
        typer.Option(
            help="Time of the short simulations to compare with; by default what the cost of the roll-out buys, with "
            "--simulation-speed, else the length of the trajectories that were trained on.",
            show_default=False,
        ),
    ] = None,
    simulation_speed: Annotated[
        float | None,
        typer.Option(help="Simulated time of one system per core-second of the reference engine.", show_default=False),
    ] = None,
    simulation_on: Annotated[str, typer.Option(help="That engine and its hardware, in words.")] = "",
    core_seconds: Annotated[
        float | None,
        typer.Option(
            help="What the roll-out took of one core, compiling included; by default the seconds on the clock times "
            "the cores, which is too much on a machine with other work.",
            show_default=False,
        ),
    ] = None,
    training_core_hours: Annotated[
        float | None, typer.Option(help="What the training took, for the account of speed.", show_default=False)
    ] = None,
    skip: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of each roll-out to leave out at its start.")
    ] = 0.0,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="By default evaluation.json in the first run.", show_default=False),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the result if it exists.")] = False,
) -> None:
    """Compare roll-outs with long simulation, short simulation, the mean of known systems, and a regression.

    Several runs are roll-outs of one model, such as with several seeds. `helio report RUN` shows the result.
    """
    if len(paths) < 2:
        raise HelioError("give at least one run, and the store with simulations of the same systems")
    for value, option in (
        (short, "--short"),
        (simulation_speed, "--simulation-speed"),
        (core_seconds, "--core-seconds"),
    ):
        if value is not None and not value > 0:
            raise HelioError(f"{option} must be above zero, not {value:g}")
    runs, store_path = paths[:-1], paths[-1]
    from helio.coarse.evaluation.record import FILE

    out = out or (runs[0] / FILE if runs[0].is_dir() else runs[0].with_suffix(".json"))
    if out.exists() and not overwrite:
        raise HelioError(f"{out} exists; give another name with --out, or --overwrite")
    from rich.console import Console

    from helio.coarse.evaluation.comparison import compare, open_rollouts
    from helio.coarse.evaluation.record import record_of, write_record
    from helio.coarse.evaluation.speed import speed_of
    from helio.coarse.store import Store
    from helio.report.coarse_evaluation import notes, tables

    with ExitStack() as stack:
        store = stack.enter_context(Store(store_path))
        rollouts = [stack.enter_context(rollout) for rollout in open_rollouts(runs)]
        training = None if training_core_hours is None else 3600 * training_core_hours
        speed = speed_of(
            rollouts,
            store,
            simulation=simulation_speed,
            simulation_on=simulation_on,
            core_seconds=core_seconds,
            training_core_seconds=training,
        )
        equal = speed.equal_cost(len(rollouts[0].names))
        with Console(stderr=True).status("Opening ...") as status:
            comparison = compare(
                rollouts, store, short_time=short or equal, skip=skip, report=lambda what: status.update(what)
            )
        settings: dict[str, Any] = {
            "runs": [str(run) for run in runs],
            "store": str(store_path),
            "model": rollouts[0].info.model,
            "seeds": [rollout.info.seed for rollout in rollouts],
            "skip": skip,
            "short": "given" if short else "equal cost" if equal else "training length",
        }
    record = record_of(comparison, speed, settings)
    write_record(out, record)
    console = Console()
    for table in tables(record):
        console.print(table)
    for note in notes(record):
        console.print(note, soft_wrap=True)
    typer.echo(f"Evaluation: {out}")
