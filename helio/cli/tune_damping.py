"""`helio tune-damping`: constants of the long-range terms for interaction energies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from helio.cli.paths import check_inputs
from helio.errors import counted


def tune_damping(
    data: Annotated[
        Path,
        typer.Argument(help="Pairs of molecules with selection_a, selection_b and a reference, as for eval --dimers."),
    ],
    model: Annotated[str, typer.Option("--model", "-m", help="Name of a model or path of a model file.")] = "so3lr",
    level: Annotated[str | None, typer.Option(help="Level of theory, of a model that has several.")] = None,
    out: Annotated[Path | None, typer.Option(help="Model file to write; without it nothing is written.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists.")] = False,
    reference_key: Annotated[str, typer.Option(help="Name of the interaction energy, kcal/mol.")] = "reference_Eint",
    sigma: Annotated[tuple[float, float], typer.Option(help="Range of the smearing that is tried, A.")] = (0.5, 10.0),
    scale: Annotated[tuple[float, float], typer.Option(help="Range of the dispersion scale.")] = (0.6, 2.4),
    stride: Annotated[int, typer.Option(min=1, help="Use every n-th structure.")] = 1,
    name: Annotated[str | None, typer.Option(help="Of the new model; default: that of the file.")] = None,
) -> None:
    """Find the smearing of charges and the damping of dispersion with the least error of interaction energies.

    Weights stay as they are, but energies and forces within molecules change with these constants: evaluate the model
    anew, or train on from it.
    """
    check_inputs([data])
    from helio.cli.compiled import keep_compiled_programs
    from helio.errors import HelioError

    if out is not None and out.exists() and not overwrite:
        raise HelioError(f"{out} exists; give another name or --overwrite")
    keep_compiled_programs()
    from helio import __version__
    from helio.datasets import read_labelled
    from helio.evaluate.damping import tune_damping, with_damping
    from helio.force_field.model_file import read_model, save_model
    from helio.force_field.registry import model_path

    force_field, header = read_model(model_path(model), level)
    found = tune_damping(
        force_field,
        ((structure.number, structure.to_ase()) for structure in read_labelled(data, stride=stride)),
        reference_key=reference_key,
        sigmas=sigma,
        scales=scale,
    )
    typer.echo(f"{counted(found.count, 'dimer')}; mean absolute error of the interaction energy, kcal/mol:")
    for title, number in (("before", 0), ("after", 1)):
        typer.echo(
            f"  {title:6}  sigma {found.sigma[number]:.4g} A, dispersion scale {found.scale[number]:.4g}: "
            f"{found.mae[number]:.4f}"
        )
    if found.at_edge:
        typer.echo("The best lies at the edge of the range that was tried: widen --sigma or --scale.")
    if out is not None:
        info = replace(
            header.info,
            name=name or out.stem,
            source=f"{model}, damping tuned on {data.name} by Helio {__version__}",
        )
        save_model(with_damping(force_field, found.sigma[1], found.scale[1]), out, info)
        typer.echo(f"Model: {out}")
