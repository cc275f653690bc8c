"""`helio md`: molecular dynamics into a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from helio.cli.md_options import settings_command, with_settings
from helio.cli.paths import check_inputs, check_new_run, is_run_folder
from helio.cli.run_end import would_write
from helio.cli.structure_options import ALTLOC_HELP, FRAME_HELP, frame_number
from helio.cli.weak_classes import warn_before_run, warn_of_weak_classes
from helio.errors import counted
from helio.long_range import DEFAULT_REASON

if TYPE_CHECKING:
    from ase import Atoms

    from helio.simulate.continuation import Ending
    from helio.simulate.settings import MDSettings


@with_settings
def md(
    structure: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT",
            help="Structure file of any format that ASE reads, folder of them, settings file (.yaml), or run folder to "
            "begin where it ended, with its settings where no others are given.",
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="Run folder to make; default run.", show_default=False)] = None,
    frame: Annotated[str | None, typer.Option(help=FRAME_HELP + " all simulates each in one batch.")] = None,
    altloc: Annotated[str | None, typer.Option(help=ALTLOC_HELP)] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier run in the folder.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, take a few steps to time them, write nothing.")
    ] = False,
    allow_bias: Annotated[
        bool,
        typer.Option(
            "--allow-bias",
            help="Run the bias that a settings file names, a Python program with all your rights, though you have not "
            "run it before.",
        ),
    ] = False,
    distributed: Annotated[
        str | None,
        typer.Option(
            metavar="WHERE",
            help="Be one of several processes that share a system: auto under srun or mpirun, else "
            "HOST:PORT,COUNT,NUMBER, the number of this process from 0.",
        ),
    ] = None,
    **given: Any,
) -> None:
    """Run molecular dynamics; Ctrl-C stops cleanly and `helio resume` goes on.

    Options override a settings file. Temperature and pressure are numbers, or courses between points in ps:
    --temperature 0:100,10:300.
    """
    # What needs no model is checked before JAX and the engine are loaded.
    check_inputs([structure])
    from helio.cli.distributed import follows, joined
    from helio.files.structure_reading import read, read_all, read_folder
    from helio.settings.checking import checked
    from helio.simulate.bias_consent import check_consent
    from helio.simulate.input_file import SETTINGS_FILE
    from helio.simulate.settings import MDSettings

    in_file: dict[str, Any] = {}
    if structure.suffix in (".yaml", ".yml"):
        out_in_file, in_file = SETTINGS_FILE.read(structure)
        structure, out = Path(in_file.pop("structure")), out or out_in_file
        frame_in_file, altloc_in_file = in_file.pop("frame", None), in_file.pop("altloc", None)
        frame, altloc = frame or frame_in_file, altloc or altloc_in_file
    out = out or Path("run")
    values = in_file | {name: value for name, value in given.items() if value is not None}
    before: Ending | None = None
    if structure.is_dir() and is_run_folder(structure):
        from helio.simulate.continuation import ending

        before = ending(structure)
        values = before.settings | values | {"replicas": len(before.structures)}
    if distributed is not None:
        values["devices"] = joined(distributed, values.get("devices"))
    settings = checked(MDSettings, values)
    check_consent(settings.bias, allowed=allow_bias or given["bias"] is not None)
    if not dry_run:
        check_new_run(out, overwrite=overwrite)
    options: Any = {"altloc": altloc, "charge": settings.charge, "unpaired_electrons": settings.spin}
    if before is not None:
        if not follows(distributed):
            _tell(before, structure, settings)
        readings = []
    elif structure.is_dir():
        readings = read_folder(structure, **options)
    elif frame == "all":
        readings = read_all(structure, **options)
    else:
        readings = [read(structure, frame=frame_number(frame), **options)] * settings.replicas
    if not follows(distributed):
        for reading in dict.fromkeys(readings):
            typer.echo(reading.summary())
        warn_of_weak_classes(settings.model, readings)
    structures = [reading.atoms for reading in readings] if before is None else list(before.structures)
    if "electrostatics" not in values and any(atoms.pbc.any() for atoms in structures) and not follows(distributed):
        typer.echo(f"Electrostatics: {DEFAULT_REASON}")
    from helio.cli.compiled import keep_compiled_programs

    keep_compiled_programs()
    from helio.cli.progress import live_report, say_how_it_ended
    from helio.simulate.run import run_md

    if dry_run:
        _explain(structures, settings, out)
        return
    if not follows(distributed):
        warn_before_run(structures, settings.model, settings.level)
    with live_report(quiet=follows(distributed)) as report:
        outcome = run_md(structures, settings, out, report=report, overwrite=overwrite)
    say_how_it_ended(outcome, out, quiet=follows(distributed))


MDCommand = settings_command(md, epilog="Example: helio md peptide.xyz --temperature 300 --steps 2000 --out run")


def _tell(before: Ending, folder: Path, settings: MDSettings) -> None:
    """Say from where the run goes on, and what is not taken over."""
    typer.echo(
        f"{folder}: goes on from step {before.step} ({before.time_ps:g} ps) with its positions, velocities, cell, "
        f"charge and settings, as {settings.ensemble.upper()} for {counted(settings.steps, 'step')}"
    )
    for name in before.not_taken:
        if getattr(settings, name) in (None, ()):
            typer.echo(f"Warning: the {name} of {folder} is not taken over; give it again if the new run needs it")


def _explain(structures: list[Atoms], settings: MDSettings, out: Path) -> None:
    """Print what a run would do; numbers are those of the first replica."""
    from helio.cli.progress import clock
    from helio.simulate.estimate import estimate
    from helio.simulate.run import completed

    settings, atoms = completed(settings, structures), structures[0]
    found = estimate(atoms, settings)
    if len(structures) > 1:
        typer.echo(
            f"{counted(len(structures), 'replica')} in one batch, of which each needs memory and time as follows:"
        )
    typer.echo(f"{counted(len(atoms), 'atom')} ({atoms.get_chemical_formula()}), periodic: {atoms.pbc.tolist()}")
    for name, value in settings.model_dump(mode="json").items():
        typer.echo(f"  {name}: {value}")
    typer.echo(f"Simulated time: {settings.steps * settings.timestep / 1000:g} ps")
    of_each = f" of each of {counted(settings.devices, 'device')}" if settings.devices > 1 else ""
    typer.echo(
        f"Memory{of_each}: about {found.memory_bytes / 1e6:.0f} MB (state {found.state_bytes / 1e6:.1f} MB, "
        f"neighbour lists {found.list_bytes / 1e6:.1f} MB, work {found.working_bytes / 1e6:.0f} MB), besides the "
        "program's own"
    )
    typer.echo(
        f"Speed: about {found.steps_per_second:.3g} steps per second, {found.ns_per_day:.3g} ns/day; the run would "
        f"take {clock(settings.steps / found.steps_per_second)}"
    )
    would_write(
        out,
        f"{counted(found.frames, 'frame')} of {counted(found.saved_atoms, 'atom')}, {found.written_bytes / 1e6:.1f} MB",
    )
