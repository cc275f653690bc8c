"""`helio eval`: errors against reference data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from helio.errors import HelioError

if TYPE_CHECKING:
    from ase import Atoms
    from rich.console import Console

    from helio.force_field import ForceField, ModelInfo

_NOT_COMPARABLE = (
    "Warning: the set holds boxes and molecules. Electrostatics is shifted to zero at 12 A in boxes and taken over all "
    "pairs in molecules, which are different potentials: energies of the two must not be subtracted (a lattice energy "
    "is off by 3 to 17 kcal/mol). Compare energies of the two with one --long-range-cutoff for both."
)


def evaluate(
    data: Annotated[Path, typer.Argument(help="Labelled structures: any format of ASE, or .npz as in MD17.")],
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
            "charge_b and reference_Eint in their info.",
        ),
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Write all numbers to this JSON file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw a parity plot: .png, .pdf or .svg.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace output files that exist.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Use this many structures at most.")] = None,
    stride: Annotated[int, typer.Option(min=1, help="Use every n-th structure.")] = 1,
    energy_key: Annotated[str | None, typer.Option(help="Name of the energy label in the file.")] = None,
    forces_key: Annotated[str | None, typer.Option(help="Name of the forces label.")] = None,
    dipole_key: Annotated[str | None, typer.Option(help="Name of the dipole label.")] = None,
    hirshfeld_key: Annotated[str | None, typer.Option(help="Name of the Hirshfeld ratios label.")] = None,
    reference_key: Annotated[
        str, typer.Option(help="With --dimers: name of the reference interaction energy (kcal/mol).")
    ] = "reference_Eint",
    energy_unit: Annotated[
        str | None, typer.Option(help="eV (default), meV, kcal/mol (default with --dimers), kJ/mol or hartree.")
    ] = None,
    forces_unit: Annotated[
        str | None,
        typer.Option(help="eV/A, kcal/mol/A, kJ/mol/A, hartree/A, hartree/bohr; default: energy unit per A."),
    ] = None,
    dipole_unit: Annotated[str, typer.Option(help="eA, debye or au.")] = "eA",
    long_range_cutoff: Annotated[
        float | None, typer.Option(help="In A; by default 12 with periodicity, 1000 (all pairs) without.", min=0.1)
    ] = None,
    electrostatics: Annotated[
        str, typer.Option(help="shifted, or ewald or pme for the exact periodic sum.")
    ] = "shifted",
    precision: Annotated[
        str | None, typer.Option(help="float32 or float64; float64 with --dimers, else float32.")
    ] = None,
    atoms_per_block: Annotated[int, typer.Option(min=1, help="Atoms predicted at once; more need more memory.")] = 512,
    skip_unusable: Annotated[
        bool, typer.Option("--skip-unusable", help="Count and leave out structures that the model cannot describe.")
    ] = False,
) -> None:
    """Compare a model with reference energies, forces, dipoles and Hirshfeld ratios."""
    _check_outputs(data, out, plot, overwrite=overwrite)
    if dimers and total_energies:
        raise HelioError("interaction energies are differences: leave out --total-energies")

    from helio.cli.compiled import keep_compiled_programs

    keep_compiled_programs()
    from rich.console import Console

    from helio.evaluate import LabelOptions
    from helio.evaluate.frames import count_frames, read_frames

    keys = {"energy": energy_key, "forces": forces_key, "dipole": dipole_key, "hirshfeld_ratios": hirshfeld_key}
    frames = read_frames(data, stride=stride, limit=limit)
    total = count_frames(data, stride=stride, limit=limit)
    periodic: set[bool] = set()
    frames = _recorded(frames, periodic)
    precision = precision or ("float64" if dimers else "float32")
    energy_unit = energy_unit or ("kcal/mol" if dimers else "eV")
    options = LabelOptions(
        keys={name: key for name, key in keys.items() if key is not None},
        energy_unit=energy_unit,
        force_unit=forces_unit,
        dipole_unit=dipole_unit,
    )
    force_field, info = _load(model, level, long_range_cutoff, electrostatics)
    cutoff = "12 A in boxes, all pairs of molecules" if long_range_cutoff is None else f"{long_range_cutoff:g} A"
    console = Console()
    console.print(
        f"{data} against {model}: long-range cutoff {cutoff}, "
        f"{electrostatics} electrostatics, {precision}; labels in {options.energy_unit}",
        soft_wrap=True,
    )
    settings = {
        "data": str(data),
        "model": model,
        "level": info.level(level),
        "total_energies": total_energies,
        "stride": stride,
        "limit": limit,
        "electrostatics": electrostatics,
        "precision": precision,
        "label_units": {"energy": energy_unit, "forces": forces_unit or f"{energy_unit}/A", "dipole": dipole_unit},
    }
    with _progress(total) as advance:
        shared: dict[str, Any] = {
            "precision": precision,
            "atoms_per_block": atoms_per_block,
            "advance": advance,
        }
        if dimers:
            from helio.evaluate import evaluate_dimers

            result = evaluate_dimers(
                force_field, frames, reference_key=reference_key, reference_unit=energy_unit, **shared
            )
        else:
            from helio.evaluate import evaluate_structures

            result = evaluate_structures(
                force_field,
                frames,
                labels=options,
                energy_of_atoms=info.energy_of_atoms if total_energies else None,
                skip_unusable=skip_unusable,
                **shared,
            )
    panels = _print(console, result)
    cutoffs = sorted({force_field.cutoff_for((kind, kind, kind)) for kind in periodic})
    settings["long_range_cutoff"] = cutoffs[0] if len(cutoffs) == 1 else cutoffs
    if electrostatics == "shifted" and len(cutoffs) > 1:
        console.print(_NOT_COMPARABLE, soft_wrap=True)
    if out is not None:
        _write_json(out, settings, result.to_dict())
        console.print(f"All numbers: {out}", soft_wrap=True)
    if plot is not None:
        from helio.report.parity import plot_parity

        plot_parity(plot, panels, title=f"{Path(model).name} on {data.name}")
        console.print(f"Parity plot: {plot}", soft_wrap=True)


def _check_outputs(data: Path, out: Path | None, plot: Path | None, *, overwrite: bool) -> None:
    """Find out before the work whether its results can be written."""
    given = [path for path in (out, plot) if path is not None]
    if len({path.resolve() for path in [data, *given]}) <= len(given):
        raise HelioError("the data and the output files must have different names")
    for path in given:
        if path.is_dir():
            raise HelioError(f"{path} is a folder; give the name of a file")
        if path.exists() and not overwrite:
            raise HelioError(f"{path} exists; give another name or --overwrite")
        if not path.parent.is_dir():
            raise HelioError(f"the folder {path.parent} does not exist; create it or choose another")
    if plot is not None:
        from helio.report.parity import check_format

        check_format(plot)


def _recorded(frames: Iterator[tuple[int, Atoms]], periodic: set[bool]) -> Iterator[tuple[int, Atoms]]:
    """All structures; `periodic` learns whether there are boxes and molecules among them."""
    for index, atoms in frames:
        periodic.add(bool(atoms.pbc.any()))
        yield index, atoms


def _load(model: str, level: str | None, cutoff: float | None, electrostatics: str) -> tuple[ForceField, ModelInfo]:
    from typing import cast

    from helio.force_field import Electrostatics, load_model, read_model_info
    from helio.force_field.registry import model_path

    path = model_path(model)
    force_field = load_model(path, level=level).with_options(
        long_range_cutoff=cutoff, electrostatics=cast(Electrostatics, electrostatics)
    )
    return force_field, read_model_info(path).info.at(level)


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
        console.print(report.dimer_table(result))
        if result.unlabelled:
            console.print(f"{result.unlabelled:,} dimers have no reference.")
        return report.dimer_panels(result)
    if not result.labelled and not result.alone:
        raise HelioError(
            "no structure has a label: name them with --energy-key, --forces-key, --dipole-key or --hirshfeld-key"
        )
    for table in (report.property_table(result), report.element_table(result), report.worst_table(result)):
        if table is not None:
            console.print(table)
    for note in report.notes(result):
        console.print(note, soft_wrap=True)
    return report.panels(result)


def _write_json(path: Path, settings: dict[str, Any], result: dict[str, Any]) -> None:
    import json

    from helio import __version__
    from helio.files.atomic import write_text

    write_text(path, json.dumps({"helio": __version__, **settings, **result}, indent=1) + "\n")
