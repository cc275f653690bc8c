"""A surrogate of a salt in a polymer: a Kremer-Grest melt some of whose beads attract cations, with ions of both signs.

All pairs repel as U = 4 (r^-12 - r^-6) + 1 for r < 2^(1/6) (Weeks, Chandler, Andersen); polar beads P1 to P4 and
cations Li+ have the whole Lennard-Jones potential instead, 1 to 4 epsilon deep, to 2.5 sigma. Bonds are FENE (Kremer
and Grest, J. Chem. Phys. 92, 5057 (1990)). Ions have the Bjerrum length `bjerrum`, their Coulomb potential being
damped and shifted to end at 4 sigma (Fennell and Gezelter, J. Chem. Phys. 124, 234104 (2006)). It moves by Langevin
dynamics at kT = 1.

A surrogate it is: its numbers are to be compared with each other, not with those of any real electrolyte. LAMMPS
simulates it, one system in one process.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from helio.coarse.reference.lammps import DATA, DUMP, DUMP_COMMANDS, SCRIPT, read_frames, run_lammps, write_data
from helio.coarse.system import FineSystem, fine_system
from helio.coarse.trajectory import Block, FineTrajectory
from helio.errors import HelioError
from helio.files.atomic import write_text

# What the types of polar beads attract cations with, epsilon: the chemistry of a chain is told by its types alone.
ATTRACTIONS = {"P1": 1.0, "P2": 2.0, "P3": 3.0, "P4": 4.0}
TYPES = ("A", *ATTRACTIONS, "Li+", "X-")
_CATION, _ANION = TYPES.index("Li+"), TYPES.index("X-")
DENSITY = 0.85  # beads per sigma^3, as Kremer and Grest
_SPACINGS, _LENGTHS = (2, 3, 4, 5, 6), (8, 24)
_CUTOFF, _DAMPING = 4.0, 0.4  # of the Coulomb potential, sigma and 1 / sigma

_SCRIPT = """units lj
atom_style full
boundary p p p
neighbor 0.6 multi
comm_modify mode multi
neigh_modify delay 0 every 2 check yes
special_bonds fene
bond_style fene
pair_style hybrid/overlay lj/cut {cutoff} coul/dsf {damping} {cutoff}
pair_modify shift yes
read_data {data}
bond_coeff 1 30.0 1.5 1.0 1.0
pair_coeff * * lj/cut 1.0 1.0 1.122462048309373
{attractions}
pair_coeff {cation}*{anion} {cation}*{anion} coul/dsf
velocity all create 1.0 {seed} dist gaussian
fix thermostat all langevin 1.0 1.0 {inverse_friction} {seed}
fix move all nve/limit 0.02
timestep 0.002
run 2000
unfix move
fix move all nve/limit 0.1
timestep 0.005
run 4000
unfix move
fix move all nve
timestep {timestep}
thermo 1000000
run {waiting}
reset_timestep 0
{dump}run {steps}
"""


@dataclass(frozen=True)
class ElectrolyteSettings:
    """How systems are made and simulated; reduced units."""

    beads: int = 480  # of polymer, about
    ions: int = 30  # of each sign
    frames: int = 1000
    interval: float = 2.0  # tau between frames
    equilibration: float = 300.0  # tau
    timestep: float = 0.01
    friction: float = 0.5  # 1 / tau
    bjerrum: float = 3.0  # sigma


@dataclass(frozen=True)
class Electrolyte:
    """One composition."""

    system: FineSystem
    length: int  # beads of a chain
    spacing: int  # every so-manieth bead of a chain is polar
    polar: tuple[str, ...]  # types of polar beads, in turn along the chain


def electrolytes(count: int, settings: ElectrolyteSettings, *, seed: int) -> dict[str, Electrolyte]:
    """`count` compositions by name, drawn at random: chain length, spacing of polar beads, and two types of these.

    Raises:
        HelioError: settings that cannot be.
    """
    _check(count, settings)
    random = np.random.default_rng(seed)
    found = {}
    for number in range(count):
        length = int(random.integers(_LENGTHS[0], _LENGTHS[1] + 1))
        spacing, polar = int(random.choice(_SPACINGS)), random.choice(list(ATTRACTIONS), 2)
        found[f"electrolyte-{number:04d}"] = electrolyte(settings, length, spacing, tuple(map(str, polar)))
    return found


def electrolyte(settings: ElectrolyteSettings, length: int, spacing: int, polar: tuple[str, ...]) -> Electrolyte:
    """Chains of `length` beads, of which every `spacing`th is polar, of the types in turn, then ions."""
    chains = max(1, round(settings.beads / length))
    places = np.arange(length)
    kinds = np.array([TYPES.index(name) for name in polar])
    chain = np.where(places % spacing == spacing // 2, kinds[places // spacing % len(kinds)], 0)
    types = np.concatenate([np.tile(chain, chains), np.full(settings.ions, _CATION), np.full(settings.ions, _ANION)])
    first = np.arange(chains)[:, None] * length + places[:-1]
    bonds = np.column_stack([first.ravel(), first.ravel() + 1])
    edge = (len(types) / DENSITY) ** (1 / 3)
    box = np.full(3, edge)
    return Electrolyte(fine_system(types, np.ones(len(types)), bonds, box=box), length, spacing, polar)


def simulate(
    systems: Mapping[str, Electrolyte], settings: Mapping[str, ElectrolyteSettings], *, seed: int, processes: int = 1
) -> Iterator[tuple[str, FineTrajectory]]:
    """Each system with its trajectory, in their order; `processes` run at a time, each with its system's settings.

    Raises:
        HelioError: LAMMPS is missing or fails.
    """
    seeds = np.random.SeedSequence(seed).generate_state(len(systems))

    def run(name: str, own: int) -> FineTrajectory:
        with TemporaryDirectory() as folder:
            positions = _run(systems[name], settings[name], Path(folder), seed=own)
        blocks, interval = [Block(positions)], settings[name].interval
        return FineTrajectory(name, systems[name].system, TYPES, lambda: iter(blocks), interval, "sigma", "tau")

    with ThreadPoolExecutor(processes) as pool:
        waiting = [pool.submit(run, name, int(own)) for name, own in zip(systems, seeds, strict=True)]
        try:
            for name, one in zip(systems, waiting, strict=True):
                yield name, one.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _run(electrolyte: Electrolyte, settings: ElectrolyteSettings, folder: Path, *, seed: int) -> np.ndarray:
    """Positions (T, N, 3), unwrapped."""
    system = electrolyte.system
    assert system.box is not None
    random = np.random.default_rng(seed)
    charge = settings.bjerrum**0.5  # of an ion: q^2 / r is l_B kT / r
    charges = np.select([system.types == _CATION, system.types == _ANION], [charge, -charge], 0.0)
    placed = _placed(electrolyte, random)
    write_data(folder / DATA, system, placed, system.box, types=len(TYPES), charges=charges)
    every = round(settings.interval / settings.timestep)
    text = _SCRIPT.format(
        data=DATA,
        cutoff=_CUTOFF,
        damping=_DAMPING,
        attractions="\n".join(_attractions()),
        cation=_CATION + 1,
        anion=_ANION + 1,
        inverse_friction=1 / settings.friction,
        seed=seed % 900_000_000 + 1,
        timestep=settings.timestep,
        waiting=round(settings.equilibration / settings.timestep),
        dump=DUMP_COMMANDS.format(every=every),
        steps=every * settings.frames,
    )
    write_text(folder / SCRIPT, text)
    run_lammps(folder)
    blocks = [block.positions for block in read_frames(folder / DUMP, len(system))]
    return np.concatenate(blocks)[1 : settings.frames + 1]


def _attractions() -> Iterator[str]:
    """LAMMPS' commands for pairs of polar beads and cations; its types count from one."""
    for name, depth in ATTRACTIONS.items():
        yield f"pair_coeff {TYPES.index(name) + 1} {_CATION + 1} lj/cut {depth} 1.0 2.5"


