"""`helio analyse`: observables from trajectories."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from helio.errors import counted

EPILOG = "Examples: helio analyse list run · helio analyse rdf run --set pairs=O-O --reference goo.dat --out figures"


def analyse(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the analysis; `list` shows which there are.")],
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="DIR...",
            help="Run folders, or trajectories of other programs; several are runs of one system.",
            show_default=False,
        ),
    ] = None,
    topology: Annotated[
        Path | None, typer.Option(help="File with the atoms, for trajectories of other programs.", show_default=False)
    ] = None,
    begin: Annotated[
        float | None, typer.Option(metavar="PS", help="Leave out frames before this time.", show_default=False)
    ] = None,
    end: Annotated[
        float | None, typer.Option(metavar="PS", help="Leave out frames after this time.", show_default=False)
    ] = None,
    every: Annotated[int, typer.Option(metavar="N", help="Take every n-th frame.", min=1)] = 1,
    select: Annotated[str, typer.Option(help="Atoms to analyse, in the selection language of MDAnalysis.")] = "all",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="OPTION=VALUE", help="Option of the analysis, as `list` shows them; repeatable."),
    ] = None,
    references: Annotated[
        list[str] | None,
        typer.Option(
            "--reference",
            metavar="[CURVE=]FILE",
            help="Two columns to compare and draw along; repeatable.",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for figures and CSV files.", show_default=False)] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files there.")] = False,
) -> None:
    """Compute an observable of one or several runs, with errors."""
    from rich.console import Console

    from helio.analyse.catalogue import analyse as compute
    from helio.analyse.catalogue import find, parsed_options
    from helio.analyse.frames import open_all
    from helio.analyse.observable import combine
    from helio.analyse.reference import with_reference
    from helio.errors import HelioError
    from helio.report.observable import value_table, write_observable

    chosen = dict(begin_ps=begin, end_ps=end, every=every, selection=select)
    if name == "list":
        _print_list(open_all(paths or [], topology, **chosen))  # pyright: ignore[reportArgumentType]
        return
    together = find(name).together
    if not paths:
        raise HelioError(f"which runs? Give folders: helio analyse {name} DIR...")
    options = parsed_options(name, settings or [])
    opened = open_all(paths, topology, **chosen)  # pyright: ignore[reportArgumentType]
    for note in dict.fromkeys(frames.note for frames in opened if frames.note):
        typer.echo(f"Note: {note}.")
    for line in filter(None, (frames.attention for frames in opened)):
        typer.echo(f"Attention: {line}", err=True)
    results = [compute(name, opened, **options)] if together else [compute(name, one, **options) for one in opened]
    result = combine(results)
    for word in references or []:
        curve, equals, file = word.partition("=")
        result = with_reference(result, file if equals else word, curve=curve if equals else None)
    console = Console()
    console.print(value_table(result))
    for note in (*result.notes, result.method):
        if note:
            typer.echo(note)
    if out is not None:
        files = write_observable(result, out, runs=results if len(results) > 1 else (), overwrite=overwrite)
        typer.echo(f"Wrote {counted(len(files), 'file')} to {out}: {', '.join(file.name for file in files)}")


def _print_list(opened: list) -> None:
    """All analyses, their options and, where there are frames, whether they fit."""
    from helio.analyse.analysis import kind_of
    from helio.analyse.catalogue import CATALOGUE

    for analysis in CATALOGUE.values():
        if opened and not all(analysis.fits(frames) for frames in opened):
            continue
        typer.echo(f"{analysis.name:20} {analysis.help}")
        for key, option in analysis.options().items():
            default = "" if option.default is None else f", by default {option.default}"
            typer.echo(f"{'':22}{key}: {kind_of(option)}{default}")
