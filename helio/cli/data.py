"""`helio data`: training data."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from helio.cli.paths import check_inputs
from helio.errors import HelioError, counted

if TYPE_CHECKING:
    from helio.train.importing import ImportReport, ImportSettings

app = typer.Typer(no_args_is_help=True, help="Gather and inspect training data.")


@app.command(
    "import",
    epilog="Examples: helio data import a.extxyz b.h5 train.h5; "
    "helio data import md.npz train.h5 --energy-unit kcal/mol --level PBE+TS",
)
def import_data(
    paths: Annotated[
        list[Path], typer.Argument(metavar="SRC... STORE", help="Files or folders of labelled structures; the store.")
    ],
    layout: Annotated[
        str | None, typer.Option(help="helio, md17, spice, qm7x, ani or ase; found out where not given.")
    ] = None,
    length_unit: Annotated[str | None, typer.Option(help="A, nm or bohr; default: that of the layout.")] = None,
    energy_unit: Annotated[str | None, typer.Option(help="eV, meV, kcal/mol, kJ/mol or hartree.")] = None,
    forces_unit: Annotated[str | None, typer.Option(help="An energy per A or bohr, such as hartree/bohr.")] = None,
    dipole_unit: Annotated[str | None, typer.Option(help="eA, debye or au.")] = None,
    stress_unit: Annotated[str | None, typer.Option(help="eV/A^3, GPa, kbar or hartree/bohr^3.")] = None,
    voigt_order: Annotated[
        str,
        typer.Option(help="Order of a stress of six numbers; VASP has xx,yy,zz,xy,yz,zx and LAMMPS xx,yy,zz,xy,xz,yz."),
    ] = "xx,yy,zz,yz,xz,xy",
    gradients: Annotated[
        bool, typer.Option("--gradients", help="What stands for forces are gradients: change the sign.")
    ] = False,
    trust_units: Annotated[
        bool, typer.Option("--trust-units", help="Do not check units by the size of the values.")
    ] = False,
    key: Annotated[
        list[str] | None,
        typer.Option(help="LABEL=NAME: the name of a label or virial in the files; LABEL= leaves it out; repeatable."),
    ] = None,
    method: Annotated[
        str | None, typer.Option(help="Which method of a file of several, as wb97x_dz or ccsd(t)_cbs of ANI-1x.")
    ] = None,
    level: Annotated[str | None, typer.Option(help="Level of theory; default: that of the file.")] = None,
    source: Annotated[str | None, typer.Option(help="Name of the source; default: that of each file.")] = None,
    licence: Annotated[str | None, typer.Option(help="Licence of the data.")] = None,
    charge: Annotated[float | None, typer.Option(help="Charge (e) where a file does not tell; default 0.")] = None,
    min_distance: Annotated[float, typer.Option(help="Leave out structures with atoms closer than this (A).")] = 0.5,
    max_force: Annotated[
        float, typer.Option(help="Leave out structures with a larger force on an atom (eV/A); 0 for no limit.")
    ] = 50.0,
    max_atoms: Annotated[int | None, typer.Option(min=1, help="Leave out larger structures.")] = None,
    elements: Annotated[
        str | None, typer.Option(help="Leave out structures with other elements than these, as H,C,N,O.")
    ] = None,
    group_by: Annotated[
        str | None,
        typer.Option(
            help="Structures to keep on one side: a key of the files, file, or block:100 for so many neighbours."
        ),
    ] = None,
    keep_duplicates: Annotated[bool, typer.Option("--keep-duplicates", help="Keep equal structures.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the store if it exists.")] = False,
) -> None:
    """Read labelled structures from files of any layout into one store."""
    check_inputs(paths[:-1], "file or folder")
    if len(paths) < 2:
        raise HelioError("give at least one file to read, and the store to write")
    from helio.datasets import ReadingChoices
    from helio.train.filters import FilterSettings
    from helio.train.importing import ImportSettings

    units = {
        "length": length_unit,
        "energy": energy_unit,
        "forces": forces_unit,
        "dipole": dipole_unit,
        "stress": stress_unit,
    }
    filters = FilterSettings(
        min_distance=min_distance,
        max_force=max_force or None,
        elements=None if elements is None else _elements(elements),
        max_atoms=max_atoms,
        keep_duplicates=keep_duplicates,
    )
    choices = ReadingChoices(
        units=units, keys=_keys(key or []), method=method, gradients=gradients, charge=charge, voigt_order=voigt_order
    )
    settings = ImportSettings(
        layout=layout,
        choices=choices,
        filters=filters,
        level=level,
        source=source,
        licence=licence,
        group_by=group_by,
        check_units=not trust_units,
    )
    _report(_run(paths, settings, overwrite=overwrite), paths[-1])


@app.command(epilog="Example: helio data info train.h5 --plot train.png")
def info(
    store: Annotated[Path, typer.Argument(help="A store that `helio data import` made.")],
    plot: Annotated[Path | None, typer.Option(help="Draw sizes, elements and labels: .png, .pdf or .svg.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write all numbers to this JSON file.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace output files that exist.")] = False,
) -> None:
    """Show sizes, elements, sources and the ranges of the labels of a store."""
    check_inputs([store], "store")
    import json

    from rich.console import Console

    from helio.datasets.store import Store
    from helio.files.atomic import write_text
    from helio.report import training_data
    from helio.report.parity import check_format
    from helio.train.overview import overview

    for path in (plot, out):
        if path is not None and path.exists() and (not overwrite or os.path.realpath(path) == os.path.realpath(store)):
            raise HelioError(f"{path} exists; give another name or --overwrite")
    if plot is not None:
        check_format(plot)
    opened = Store(store)
    found, console = overview(opened), Console()
    console.print(
        f"{store}: {counted(found.structures, 'structure')} of {found.atoms.min()} to "
        f"{counted(found.atoms.max(), 'atom')}, "
        f"{counted(found.atoms.sum(), 'atom')} in all; {found.periodic:,} periodic; closest atoms "
        f"{found.closest:.2f} A apart; "
        f"charges {', '.join(f'{charge:+d}' if charge else '0' for charge in found.charges)}",
        soft_wrap=True,
    )
    for table in (
        training_data.sizes_table(found),
        training_data.element_table(found),
        training_data.label_table(found),
    ):
        console.print(table)
    if (missing := training_data.missing_labels(found)) is not None:
        console.print(missing, soft_wrap=True)
    if out is not None:
        write_text(out, json.dumps(found.to_dict(), indent=1) + "\n")
        console.print(f"All numbers: {out}", soft_wrap=True)
    if plot is not None:
        training_data.plot_overview(plot, found, title=store.name)
        console.print(f"Plots: {plot}", soft_wrap=True)


def _run(paths: list[Path], settings: ImportSettings, *, overwrite: bool) -> ImportReport:
    """Import with a live line of what is done."""
    from rich.console import Console
    from rich.progress import Progress, TextColumn, TimeElapsedColumn

    from helio.train.importing import import_files

    columns = (TextColumn("{task.completed:,} structures"), TextColumn("{task.fields[rate]}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None, rate="")

        def advance(done: int) -> None:
            progress.update(task, advance=done)
            speed = progress.tasks[task].speed
            if speed is not None:
                progress.update(task, rate=f"{speed:,.0f} per s")

        return import_files(paths[:-1], paths[-1], settings, overwrite=overwrite, advance=advance)


def _report(report: ImportReport, store: Path) -> None:
    """Say what became of the files: the store on stdout, what went wrong on stderr."""
    from collections import Counter

    from rich.console import Console

    from helio.report import training_data

    console = Console()
    console.print(training_data.import_table(report))
    labels: Counter[str] = sum((file.labels for file in report.files), Counter())
    have = ", ".join(f"{name} {count:,}" for name, count in labels.most_common()) or "none"
    console.print(f"{store}: {counted(report.kept, 'structure')}; labels: {have}", soft_wrap=True, highlight=False)
    assumed = sum(file.assumed_charge for file in report.files)
    if assumed:
        console.print(
            f"{counted(assumed, 'structure', 'do')} not tell the charge: 0 was assumed (--charge says otherwise).",
            soft_wrap=True,
            highlight=False,
        )
    for line in training_data.import_notes(report):
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    for file in report.files:
        if file.broken is not None:
            typer.secho(f"Skipped {file.path}: {' '.join(file.broken.split())}", fg=typer.colors.RED, err=True)


def _keys(pairs: list[str]) -> dict[str, str]:
    found: dict[str, Any] = {}
    for pair in pairs:
        label, sign, name = pair.partition("=")
        if not sign:
            raise HelioError(f"--key needs LABEL=NAME, as energy=E_total, not {pair!r}")
        found[label] = name
    return found


def _elements(text: str) -> tuple[int, ...]:
    from ase.data import atomic_numbers

    symbols = [symbol.strip() for symbol in text.split(",")]
    unknown = [symbol for symbol in symbols if symbol not in atomic_numbers]
    if unknown:
        raise HelioError(f"--elements names {unknown[0]!r}, which is no element; give symbols, as H,C,N,O")
    return tuple(atomic_numbers[symbol] for symbol in symbols)
