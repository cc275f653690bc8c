"""`helio opt`: relax a structure."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from helio.cli.structure_options import ALTLOC_HELP, FRAME_HELP, frame_number
from helio.cli.weak_classes import warn_of_resemblance, warn_of_weak_classes
from helio.errors import counted
from helio.long_range import DEFAULT_REASON, DISPERSION_TAIL_HELP, ELECTROSTATICS_HELP

if TYPE_CHECKING:
    from helio.simulate.minimise import Relaxation


class _Optimizer(StrEnum):
    FIRE = "fire"
    LBFGS = "lbfgs"


def opt(
    structure: Annotated[Path, typer.Argument(metavar="INPUT", help="Structure file of any format that ASE reads.")],
    out: Annotated[Path | None, typer.Option(help="Relaxed structure; by default INPUT-opt.extxyz.")] = None,
    optimizer: Annotated[
        _Optimizer, typer.Option(help="fire: sturdy from any start; lbfgs: for a last polish.")
    ] = _Optimizer.FIRE,
    cell: Annotated[bool, typer.Option("--cell", help="Relax the cell as well.")] = False,
    fmax: Annotated[float, typer.Option(help="Largest force left, in eV/A.", min=0)] = 0.01,
    steps: Annotated[int, typer.Option(help="At most this many steps.", min=0)] = 1000,
    model: Annotated[str, typer.Option(help="Name of a model or a model file.")] = "so3lr",
    level: Annotated[str | None, typer.Option(help="Level of theory, of a model that has several.")] = None,
    precision: Annotated[str, typer.Option(help="float32 or float64.")] = "float32",
    long_range_cutoff: Annotated[
        float | None, typer.Option(help="In A; by default 12 with periodicity, 1000 (all pairs) without.")
    ] = None,
    electrostatics: Annotated[str | None, typer.Option(help=f"{ELECTROSTATICS_HELP} Default: shifted.")] = None,
    dispersion_tail: Annotated[str, typer.Option(help=DISPERSION_TAIL_HELP)] = "none",
    charge: Annotated[int | None, typer.Option(help="Total charge; by default from the file, else 0.")] = None,
    spin: Annotated[int | None, typer.Option(help="Unpaired electrons; by default from the file, else 0.")] = None,
    frame: Annotated[str | None, typer.Option(help=FRAME_HELP)] = None,
    altloc: Annotated[str | None, typer.Option(help=ALTLOC_HELP)] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the output file if it exists.")] = False,
) -> None:
    """Relax positions, and with --cell the cell, until all forces are small."""
    from helio.errors import HelioError
    from helio.files.structure_reading import read
    from helio.files.structures import check_writable, write_structure

    out = out or structure.with_name(f"{structure.stem}-opt.extxyz")
    check_writable(out, overwrite=overwrite)
    reading = read(structure, frame=frame_number(frame), altloc=altloc, charge=charge, unpaired_electrons=spin)
    typer.echo(reading.summary())
    warn_of_weak_classes(model, [reading])
    atoms = reading.atoms
    if electrostatics is None and atoms.pbc.any():
        typer.echo(f"Electrostatics: {DEFAULT_REASON}")
    check_writable(out, [atoms], overwrite=overwrite)
    from helio.cli.compiled import keep_compiled_programs

    keep_compiled_programs()
    from helio.interfaces.ase import HelioCalculator
    from helio.simulate.minimise import minimise

    atoms.calc = HelioCalculator(
        model,
        level=level,
        long_range_cutoff=long_range_cutoff,
        precision=precision,  # pyright: ignore[reportArgumentType]
        electrostatics=electrostatics,  # pyright: ignore[reportArgumentType]
        dispersion_tail=dispersion_tail,  # pyright: ignore[reportArgumentType]
    )
    warn_of_resemblance(atoms.calc.force_field, [atoms])
    last = minimise(atoms, optimizer=optimizer.value, cell=cell, fmax=fmax, steps=steps, report=_print)
    write_structure(out, atoms, overwrite=overwrite)
    typer.echo(f"Wrote {out}")
    warn_of_weak_classes(model, [reading])
    warn_of_resemblance(atoms.calc.force_field, [atoms])
    if not last.converged:
        raise HelioError(
            f"not converged after {counted(last.step, 'step')}: the largest force is {last.largest_force:.4f} eV/A. "
            "Go on "
            f"from {out}, with more --steps or another --optimizer"
        )


def _print(status: Relaxation) -> None:
    typer.echo(f"step {status.step:4d}  E {status.energy:14.6f} eV  largest force {status.largest_force:10.5f} eV/A")
