"""`helio md`: molecular dynamics into a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def md(
    structure: Annotated[Path, typer.Argument(metavar="INPUT", help="Structure file of any format that ASE reads.")],
    out: Annotated[Path, typer.Option(help="Run folder to make.")] = Path("run"),
    steps: Annotated[int, typer.Option(help="Number of time steps.")] = 1000,
    timestep: Annotated[float, typer.Option(help="Time step in fs.")] = 0.5,
    ensemble: Annotated[str, typer.Option(help="nve or nvt.")] = "nvt",
    thermostat: Annotated[str, typer.Option(help="langevin or nose-hoover.")] = "langevin",
    temperature: Annotated[float, typer.Option(help="In K, of thermostat and start velocities.")] = 300.0,
    friction: Annotated[float, typer.Option(help="Of the Langevin thermostat, in 1/ps.")] = 1.0,
    relaxation_time: Annotated[float, typer.Option(help="Of the Nose-Hoover thermostat, in fs.")] = 100.0,
    velocities: Annotated[str, typer.Option(help="Start velocities: thermal, or those of the file.")] = "thermal",
    seed: Annotated[int, typer.Option(help="Of all random numbers; the same seed gives the same run.")] = 0,
    model: Annotated[str, typer.Option(help="Name of a model or a model file.")] = "so3lr",
    precision: Annotated[str, typer.Option(help="float32 or float64.")] = "float32",
    long_range_cutoff: Annotated[
        float | None, typer.Option(help="In A; by default 12 with periodicity, 1000 (all pairs) without.")
    ] = None,
    electrostatics: Annotated[str, typer.Option(help="shifted (as published) or ewald.")] = "shifted",
    charge: Annotated[int | None, typer.Option(help="Total charge; by default from the file, else 0.")] = None,
    spin: Annotated[int | None, typer.Option(help="Unpaired electrons; by default from the file, else 0.")] = None,
    save: Annotated[
        str, typer.Option(help="What frames hold besides positions: of velocities,forces,charges.")
    ] = "velocities",
    save_every: Annotated[int, typer.Option(help="Steps between frames.")] = 100,
    log_every: Annotated[int, typer.Option(help="Steps between rows of the log.")] = 100,
    checkpoint_every: Annotated[int, typer.Option(help="Steps between checkpoints.")] = 1000,
    skin: Annotated[float, typer.Option(help="Reach of neighbour lists beyond the cutoffs, in A.")] = 0.5,
    hottest: Annotated[float, typer.Option(help="Stop as unstable above this temperature, in K.")] = 20000.0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier run in the folder.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, write nothing.")] = False,
) -> None:
    """Run molecular dynamics; Ctrl-C stops cleanly and `helio resume` goes on."""
    given: dict[str, Any] = {k: v for k, v in locals().items() if k not in ("structure", "out", "overwrite", "dry_run")}
    given["save"] = [name.strip() for name in save.split(",") if name.strip()]
    from helio.cli.compiled import keep_compiled_programs

    keep_compiled_programs()
    from helio.cli.progress import live_report, say_how_it_ended
    from helio.files.structures import read_structure
    from helio.simulate.run import run_md
    from helio.simulate.settings import checked_settings

    settings = checked_settings(given)
    atoms = read_structure(structure)
    if dry_run:
        _explain(atoms, settings, out)
        return
    with live_report() as report:
        outcome = run_md(atoms, settings, out, report=report, overwrite=overwrite)
    say_how_it_ended(outcome, out)


def _explain(atoms: Any, settings: Any, out: Path) -> None:
    """Print what a run would do."""
    from helio.simulate.run import completed, planned_output

    settings = completed(settings, atoms)
    frames, size = planned_output(atoms, settings)
    typer.echo(f"{len(atoms)} atoms ({atoms.get_chemical_formula()}), periodic: {atoms.pbc.tolist()}")
    for name, value in settings.model_dump(mode="json").items():
        typer.echo(f"  {name}: {value}")
    typer.echo(f"Simulated time: {settings.steps * settings.timestep / 1000:g} ps")
    typer.echo(f"Would write {frames} frames, {size / 1e6:.1f} MB, to {out}")
