"""`helio coarse`: data for coarse-grained simulation with very large time steps."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from helio.cli.coarse_evaluate import EPILOG as EVALUATE_EPILOG
from helio.cli.coarse_evaluate import evaluate
from helio.cli.coarse_simulate import EPILOG as SIMULATE_EPILOG
from helio.cli.coarse_simulate import simulate
from helio.cli.coarse_train import EPILOG as TRAIN_EPILOG
from helio.cli.coarse_train import train
from helio.cli.lines import counting_bar
from helio.cli.paths import check_inputs
from helio.errors import HelioError, counted

app = typer.Typer(
    no_args_is_help=True, help="Coarse-grained simulation with very large time steps: data, models, roll-outs, scores."
)
reference = typer.Typer(no_args_is_help=True, help="Simulate reference chains into a store.")
app.add_typer(reference, name="reference")
app.command(epilog=TRAIN_EPILOG)(train)
app.command(epilog=SIMULATE_EPILOG)(simulate)
app.command(epilog=EVALUATE_EPILOG)(evaluate)

_Out = Annotated[Path, typer.Option("--out", "-o", help="Store to write (.h5).")]
_Seed = Annotated[int, typer.Option(min=0, help="Of all random numbers; the same seed gives the same store.")]
_Validation = Annotated[float, typer.Option(min=0, help="How many systems validate, or a share of all if below 1.")]
_Test = Annotated[float, typer.Option(min=0, help="How many systems test, or a share of all if below 1.")]
_PerGroup = Annotated[float, typer.Option(min=1, help="Beads per group, about.")]
_KeepFine = Annotated[bool, typer.Option("--keep-fine", help="Keep the positions of all beads, too.")]
_Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the store if it exists.")]


class _Engine(StrEnum):
    HELIO = "helio"
    LAMMPS = "lammps"


class _Unwrap(StrEnum):
    FLAGS = "flags"
    CONTINUITY = "continuity"


@app.command(
    epilog="Examples: helio coarse prepare runs/ store.h5 --beads-per-group 7; "
    "helio coarse prepare chains/ store.h5 --interval 5 --beads-per-group 100"
)
def prepare(
    paths: Annotated[
        list[Path], typer.Argument(metavar="FOLDER... STORE", help="Folders of trajectories, or of such; the store.")
    ],
    beads_per_group: _PerGroup,
    interval: Annotated[
        float | None, typer.Option(help="Time between frames; runs of Helio tell.", show_default=False)
    ] = None,
    length_unit: Annotated[str, typer.Option(help="Of LAMMPS dumps.")] = "sigma",
    time_unit: Annotated[str, typer.Option(help="Of --interval, for LAMMPS dumps.")] = "tau",
    unwrap: Annotated[
        _Unwrap, typer.Option(help="Out of a periodic box by image flags, or by the shortest way between frames.")
    ] = _Unwrap.FLAGS,
    validation: _Validation = 0.1,
    test: _Test = 0.1,
    history: Annotated[int, typer.Option(min=1, help="Refuse trajectories too short for so long a history.")] = 30,
    seed: _Seed = 0,
    keep_fine: _KeepFine = False,
    overwrite: _Overwrite = False,
) -> None:
    """Read trajectories of Helio, LAMMPS or the published data into one store, with groups of beads."""
    check_inputs(paths[:-1], "folder")
    if len(paths) < 2:
        raise HelioError("give at least one folder to read, and the store to write")
    from helio.coarse.prepare import Sources, find_sources
    from helio.coarse.prepare import prepare as write

    out = paths[-1]
    write(
        find_sources(paths[:-1]),
        out,
        Sources(interval=interval, length_unit=length_unit, time_unit=time_unit, unwrap=unwrap.value),
        beads_per_group=beads_per_group,
        validation=validation,
        test=test,
        seed=seed,
        keep_fine=keep_fine,
        least_frames=history + 1,
        overwrite=overwrite,
        report=lambda name, frames: typer.echo(f"  {name}: {counted(frames, 'frame')}"),
    )
    _tell(out)


@app.command(epilog="Example: helio coarse join monday.h5 tuesday.h5 all.h5")
def join(
    stores: Annotated[list[Path], typer.Argument(metavar="STORE... STORE", help="Stores to join; the store to write.")],
    overwrite: _Overwrite = False,
) -> None:
    """Make one store of several, with all systems in the parts that they are in."""
    check_inputs(stores[:-1], "store")
    if len(stores) < 3:
        raise HelioError("give two stores to join, and the store to write")
    from helio.coarse.joining import join_stores

    join_stores(stores[:-1], stores[-1], overwrite=overwrite)
    _tell(stores[-1])


@reference.command(epilog="Example: helio coarse reference rouse --count 20 --seed 1 --out rouse.h5")
def rouse(
    out: _Out,
    count: Annotated[int, typer.Option(min=1, help="Number of chains.")] = 20,
    beads: Annotated[tuple[int, int], typer.Option(help="Beads of the shortest and of the longest chain.")] = (32, 64),
    frames: Annotated[int, typer.Option(min=2, help="Of each chain.")] = 2000,
    interval: Annotated[float, typer.Option(help="Time between frames, tau.")] = 5.0,
    beads_per_group: _PerGroup = 8,
    validation: _Validation = 0.1,
    test: _Test = 0.1,
    seed: _Seed = 0,
    keep_fine: _KeepFine = False,
    overwrite: _Overwrite = False,
) -> None:
    """Rouse chains, whose diffusion and relaxation are known in closed form."""
    from helio.coarse.reference.data_sets import StoreOptions, write_rouse

    options = StoreOptions(beads_per_group, validation, test, seed, keep_fine, overwrite)
    with counting_bar("frames") as report:
        write_rouse(out, count, beads=beads, frames=frames, interval=interval, options=options, report=report)
    _tell(out)


@reference.command(epilog="Example: helio coarse reference copolymers --count 40 --test 10 --seed 1 --out chains.h5")
def copolymers(
    out: _Out,
    count: Annotated[int, typer.Option(help="Chains of class I, to train and validate.")] = 45,
    test: Annotated[int, typer.Option(help="Chains of class II, to test.")] = 10,
    validation: _Validation = 5,
    units: Annotated[int, typer.Option(help="Of each chain: a backbone bead, with or without a side bead.")] = 200,
    frames: Annotated[int, typer.Option(help="Of each chain.")] = 2000,
    test_frames: Annotated[
        int | None, typer.Option(min=2, help="Of each chain of the test; otherwise as many.", show_default=False)
    ] = None,
    interval: Annotated[float, typer.Option(help="Time between frames, tau.")] = 5.0,
    equilibration: Annotated[float, typer.Option(help="Time before the first frame, tau.")] = 500.0,
    timestep: Annotated[float, typer.Option(help="In tau.")] = 0.01,
    engine: Annotated[
        _Engine, typer.Option(help="What simulates: Helio, all chains at once; or LAMMPS, faster for long chains.")
    ] = _Engine.HELIO,
    beads_per_group: _PerGroup = 40,
    seed: _Seed = 0,
    keep_fine: _KeepFine = False,
    overwrite: _Overwrite = False,
) -> None:
    """Copolymers of four types in implicit solvent; the test chains' sequences are built in other ways."""
    from helio.cli.compiled import keep_compiled_programs

    keep_compiled_programs()
    from helio.coarse.reference.copolymers import CopolymerSettings
    from helio.coarse.reference.data_sets import StoreOptions, write_copolymers

    options = StoreOptions(beads_per_group, validation, test, seed, keep_fine, overwrite)
    settings = CopolymerSettings(
        units=units, frames=frames, interval=interval, equilibration=equilibration, timestep=timestep
    )
    with counting_bar("frames") as report:
        write_copolymers(
            out,
            count,
            settings=settings,
            options=options,
            test_frames=test_frames,
            engine=engine.value,
            report=report,
        )
    _tell(out)


