"""Stores of reference chains, simulated straight into the file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
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
from helio.coarse.store_writer import StoreWriter, store_writer
from helio.errors import HelioError

Report = Callable[[int, int], None]  # of frames: done, of all
Engine = Literal["helio", "lammps"]


@dataclass(frozen=True)
class StoreOptions:
    """How any of these stores is written."""

    beads_per_group: float  # about
    validation: float  # systems that validate: a number, or a share of all below 1
    test: float  # systems that test, likewise
    seed: int  # of all random numbers
    keep_fine: bool = False  # the positions of all beads, too
    overwrite: bool = False

    def parts(self, names: Sequence[str]) -> dict[str, str]:
        """The part of each system, drawn at random."""
        return split_systems(list(names), validation=self.validation, test=self.test, seed=self.seed)

    def writer(self, out: Path, *, type_names: tuple[str, ...], origin: str) -> AbstractContextManager[StoreWriter]:
        """Of the store `out`, in units of the chains."""
        return store_writer(
            out,
            type_names=type_names,
            length_unit="sigma",
            time_unit="tau",
            beads_per_group=self.beads_per_group,
            seed=self.seed,
            keep_fine=self.keep_fine,
            origin=origin,
            overwrite=self.overwrite,
        )


def write_rouse(
    out: Path,
    count: int,
    *,
    beads: tuple[int, int],
    frames: int,
    interval: float,
    options: StoreOptions,
    report: Report = lambda done, of: None,
) -> None:
    """A store of `count` Rouse chains (`rouse_chains`), split at random.

    Raises:
        HelioError: the numbers cannot be, or the store cannot be written.
    """
    chains = rouse_chains(count, beads=beads, frames=frames, interval=interval, seed=options.seed)
    parts = options.parts([chain.name for chain in chains])
    origin = f"Rouse chains, bond 1, friction 1, kT 1, seed {options.seed}"
    with options.writer(out, type_names=("R",), origin=origin) as writer:
        for number, chain in enumerate(chains):
            writer.add(chain, parts[chain.name])
            report((number + 1) * frames, count * frames)


def write_copolymers(
    out: Path,
    count: int,
    *,
    settings: CopolymerSettings,
    options: StoreOptions,
    test_frames: int | None = None,
    engine: Engine = "helio",
    report: Report = lambda done, of: None,
) -> None:
    """A store of `count` copolymers of class I, to train and validate, and as many of class II as test.

    Class I is simulated in one batch, class II in another, which may go on for longer: `test_frames`, or as many frames
    as the settings say. With the engine `lammps` chains move one after another, by LAMMPS.

    Raises:
        HelioError: settings that cannot be, a time step that is too long, LAMMPS that is missing or fails, or a store
            that cannot be written.
    """
    if not float(options.test).is_integer():
        raise HelioError(f"chains of the test are made for it: give their number, not the share {options.test:g}")
    seed = options.seed
    systems = copolymers(count, int(options.test), settings, seed=seed)
    first, second = list(systems)[:count], list(systems)[count:]
    parts = dict.fromkeys(systems, "test") | replace(options, test=0).parts(first)
    origin = f"copolymers in implicit solvent, seed {seed}, {settings}"
    with options.writer(out, type_names=TYPES, origin=origin) as writer:
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
    settings: ElectrolyteSettings,
    options: StoreOptions,
    test_frames: int | None = None,
    processes: int = 1,
    report: Report = lambda done, of: None,
) -> None:
    """A store of `count` salts in polymers (`electrolytes`), split at random; LAMMPS runs `processes` at a time.

    Systems of the test have `test_frames`, or as many as the settings say.

    Raises:
        HelioError: settings that cannot be, LAMMPS that is missing or fails, or a store that cannot be written.
    """
    seed = options.seed
    systems = electrolytes(count, settings, seed=seed)
    parts = options.parts(list(systems))
    origin = f"salts in polymers, seed {seed}, {settings}"
    longer = replace(settings, frames=settings.frames if test_frames is None else test_frames)
    each = {name: longer if parts[name] == "test" else settings for name in systems}
    every = sum(one.frames for one in each.values())
    with options.writer(out, type_names=ELECTROLYTE_TYPES, origin=origin) as writer:
        done = 0
        for name, trajectory in simulate_electrolytes(systems, each, seed=seed, processes=processes):
            done += writer.add(trajectory, parts[name])
            report(done, every)