def _placed(electrolyte: Electrolyte, random: np.random.Generator) -> np.ndarray:
    """Chains along a path through the sites of a lattice that fills the box, and ions on the sites that are left.

    The path goes to and fro, so neighbours on it are neighbours in space; where a chain ends the next begins.
    """
    system = electrolyte.system
    assert system.box is not None
    count = int(np.ceil(len(system) ** (1 / 3)))
    x, y, z = np.indices((count,) * 3)
    y = np.where(x % 2 == 0, y, count - 1 - y)
    z = np.where((x * count + np.indices((count,) * 3)[1]) % 2 == 0, z, count - 1 - z)
    sites = (np.stack([x, y, z], axis=-1).reshape(-1, 3) + 0.5) * system.box / count - system.box / 2
    ions = np.flatnonzero(system.types >= _CATION)
    # Ions take sites between chains, so that they are spread over the box.
    chains, length = (len(system) - len(ions)) // electrolyte.length, electrolyte.length
    after = np.sort(random.integers(0, chains + 1, len(ions)))
    begins = np.arange(chains) * length + np.searchsorted(after, np.arange(chains), side="right")
    taken = (begins[:, None] + np.arange(length)).ravel()
    free = np.setdiff1d(np.arange(len(sites)), taken)
    own = random.permutation(free[: len(ions)] if len(free) == len(ions) else random.choice(free, len(ions), False))
    return sites[np.concatenate([taken, own])]


def _check(count: int, settings: ElectrolyteSettings) -> None:
    if count < 1 or settings.ions < 1 or settings.beads < _LENGTHS[1]:
        raise HelioError(
            f"electrolytes need at least one system, one ion of each sign and {_LENGTHS[1]} beads of polymer, not "
            f"{count}, {settings.ions} and {settings.beads}"
        )
    edge = ((settings.beads + 2 * settings.ions) / DENSITY) ** (1 / 3)
    if edge < 2 * _CUTOFF:
        raise HelioError(
            f"{settings.beads + 2 * settings.ions} beads make a box of {edge:.1f} sigma; it must be twice the range of "
            f"the Coulomb potential, {2 * _CUTOFF:g} sigma: take {int(np.ceil(DENSITY * 8 * _CUTOFF**3))} or more"
        )
    steps = settings.interval / settings.timestep if settings.timestep > 0 else 0
    if round(steps) < 1 or abs(steps - round(steps)) > 1e-6 * steps:
        raise HelioError(
            f"the time between frames ({settings.interval:g} tau) must be a multiple of the time step "
            f"({settings.timestep:g} tau)"
        )
    if min(settings.frames, settings.friction, settings.bjerrum) <= 0 or settings.equilibration < 0:
        raise HelioError("frames, friction and Bjerrum length must be above zero, the equilibration not below")
