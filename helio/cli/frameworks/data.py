"""`helio frameworks build | import | label | info`: frameworks as data."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from helio.cli.lines import counting_bar
from helio.errors import HelioError, counted

BUILD_EPILOG = "Example: helio frameworks build --nets pcu,acs,bcu,nbo --count 1000 --seed 1 --out mofs.h5"
IMPORT_EPILOG = "Example: helio frameworks import cofs/ --out cofs.h5 --workers 4"
LABEL_EPILOG = "Example: helio frameworks label mofs.h5 --count 400 --workers 4"
INFO_EPILOG = "Example: helio frameworks info mofs.h5 --plot mofs.png"

_Out = Annotated[Path, typer.Option("--out", "-o", help="Store to write (.h5).")]
_Seed = Annotated[int, typer.Option(min=0, help="Of all random numbers; the same seed gives the same store.")]
_Share = Annotated[float, typer.Option(min=0, max=1, help="Share of the combinations of nodes and linkers.")]
_Workers = Annotated[int, typer.Option(min=1, help="Processes.")]
_Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the store if it exists.")]


class _Split(StrEnum):
    AUTO = "auto"
    MOF = "mof"
    COF = "cof"


class _Labels(StrEnum):
    ADSORPTION = "adsorption"
    CAPACITY = "capacity"
    HENRY = "henry"
    PORES = "pores"


class Charges(StrEnum):
    """On frameworks and gases in GCMC."""

    EQEQ = "eqeq"
    NONE = "none"


def build(
    out: _Out,
    nets: Annotated[
        str | None, typer.Option(help="Nets of pormake's database, with commas between.", show_default="27 small nets")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Frameworks to build.")] = 1000,
    nodes: Annotated[int, typer.Option(min=1, help="Blocks to choose from for each type of node of a net.")] = 10,
    linkers: Annotated[int, typer.Option(min=1, help="Linkers with two connections to choose from.")] = 80,
    validation: _Share = 0.1,
    test: _Share = 0.1,
    seed: _Seed = 0,
    workers: _Workers = 1,
    overwrite: _Overwrite = False,
) -> None:
    """Build hypothetical MOFs whose blocks, connections and graph are known exactly, with pore labels."""
    from helio.frameworks.hypothetical.data_set import build_store
    from helio.frameworks.hypothetical.nets import DEFAULT_NETS

    names = [name.strip() for name in nets.split(",") if name.strip()] if nets else list(DEFAULT_NETS)
    if not names:
        raise HelioError("--nets names no net; give some, such as pcu,acs,bcu,nbo")
    with counting_bar("frameworks") as report:
        summary = build_store(
            out,
            names,
            count=count,
            seed=seed,
            nodes_per_net=nodes,
            linkers=linkers,
            validation=validation,
            test=test,
            workers=workers,
            overwrite=overwrite,
            report=report,
        )
    _tell(out)
    for reason, times in summary.failures.most_common():
        typer.echo(f"  {times} not built: {reason}")


def import_(
    sources: Annotated[list[Path], typer.Argument(metavar="CIF|FOLDER...", help="Files, or folders of such.")],
    out: _Out,
    split: Annotated[
        _Split, typer.Option(help="Into metal nodes and linkers (mof) or at branches (cof); auto: mof where metal is.")
    ] = _Split.AUTO,
    pores: Annotated[bool, typer.Option("--pores/--no-pores", help="Label with pore figures.")] = True,
    validation: _Share = 0.1,
    test: _Share = 0.1,
    seed: _Seed = 0,
    refused: Annotated[
        Path | None, typer.Option(help="Table (.csv) of the files refused, each with its reason.", show_default=False)
    ] = None,
    workers: _Workers = 1,
    overwrite: _Overwrite = False,
) -> None:
    """Take the crystals of CIF files apart into building blocks; what cannot be is refused and counted."""
    from helio.frameworks.importing import import_store

    with counting_bar("files") as report:
        summary = import_store(
            out,
            sources,
            kind=split.value,
            pores=pores,
            validation=validation,
            test=test,
            seed=seed,
            workers=workers,
            overwrite=overwrite,
            report=report,
        )
    _tell(out)
    typer.echo(f"  {counted(summary.imported, 'file')} imported, {len(summary.refused)} refused")
    for reason, files in summary.reasons:
        typer.echo(f"    {len(files)}: {reason}" + (f", such as {files[0]}" if len(files) > 1 else f" ({files[0]})"))
    if refused is not None:
        _write_refused(refused, summary.refused)


def label(
    store: Annotated[Path, typer.Argument(help="Store of frameworks; gets the labels.")],
    what: Annotated[
        _Labels,
        typer.Option(
            help="Uptake of CO2 and N2 by GCMC, of CO2 alone (capacity), of CO2 by Henry's law, pore figures."
        ),
    ] = _Labels.ADSORPTION,
    count: Annotated[
        int | None, typer.Option(min=1, help="Label so many, drawn at random; otherwise all.", show_default=False)
    ] = None,
    charges: Annotated[
        Charges, typer.Option(help="Of framework and gas: equilibrated (eqeq), or none, three times as fast.")
    ] = Charges.EQEQ,
    cycles: Annotated[int, typer.Option(min=1, help="Of GCMC or insertions, averaged over.")] = 2000,
    equilibration: Annotated[int, typer.Option(min=0, help="Cycles of GCMC before.")] = 2000,
    hours: Annotated[float, typer.Option(min=0.001, help="Limit for one framework.")] = 10.0,
    seed: _Seed = 0,
    workers: _Workers = 1,
    retry: Annotated[bool, typer.Option("--retry", help="Try again what failed before.")] = False,
) -> None:
    """Compute labels; cut off and begun again with the same settings, it goes on where it was."""
    from helio.frameworks.labelling import label_store

    with counting_bar("frameworks") as report:
        summary = label_store(
            store,
            kind=what.value,
            charges=charges.value,
            count=count,
            cycles=cycles,
            equilibration=equilibration,
            seed=seed,
            workers=workers,
            limit_s=3600 * hours,
            retry=retry,
            report=report,
        )
    typer.echo(
        f"{store}: {summary.labelled} of {counted(summary.wanted, 'framework')} labelled, {summary.computed} "
        "computed now, "
        f"{len(summary.failures)} failed"
    )
    for name, reason in sorted(summary.failures.items()):
        typer.echo(f"  {name}: {reason}")


def info(
    store: Annotated[Path, typer.Argument(help="Store of frameworks.")],
    plot: Annotated[
        Path | None, typer.Option(help="Figure of the distributions (.png, .pdf, .svg).", show_default=False)
    ] = None,
) -> None:
    """Say what a store holds: parts, nets, blocks and labels."""
    from helio.frameworks.contents import describe

    for line in describe(store):
        typer.echo(line)
    if plot is not None:
        from helio.report.framework_data import plot_store

        plot_store(store, plot)
        typer.echo(f"Distributions: {plot}")


def _tell(path: Path) -> None:
    """What the store holds, in a few lines."""
    from helio.frameworks.contents import summarise

    for line in summarise(path):
        typer.echo(line)


def _write_refused(path: Path, refused: dict[str, str]) -> None:
    import csv
    import io

    from helio.files.atomic import write_text

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "reason"])
    writer.writerows(sorted(refused.items()))
    write_text(path, text.getvalue())
