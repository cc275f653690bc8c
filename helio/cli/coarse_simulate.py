"""`helio coarse simulate`: long simulation by a coarse model."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from helio.cli.paths import check_inputs
from helio.cli.run_end import is_run, leave_if_interrupted, would_write
from helio.errors import HelioError, counted

if TYPE_CHECKING:
    from helio.coarse.rollout import Outcome, Progress
    from helio.coarse.settings import SimulateSettings

EPILOG = (
    "Examples: helio coarse simulate model.safetensors chains.h5 --steps 100000 --out runs/chains; "
    "helio coarse simulate runs/chains --steps 200000"
)
_SEVERAL = 5  # systems that a dry run names


def simulate(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="MODEL STORE",
            help="File of a coarse model, or coarse-rouse or coarse-copolymers of the package, and store of systems; "
            "or a run to go on with.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Run folder to make; default coarse-run.", show_default=False)
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Model steps in all.", show_default="10000")] = None,
    save_every: Annotated[int, typer.Option(min=1, help="Steps between frames that are written.")] = 1,
    part: Annotated[str, typer.Option(help="Part of the store whose systems are simulated.")] = "test",
    system: Annotated[
        list[str] | None, typer.Option(help="Name of a system, instead; may be given again.", show_default=False)
    ] = None,
    begin: Annotated[int, typer.Option(min=0, help="Frame of the store that the history begins with.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of the noise.")] = 0,
    checkpoint_every: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 1000,
    bond_limit: Annotated[float, typer.Option(help="Longest bond allowed, times the longest in training.")] = 3.0,
    size_limit: Annotated[float, typer.Option(help="Largest radius of gyration allowed, likewise.")] = 3.0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier run in the folder.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, write nothing.")] = False,
) -> None:
    """Simulate systems of a store by a coarse model, all at once; Ctrl-C stops cleanly.

    The first frames of each system in the store are the history that the model starts from.
    """
    check_inputs(sources[1:], "store")
    from helio.cli.compiled import keep_compiled_programs

    keep_compiled_programs()
    from helio.coarse.model_file import model_path
    from helio.coarse.rollout import simulate_coarse
    from helio.coarse.settings import SimulateSettings
    from helio.settings.checking import checked

    if len(sources) == 1:
        if not is_run(sources[0], out=out, overwrite=overwrite, dry_run=dry_run):
            raise HelioError("give a model and a store, or the folder of a run to go on with")
        resume_coarse_rollout(sources[0], steps=steps)
        return
    if len(sources) != 2:
        raise HelioError(f"give one model and one store, not {len(sources)} paths")
    out = out or Path("coarse-run")
    settings = checked(
        SimulateSettings,
        {
            "model": os.path.realpath(model_path(sources[0])),
            "data": os.path.realpath(sources[1]),
            "systems": tuple(system or ()),
            "part": part,
            "begin": begin,
            "steps": steps or 10_000,
            "save_every": save_every,
            "checkpoint_every": checkpoint_every,
            "bond_limit": bond_limit,
            "size_limit": size_limit,
            "seed": seed,
        },
    )
    if dry_run:
        _explain(settings, out)
        return
    _carry_out(partial(simulate_coarse, settings, out, overwrite=overwrite), out)


def resume_coarse_rollout(folder: Path, *, steps: int | None) -> None:
    """Go on with the roll-out in a run folder."""
    from helio.coarse.rollout import resume_rollout

    _carry_out(partial(resume_rollout, folder, steps=steps), folder)


def _carry_out(work: Callable[..., Outcome], folder: Path) -> None:
    """Show where a roll-out stands, and say how it ended."""
    from helio.cli.lines import changing_line

    with changing_line("Preparing and compiling ...") as show:
        outcome = work(report=lambda found: show(_line(found)))
    leave_if_interrupted(outcome, folder)
    typer.echo(f"Done: {counted(outcome.step, 'step')}. Motion: {folder / 'rollout.h5'}, speed: {folder / 'log.csv'}")


def _line(found: Progress) -> str:
    from helio.cli.progress import clock

    return (
        f"{100 * found.step / found.steps:5.1f} %  step {found.step}/{found.steps}  "
        f"{found.time:g} {found.time_unit} of each system  "
        f"{found.time_per_hour:.3g} {found.time_unit} per hour of all  "
        f"{clock(found.seconds_left)} left"
    )


def _explain(settings: SimulateSettings, out: Path) -> None:
    """Print what a roll-out would do."""
    from helio.coarse.scene import set_scene
    from helio.coarse.store import Store
    from helio.precision import numerics

    with numerics("float32"), Store(settings.data) as store:
        scene = set_scene(settings, store)
    names, info, history = scene.motion.names, scene.info, scene.model.architecture.history
    shown = ", ".join(names[:_SEVERAL]) + (f" and {len(names) - _SEVERAL} more" if len(names) > _SEVERAL else "")
    groups = sum(len(groups) for _, groups in scene.motion.systems)
    frames = settings.steps // settings.save_every
    typer.echo(f"{counted(len(names), 'system')} of {counted(groups, 'group')} in all: {shown}")
    typer.echo(
        f"{counted(settings.steps, 'step')} of {info.step_time:g} {info.time_unit}, "
        f"{settings.steps * info.step_time:g} "
        f"{info.time_unit} of each system, after a history of {counted(history, 'frame')} of simulation"
    )
    for name, value in settings.model_dump(mode="json").items():
        typer.echo(f"  {name}: {value}")
    would_write(out, f"{counted(frames, 'frame')}, {frames * groups * 12 / 1e6:.1f} MB")
