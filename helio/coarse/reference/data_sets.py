"""Stores of reference chains, simulated straight into the file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from helio.coarse.reference.copolymers import TYPES, CopolymerSettings, copolymers, simulate, trajectory_of
from helio.coarse.reference.copolymers_lammps import simulate_with_lammps
from helio.coarse.reference.electrolyte import TYPES as ELECTROLYTE_TYPES
from helio.coarse.reference.electrolyte import ElectrolyteSettings, electrolytes
from helio.coarse.reference.electrolyte import simulate as simulate_electrolytes
from helio.coarse.reference.rouse import rouse_chains
from helio.coarse.split import split_systems
from helio.coarse.store_writer import store_writer

Report = Callable[[int, int], None]  # of frames: done, of all
Engine = Literal["helio", "lammps"]

_store = partial(store_writer, length_unit="sigma", time_unit="tau")


def write_rouse(
    out: Path,
    count: int,
    *,
    beads: tuple[int, int],
    frames: int,
    interval: float,
    beads_per_group: float,
    validation: float,
    test: float,
    seed: int,
    keep_fine: bool = False,
    overwrite: bool = False,
    report: Report = lambda done, of: None,
) -> None:
    """A store of `count` Rouse chains (`rouse_chains`), split at random.

    Raises:
        HelioError: the numbers cannot be, or the store cannot be written.
    """
    chains = rouse_chains(count, beads=beads, frames=frames, interval=interval, seed=seed)
    parts = split_systems([chain.name for chain in chains], validation=validation, test=test, seed=seed)
    with _store(
        out,
        type_names=("R",),
        beads_per_group=beads_per_group,
        seed=seed,
        keep_fine=keep_fine,
        origin=f"Rouse chains, bond 1, friction 1, kT 1, seed {seed}",
        overwrite=overwrite,
    ) as writer:
        for number, chain in enumerate(chains):
            writer.add(chain, parts[chain.name])
            report((number + 1) * frames, count * frames)


def write_copolymers(
    out: Path,
    count: int,
    *,
    test: int,
    validation: float,
    settings: CopolymerSettings,
    beads_per_group: float,
    seed: int,
    test_frames: int | None = None,
    engine: Engine = "helio",
    keep_fine: bool = False,
    overwrite: bool = False,
    report: Report = lambda done, of: None,
) -> None:
    """A store of `count` copolymers of class I, to train and validate, and `test` of class II.

    Class I is simulated in one batch, class II in another, which may go on for longer: `test_frames`, or as many frames
    as the settings say. With the engine `lammps` chains move one after another, by LAMMPS.

    Raises:
        HelioError: settings that cannot be, a time step that is too long, LAMMPS that is missing or fails, or a store
            that cannot be written.
    """
    systems = copolymers(count, test, settings, seed=seed)
    first, second = list(systems)[:count], list(systems)[count:]
    parts = dict.fromkeys(systems, "test") | split_systems(first, validation=validation, test=0, seed=seed)
    with _store(
        out,
        type_names=TYPES,
        beads_per_group=beads_per_group,
        seed=seed,
        keep_fine=keep_fine,
        origin=f"copolymers in implicit solvent, seed {seed}, {settings}",
        overwrite=overwrite,
    ) as writer:
        open_systems = {
            name: writer.begin(trajectory_of(name, system, settings), parts[name]) for name, system in systems.items()
        }
        longer = replace(settings, frames=settings.frames if test_frames is None else test_frames)
        batches = [(first, settings), (second, longer)] if second else [(first, settings)]
        done, every = 0, sum(batch.frames * len(names) for names, batch in batches)
        seeds = (seed, int(np.random.SeedSequence(seed).generate_state(1)[0] // 2))
        move = simulate if engine == "helio" else simulate_with_lammps
        for (names, batch), own in zip(batches, seeds, strict=False):
            for blocks in move({name: systems[name] for name in names}, batch, seed=own):
                for name, block in blocks.items():
                    open_systems[name].append(block)
                    done += len(block.positions)
                report(done, every)


def write_electrolytes(
    out: Path,
    count: int,
    *,
    test: float,
    validation: float,
    settings: ElectrolyteSettings,
    beads_per_group: float,
    seed: int,
    processes: int = 1,
    overwrite: bool = False,
    report: Report = lambda done, of: None,
) -> None:
    """A store of `count` salts in polymers (`electrolytes`), split at random; LAMMPS runs `processes` at a time.

    Raises:
        HelioError: settings that cannot be, LAMMPS that is missing or fails, or a store that cannot be written.
    """
    systems = electrolytes(count, settings, seed=seed)
    parts = split_systems(list(systems), validation=validation, test=test, seed=seed)
    with _store(
        out,
        type_names=ELECTROLYTE_TYPES,
        beads_per_group=beads_per_group,
        seed=seed,
        origin=f"salts in polymers, seed {seed}, {settings}",
        overwrite=overwrite,
    ) as writer:
        done = 0
        for name, trajectory in simulate_electrolytes(systems, settings, seed=seed, processes=processes):
            done += writer.add(trajectory, parts[name])
            report(done, settings.frames * count)
