"""The copolymers of `copolymers` simulated by LAMMPS: the same potential, with Langevin forces on velocity Verlet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from helio.coarse.reference.bead_spring import BOND_LENGTH, BOND_STIFFNESS, CUTOFF
from helio.coarse.reference.copolymers import EPSILON, TYPES, CopolymerSettings, grown
from helio.coarse.reference.lammps import DATA, DUMP, DUMP_COMMANDS, SCRIPT, read_frames, run_lammps, write_data
from helio.coarse.system import FineSystem
from helio.coarse.trajectory import Block
from helio.files.atomic import write_text

# Edges of the cells that neighbours are looked for in, sigma: the box of a single chain is large and nearly empty.
_CELL = 8.0
_SKIN = 0.5
_PUSHING = 5000  # steps with limited moves, in which a start structure loses its overlaps

_SCRIPT = """units lj
atom_style bond
boundary s s s
neighbor {skin} bin
neigh_modify delay 0 every 5 check yes binsize {cell}
special_bonds lj 0 1 1
bond_style harmonic
pair_style lj/cut {cutoff}
pair_modify shift yes
read_data {data}
bond_coeff 1 {stiffness} {length}
{pairs}
velocity all create {temperature} {seed} dist gaussian
fix thermostat all langevin {temperature} {temperature} {damping} {seed}
fix move all nve/limit 0.05
timestep 0.005
run {pushing}
unfix move
fix move all nve
timestep {timestep}
thermo {thermo}
run {waiting}
reset_timestep 0
{dump}run {steps}
"""


def simulate_with_lammps(
    systems: dict[str, FineSystem], settings: CopolymerSettings, *, seed: int
) -> Iterator[dict[str, Block]]:
    """All frames of one chain after another, the first of each after the equilibration.

    Raises:
        HelioError: LAMMPS is missing or fails.
    """
    seeds = np.random.SeedSequence(seed).generate_state(len(systems))
    for (name, system), own in zip(systems.items(), seeds, strict=True):
        with TemporaryDirectory() as folder:
            yield {name: Block(run_chain(system, settings, folder, seed=int(own)))}


def run_chain(system: FineSystem, settings: CopolymerSettings, folder: str | Path, *, seed: int) -> np.ndarray:
    """Positions (T, N, 3) of one chain, simulated in `folder`, where all files stay.

    Raises:
        HelioError: LAMMPS is missing or fails.
    """
    folder = Path(folder)
    positions = grown(system, np.random.default_rng(seed))
    positions -= positions.mean(axis=0)
    edges = 2 * np.abs(positions).max(axis=0) + 10
    write_data(folder / DATA, system, positions, edges, types=len(TYPES))
    write_text(folder / SCRIPT, script(settings, seed=seed))
    run_lammps(folder)
    blocks = [block.positions for block in read_frames(folder / DUMP, len(system))]
    # A dump begins with where the chain is at first; its first frame here is an interval later, as in Helio's engine.
    return np.concatenate(blocks)[1 : settings.frames + 1]


def script(settings: CopolymerSettings, *, seed: int) -> str:
    """What LAMMPS is told."""
    every = round(settings.interval / settings.timestep)
    table = np.sqrt(np.outer(EPSILON, EPSILON))
    kinds = range(len(TYPES))
    pairs = [f"pair_coeff {i + 1} {j + 1} {table[i, j]:.9g} 1.0" for i in kinds for j in kinds if j >= i]
    return _SCRIPT.format(
        skin=_SKIN,
        cell=_CELL,
        cutoff=CUTOFF,
        data=DATA,
        stiffness=BOND_STIFFNESS / 2,  # LAMMPS leaves the half out
        length=BOND_LENGTH,
        pairs="\n".join(pairs),
        temperature=settings.temperature,
        damping=1 / settings.friction,
        seed=seed % 900_000_000 + 1,
        pushing=_PUSHING,
        timestep=settings.timestep,
        thermo=1_000_000,
        waiting=round(settings.equilibration / settings.timestep),
        dump=DUMP_COMMANDS.format(every=every),
        steps=every * settings.frames,
    )
