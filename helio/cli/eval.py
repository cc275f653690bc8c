"""`helio eval`: errors against reference data."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from helio.cli.paths import check_inputs
from helio.errors import HelioError
from helio.long_range import DISPERSION_TAIL_HELP, ELECTROSTATICS_HELP

if TYPE_CHECKING:
    from rich.console import Console


def evaluate(
    data: Annotated[Path, typer.Argument(help="Labelled structures: any file or store that data import reads.")],
    model: Annotated[str, typer.Option("--model", "-m", help="Name of a model or a model file.")] = "so3lr",
    level: Annotated[str | None, typer.Option(help="Level of theory, of a model that has several.")] = None,
    total_energies: Annotated[
        bool,
        typer.Option(
            "--total-energies",
            help="Compare energies as they are, with the energies of atoms that the model file holds, instead of "
            "differences within each composition.",
        ),
    ] = False,
    dimers: Annotated[
        bool,
        typer.Option(
            "--dimers",
            help="Interaction energies of pairs of molecules; structures give selection_a, selection_b, charge_a, "
            "charge_b and reference_Eint or benchmark_Eint in their info.",
        ),
    ] = False,
    crystals: Annotated[
        bool,
        typer.Option(
            "--crystals",
            help="Lattice energies of molecular crystals; structures give name and lattice_energy_kcal_mol (or "
            "--reference-key) in their info. Electrostatics is wolf unless stated.",
        ),
    ] = False,
    relax: Annotated[str, typer.Option(help="With --crystals: relax nothing, positions, or cell.")] = "nothing",
    out: Annotated[Path | None, typer.Option(help="Write all numbers to this JSON file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw a parity plot: .png, .pdf or .svg.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace output files that exist.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Use this many structures at most.")] = None,
    stride: Annotated[int, typer.Option(min=1, help="Use every n-th structure.")] = 1,
    energy_key: Annotated[str | None, typer.Option(help="Name of the energy label in the file.")] = None,
    forces_key: Annotated[str | None, typer.Option(help="Name of the forces label.")] = None,
    dipole_key: Annotated[str | None, typer.Option(help="Name of the dipole label.")] = None,
    hirshfeld_key: Annotated[str | None, typer.Option(help="Name of the Hirshfeld ratios label.")] = None,
    stress_key: Annotated[str | None, typer.Option(help="Name of the stress label.")] = None,
    reference_key: Annotated[
        str | None,
        typer.Option(
            help="With --dimers or --crystals: name of the reference energy (kcal/mol); default: reference_Eint or "
            "benchmark_Eint, lattice_energy_kcal_mol."
        ),
    ] = None,
    length_unit: Annotated[str | None, typer.Option(help="A, nm or bohr; default: that of the layout.")] = None,
    energy_unit: Annotated[
        str | None,
        typer.Option(
            help="eV, meV, kcal/mol, kJ/mol or hartree; default: that of the layout (eV for files of ASE, kcal/mol for "
            ".npz that name none), kcal/mol with --dimers."
        ),
    ] = None,
    forces_unit: Annotated[
        str | None,
        typer.Option(help="eV/A, kcal/mol/A, kJ/mol/A, hartree/A, hartree/bohr; default: that of the layout."),
    ] = None,
    dipole_unit: Annotated[str | None, typer.Option(help="eA, debye or au.")] = None,
    stress_unit: Annotated[str | None, typer.Option(help="eV/A^3, GPa, kbar or hartree/bohr^3.")] = None,
    method: Annotated[str | None, typer.Option(help="Which method of a file of several, as of ANI-1x.")] = None,
    long_range_cutoff: Annotated[
        float | None, typer.Option(help="In A; by default 12 with periodicity, 1000 (all pairs) without.", min=0.1)
    ] = None,
    electrostatics: Annotated[
        str | None, typer.Option(help=f"{ELECTROSTATICS_HELP} Default: shifted; with --crystals wolf.")
    ] = None,
    dispersion_tail: Annotated[str, typer.Option(help=DISPERSION_TAIL_HELP)] = "none",
    precision: Annotated[
        str | None, typer.Option(help="float32 or float64; float64 with --dimers, else float32.")
    ] = None,
    atoms_per_block: Annotated[int, typer.Option(min=1, help="Atoms predicted at once; more need more memory.")] = 512,
    skip_unusable: Annotated[
        bool, typer.Option("--skip-unusable", help="Count and leave out structures that the model cannot describe.")
    ] = False,
) -> None:
    """Compare a model with reference energies, forces, stresses, dipoles, charges and Hirshfeld ratios."""
    check_inputs([data])
    _check_outputs(data, out, plot, overwrite=overwrite)
    if crystals:
        from helio.cli.crystals import evaluate_crystals_of

        if dimers or total_energies or plot is not None:
            raise HelioError("--crystals goes without --dimers, --total-energies and --plot")
        settings, result = evaluate_crystals_of(
            data,
            model=model,
            level=level,
            relaxed=relax,
            reference_key=reference_key,
            selection=slice(0, None if limit is None else limit * stride, stride),
            long_range_cutoff=long_range_cutoff,
            electrostatics=electrostatics or "wolf",
            dispersion_tail=dispersion_tail,
            precision=precision or "float64",
            skip_unusable=skip_unusable,
        )
        if out is not None:
            _write_json(out, settings, result)
            typer.echo(f"All numbers: {out}")
        return
    from helio.cli.compiled import keep_compiled_programs
    from helio.datasets import ReadingChoices

    keys = {"energy": energy_key, "forces": forces_key, "dipole": dipole_key, "stress": stress_key}
    keys["hirshfeld_ratios"] = hirshfeld_key
    units = {"length": length_unit, "energy": energy_unit, "forces": forces_unit, "dipole": dipole_unit}
    choices = ReadingChoices(
        units=units | {"stress": stress_unit},
        keys={name: key for name, key in keys.items() if key is not None},
        method=method,
    )
    keep_compiled_programs()
    from rich.console import Console

    from helio.evaluate.file import FileEvaluation

    evaluation = FileEvaluation(
        data,
        model,
        level,
        total_energies=total_energies,
        dimers=dimers,
        choices=choices,
        stride=stride,
        limit=limit,
        reference_key=reference_key,
        long_range_cutoff=long_range_cutoff,
        electrostatics=electrostatics or "shifted",
        dispersion_tail=dispersion_tail,
        precision=precision,
        atoms_per_block=atoms_per_block,
        skip_unusable=skip_unusable,
    )
    evaluation.check_names()
    console = Console()
    console.print(evaluation.description(), soft_wrap=True)
    with _progress(evaluation.count()) as advance:
        result, settings = evaluation.run(advance)
    panels = _print(console, result)
    for note in evaluation.notes(settings):
        console.print(note, soft_wrap=True)
    if out is not None:
        _write_json(out, settings, result.to_dict())
        console.print(f"All numbers: {out}", soft_wrap=True)
    if plot is not None:
        from helio.report.parity import plot_parity

        plot_parity(plot, panels, title=f"{Path(model).name} on {data.name}")
        console.print(f"Parity plot: {plot}", soft_wrap=True)


def _check_outputs(data: Path, out: Path | None, plot: Path | None, *, overwrite: bool) -> None:
    """Find out before the work whether its results can be written."""
    from helio.files.atomic import disk_errors

    given = [path for path in (out, plot) if path is not None]
    if len({os.path.realpath(path) for path in [data, *given]}) <= len(given):
        raise HelioError("the data and the output files must have different names")
    for path in given:
        with disk_errors(path), suppress(FileNotFoundError):
            path.stat()
        if path.is_dir():
            raise HelioError(f"{path} is a folder; give the name of a file")
        if path.exists() and not overwrite:
            raise HelioError(f"{path} exists; give another name or --overwrite")
        if not path.parent.is_dir():
            raise HelioError(f"the folder {path.parent} does not exist; create it or choose another")
    if plot is not None:
        from helio.report.parity import check_format

        check_format(plot)


@contextmanager
def _progress(total: int | None) -> Iterator[Callable[[int], None]]:
    """A live line with the share that is done, structures per second and the time left."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("structures"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=total, rate="")

        def advance(done: int) -> None:
            progress.update(task, advance=done)
            speed = progress.tasks[task].speed
            if speed is not None:
                progress.update(task, rate=f"{speed:.3g} per s")

        yield advance


def _print(console: Console, result: Any) -> dict[str, Any]:
    """Print tables and notes; return the panels of a parity plot."""
    from helio.evaluate import DimerEvaluation
    from helio.report import evaluation as report

    if isinstance(result, DimerEvaluation):
        for table in (report.dimer_group_table(result), report.dimer_table(result)):
            if table is not None:
                console.print(table)
        for note in report.dimer_notes(result):
            console.print(note, soft_wrap=True, markup=False)
        return report.dimer_panels(result)
    if not result.labelled and not result.alone:
        raise HelioError(
            "no structure has a label: name them with --energy-key, --forces-key, --dipole-key or --hirshfeld-key"
        )
    for table in (report.property_table(result), report.element_table(result), report.worst_table(result)):
        if table is not None:
            console.print(table)
    for note in report.notes(result):
        console.print(note, soft_wrap=True, markup=False)
    return report.panels(result)


def _write_json(path: Path, settings: dict[str, Any], result: dict[str, Any]) -> None:
    import json

    from helio import __version__
    from helio.files.atomic import write_text

    write_text(path, json.dumps({"helio": __version__, **settings, **result}, indent=1) + "\n")