@reference.command(epilog="Example: helio coarse reference electrolytes --count 20 --test 5 --seed 1 --out salts.h5")
def electrolytes(
    out: _Out,
    count: Annotated[int, typer.Option(help="Number of compositions.")] = 20,
    frames: Annotated[int, typer.Option(help="Of each system.")] = 1000,
    test_frames: Annotated[
        int | None, typer.Option(min=1, help="Of each system of the test; by default as the others.")
    ] = None,
    interval: Annotated[float, typer.Option(help="Time between frames, tau.")] = 2.0,
    equilibration: Annotated[float, typer.Option(help="Time before the first frame, tau.")] = 300.0,
    timestep: Annotated[float, typer.Option(help="In tau.")] = 0.01,
    beads: Annotated[int, typer.Option(help="Of polymer, about.")] = 480,
    ions: Annotated[int, typer.Option(help="Of each sign.")] = 30,
    processes: Annotated[int, typer.Option(min=1, help="Systems that LAMMPS simulates at a time, one core each.")] = 1,
    beads_per_group: _PerGroup = 5,
    validation: _Validation = 0.1,
    test: _Test = 0.2,
    seed: _Seed = 0,
    overwrite: _Overwrite = False,
) -> None:
    """Salts in polymers of many compositions, a surrogate of solid electrolytes; simulated by LAMMPS."""
    from helio.coarse.reference.data_sets import StoreOptions, write_electrolytes
    from helio.coarse.reference.electrolyte import ElectrolyteSettings

    options = StoreOptions(beads_per_group, validation, test, seed, overwrite=overwrite)
    settings = ElectrolyteSettings(
        beads=beads, ions=ions, frames=frames, interval=interval, equilibration=equilibration, timestep=timestep
    )
    with counting_bar("frames") as report:
        write_electrolytes(
            out, count, settings=settings, options=options, test_frames=test_frames, processes=processes, report=report
        )
    _tell(out)


def _tell(path: Path) -> None:
    """What the store holds, in a line for each part."""
    from helio.coarse.split import PARTS
    from helio.coarse.store import Store

    with Store(path) as store:
        typer.echo(f"{path}: {counted(len(store), 'system')}, types {', '.join(store.type_names)}")
        for part in PARTS:
            names = store.part(part)
            groups = sum(len(store.groups(name)) for name in names)
            frames = sum(store.frames(name) for name in names)
            typer.echo(
                f"  {part}: {counted(len(names), 'system')}, {counted(groups, 'group')}, {counted(frames, 'frame')}"
            )
