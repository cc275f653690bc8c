"""`helio frameworks assemble | relax | check | screen | campaign`: from sampled frameworks to screened crystals."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from helio.cli.frameworks.data import Charges
from helio.errors import HelioError

if TYPE_CHECKING:
    from helio.frameworks.crystal import Crystal

_Files = Annotated[list[Path], typer.Argument(metavar="CIF...", help="Crystals; without bonds, they are found.")]
_Folder = Annotated[Path, typer.Option("--out", "-o", help="Folder for the crystals (CIF with bonds).")]
_Field = Annotated[str, typer.Option(help="uff, uff4mof, or a force field of Helio (so3lr, helio-s, a file).")]
_Steps = Annotated[int, typer.Option(min=1, help="Of each minimisation.")]
_Metal = Annotated[bool, typer.Option("--metal/--no-metal", help="Whether a framework needs a metal.")]
_Dimensions = Annotated[int, typer.Option(min=2, max=3, help="In which it goes on; 2 lets layers pass.")]
_Pore = Annotated[float, typer.Option(min=0, help="Pore limiting diameter that it needs, A.")]
_Charges = Annotated[
    Charges, typer.Option(help="Of framework and gas: equilibrated (eqeq), or none, three times as fast.")
]
_Cycles = Annotated[int, typer.Option(min=1, help="Cycles of GCMC that are averaged over.")]
_Equilibration = Annotated[int, typer.Option(min=0, help="Cycles of GCMC before.")]
_UFF = ("uff", "uff4mof")


def assemble(
    store: Annotated[Path, typer.Argument(help="Frameworks; how their blocks are turned is not looked at.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the crystals (CIF with bonds).")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Of the frameworks, the first so many.")] = None,
    adapt: Annotated[
        bool, typer.Option("--adapt/--rigid", help="Let centres and cell give way so that connections meet.")
    ] = True,
    oracle: Annotated[
        bool, typer.Option("--oracle", help="Say how much of the known frameworks is found again, and write nothing.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the first rotations.")] = 0,
) -> None:
    """Turn and join the blocks of frameworks, and write their atoms and bonds."""
    from helio.cli.compiled import keep_compiled_programs

    keep_compiled_programs()
    from helio.frameworks.assembly.assemble import assemble_all
    from helio.frameworks.store import FrameworkStore

    with FrameworkStore(store) as opened:
        frameworks = [opened.framework(name) for name in opened.names()[:count]]
        library = opened.library
    if oracle:
        _tell_recovery(frameworks, library, seed)
        return
    if out is None:
        raise HelioError("give a folder for the crystals with --out, or --oracle to write none")
    from helio.files.atomic import make_folder
    from helio.frameworks.cif import write_cif
    from helio.frameworks.crystal import crystal_of

    make_folder(out)
    for framework, found in zip(frameworks, assemble_all(frameworks, library, adapt=adapt, seed=seed), strict=True):
        if isinstance(found, HelioError):
            typer.echo(f"  {found}")
            continue
        write_cif(out / f"{framework.name}.cif", crystal_of(found.framework, library))
        typer.echo(f"  {framework.name}: {len(found.gaps)} connections, {found.mean_gap:.3f} A apart on average")


def relax(
    files: _Files,
    out: _Folder,
    force_field: _Field = "uff",
    steps: _Steps = 1000,
    limit: Annotated[float, typer.Option(min=1, help="Seconds for each crystal, with UFF.")] = 3600.0,
) -> None:
    """Relax positions and cell of crystals: by UFF in LAMMPS, or by a force field of Helio."""
    from helio.cli.compiled import keep_compiled_programs

    keep_compiled_programs()
    from helio.files.atomic import make_folder
    from helio.frameworks.cif import write_cif
    from helio.frameworks.relaxation.calculated import relax_with
    from helio.frameworks.relaxation.uff import relax_uff

    make = _calculator(force_field)
    calculator = None if make is None else make()
    is_new = not out.exists()
    make_folder(out)

    def work(crystal: Crystal) -> str:
        if calculator is None:
            found = relax_uff(crystal, variant=force_field, steps=steps, seconds=limit)  # pyright: ignore[reportArgumentType]
        else:
            found = relax_with(crystal, calculator, steps=steps)
        write_cif(out / f"{crystal.name}.cif", found.crystal)
        change = f"{found.energy_before:.3f} to {found.energy_after:.3f} eV, volume {100 * found.volume_change:+.2f} %"
        return f"{change}, {found.steps} steps{'' if found.converged else ', not converged'}"

    try:
        _each(files, work)
    finally:
        if is_new and not any(out.iterdir()):  # no crystal could be relaxed
            out.rmdir()


def check(files: _Files, metal: _Metal = True, dimensions: _Dimensions = 3, smallest_pore: _Pore = 2.4) -> None:
    """Check whether crystals are valid frameworks, and say why those that are not are not."""
    from helio.frameworks.checks import Demands
    from helio.frameworks.checks import check as checked
    from helio.frameworks.pores import pore_labels

    def work(crystal: Crystal) -> str:
        figures = pore_labels(crystal)
        found = checked(crystal, figures["pore_limiting_diameter"], Demands(metal, dimensions, smallest_pore))
        failed = [f"{one.name}: {one.reason}" for one in found if not one.passed]
        return "; ".join(failed) or f"valid, pore {figures['pore_limiting_diameter']:.2f} A"

    _each(files, work)


def screen(
    files: _Files,
    charges: _Charges = Charges.EQEQ,
    cycles: _Cycles = 2000,
    equilibration: _Equilibration = 1000,
    seed: int = 0,
) -> None:
    """Pores of crystals, and how much carbon dioxide and nitrogen they take up, by GCMC."""
    from helio.frameworks.adsorption import adsorption_labels
    from helio.frameworks.pores import pore_labels

    def work(crystal: Crystal) -> str:
        uptake = adsorption_labels(
            crystal, charges=charges.value, cycles=cycles, equilibration=equilibration, seed=seed
        )
        return ", ".join(f"{name} {value:.4g}" for name, value in {**pore_labels(crystal), **uptake}.items())

    _each(files, work)


def campaign(
    folder: Annotated[Path, typer.Argument(help="Of the campaign; one that is there goes on where it ended.")],
    samples: Annotated[Path | None, typer.Option(help="Store of sampled frameworks.", show_default=False)] = None,
    model: Annotated[
        str | None, typer.Option(help="Model file to sample from, or helio-frameworks.", show_default=False)
    ] = None,
    known: Annotated[Path | None, typer.Option(help="Store of known frameworks.", show_default=False)] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Number of candidates; 100.", show_default=False)] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of all that is drawn; 0.", show_default=False)] = None,
    spread: Annotated[
        float | None, typer.Option(min=0, max=1, help="Of latents that are sampled; 0.5.", show_default=False)
    ] = None,
    drawn_sites: Annotated[
        bool | None, typer.Option("--drawn-sites", help="Places are the diffusion's alone.", show_default=False)
    ] = None,
    relaxation: Annotated[
        str | None, typer.Option(help="uff (default), uff4mof, none, so3lr, helio-s or a file.", show_default=False)
    ] = None,
    metal: Annotated[bool | None, typer.Option("--metal/--no-metal", help="Needs a metal.", show_default=False)] = None,
    dimensions: Annotated[
        int | None, typer.Option(min=2, max=3, help="2 lets layers pass.", show_default=False)
    ] = None,
    screened: Annotated[
        int | None, typer.Option("--screen", min=0, help="How many of the best are screened; 0.", show_default=False)
    ] = None,
    charges: Annotated[
        Charges | None, typer.Option(help="In screening: eqeq (default) or none.", show_default=False)
    ] = None,
    settings: Annotated[
        Path | None, typer.Option(help="YAML with these and more settings.", show_default=False)
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes on this machine.")] = 1,
    dask: Annotated[str | None, typer.Option(help="Address of a Dask scheduler, or local.", show_default=False)] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Do stages that broke again.")] = False,
) -> None:
    """Sample, assemble, relax, check and screen many frameworks, with a record of all; resumable at any point."""
    from helio.cli.compiled import keep_compiled_programs
    from helio.files.yaml_file import read_yaml
    from helio.frameworks.campaign.record import Record
    from helio.frameworks.campaign.run import run, start
    from helio.frameworks.campaign.settings import CampaignSettings
    from helio.settings.checking import checked

    keep_compiled_programs()
    given: dict[str, Any] = {
        "samples": samples, "model": model, "known": known, "count": count, "seed": seed, "relaxation": relaxation,
        "spread": spread, "drawn_sites": drawn_sites, "metal": metal, "dimensions": dimensions, "screen": screened,
        "charges": None if charges is None else charges.value,
    }  # fmt: skip
    values = {key: os.path.realpath(value) if isinstance(value, Path) else value for key, value in given.items() if value is not None}  # fmt: skip  # noqa: E501
    if settings is not None:
        values = {**(read_yaml(settings) or {}), **values}
    if values:
        chosen = checked(CampaignSettings, values)
        if chosen.relaxation != "none":
            _calculator(chosen.relaxation)  # before anything is written: there is such a force field
        start(folder, chosen)
    if not (folder / "record.sqlite").is_file():
        raise HelioError(f"{folder} holds no campaign: give --samples or --model to start one")
    with Record(folder / "record.sqlite") as record:
        field = record.settings.relaxation
    make = None if field == "none" else _calculator(field)
    ended = run(folder, workers=workers, scheduler=dask, retry=retry, calculator=make, report=_Progress())
    _tell_funnel(folder)
    if not ended:
        raise HelioError(f"stopped; go on with: helio frameworks campaign {folder}")
    from helio.report.frameworks import write_campaign_report

    write_campaign_report(folder, folder / "report.html")
    typer.echo(f"Report: {folder / 'report.html'}")


class _Progress:
    """A line for every tenth of a stage."""

    def __call__(self, stage: str, done: int, of: int) -> None:
        if done == of or done % max(1, of // 10) == 0:
            typer.echo(f"  {stage}: {done} of {of}")


def _calculator(force_field: str) -> Callable[[], Any] | None:
    """What makes a calculator of Helio; None for UFF."""
    if force_field in _UFF:
        return None
    from functools import partial

    from helio.force_field import load_model
    from helio.interfaces.ase import HelioCalculator

    load_model(force_field)
    return partial(HelioCalculator, force_field)


def _each(files: list[Path], work: Callable[[Crystal], str]) -> None:
    """Do it with each crystal; one that fails is told, and the next is done. Exit status 1 if all fail."""
    from helio.frameworks.cif import read_cif

    failed = 0
    for file in files:
        try:
            typer.echo(f"  {file.stem}: {work(read_cif(file))}")
        except HelioError as error:
            failed += 1
            typer.secho(f"  {file.stem}: {' '.join(str(error).split())}", fg=typer.colors.RED, err=True)
    if failed == len(files):
        raise HelioError(f"none of {len(files)} crystals could be used" if len(files) > 1 else f"{files[0]} could not be used")  # fmt: skip  # noqa: E501


def _tell_recovery(frameworks: list[Any], library: Any, seed: int) -> None:
    import numpy as np

    from helio.frameworks.assembly.oracle import recovery

    found, errors, seconds = recovery(frameworks, library, seed=seed)
    for error in errors:
        typer.echo(f"  {error}")
    whole = sum(one.edges == 1 for one in found)
    typer.echo(f"{whole} of {len(frameworks)} frameworks are found again with all their edges")
    if found:
        gaps = np.array([one.gap for one in found])
        typer.echo(f"mean gap {gaps.mean():.3f} A (known: {np.mean([one.known_gap for one in found]):.3f} A), largest "
                   f"mean {gaps.max():.3f} A; {seconds:.2f} s each")  # fmt: skip


def _tell_funnel(folder: Path) -> None:
    from helio.frameworks.campaign.outcome import funnel
    from helio.frameworks.campaign.record import Record

    with Record(folder / "record.sqlite") as record:
        for step in funnel(record):
            why = ", ".join(f"{reason} {number}" for reason, number in step.reasons[:5])
            typer.echo(f"{step.name:>10}: {step.count}{f'  ({why})' if why else ''}")
