"""`helio export`: a trajectory in another format."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from helio.cli.paths import check_inputs
from helio.errors import counted


class _Format(StrEnum):
    XTC = "xtc"
    DCD = "dcd"
    EXTXYZ = "extxyz"
    PDB = "pdb"


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Run folder of `helio md`.")],
    kind: Annotated[_Format, typer.Option("--format", help="Of the file to write.")],
    out: Annotated[
        Path | None, typer.Option(help="File to write; default DIR/trajectory.FORMAT.", show_default=False)
    ] = None,
    stride: Annotated[int, typer.Option(help="Take every n-th frame.", min=1)] = 1,
    selection: Annotated[str, typer.Option(help="Atoms to write, in the selection language of MDAnalysis.")] = "all",
    wrap: Annotated[bool, typer.Option("--wrap", help="Put whole molecules back into the cell.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists.")] = False,
) -> None:
    """Write the trajectory of a run as xtc, dcd, extxyz or pdb."""
    check_inputs([folder], "folder")
    check_inputs([folder / "trajectory.h5md"])
    from helio.simulate.export import export_trajectory

    out = out or folder / f"trajectory.{kind.value}"
    frames = export_trajectory(
        folder, out, kind=kind.value, stride=stride, selection=selection, wrap=wrap, overwrite=overwrite
    )
    typer.echo(f"Wrote {counted(frames, 'frame')} to {out}")
