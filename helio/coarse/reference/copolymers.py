"""Four-type copolymers in implicit solvent, whose sequences for the test are built otherwise than those for training.

A chain is a row of units: a backbone bead, of type B1 or B2, and on it a side bead, S1 or S2, or none. After Webb,
Jackson, Gil and de Pablo, Sci. Adv. 6, eabc6216 (2020), not with their parameters. Class I (train, validation) repeats
ten units that are drawn at random. Class II (test) is, in turn, random throughout, in two to six blocks of one unit
each, or a gradient from one unit to another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from helio.coarse.reference.bead_spring import BOND_LENGTH, advance, make_chains, push_apart, start
from helio.coarse.system import FineSystem, fine_system
from helio.coarse.trajectory import Block, FineTrajectory
from helio.errors import HelioError

TYPES = ("B1", "B2", "S1", "S2")
# Each type with itself, epsilon; other pairs have the geometric mean. A homopolymer collapses at about 0.33 (theta
# temperature of Lennard-Jones chains near 3 epsilon / k), so these lie on both sides.
EPSILON = np.array([0.2, 0.5, 0.3, 0.8])
_UNITS = tuple(product((0, 1), (None, 2, 3)))  # backbone and side
_REPEAT = 10
_BLOCK = 20  # frames computed before they are handed out


@dataclass(frozen=True)
class CopolymerSettings:
    """How chains are made and simulated; reduced units."""

    units: int = 200  # of each chain
    frames: int = 2000
    interval: float = 5.0  # tau between frames
    equilibration: float = 500.0  # tau before the first
    timestep: float = 0.01
    temperature: float = 1.0
    friction: float = 1.0  # 1 / tau


def class_one(units: int, random: np.random.Generator) -> np.ndarray:
    """Numbers of units (n,): ten drawn at random, repeated."""
    return np.resize(random.integers(0, len(_UNITS), _REPEAT), units)


def class_two(units: int, random: np.random.Generator, kind: int) -> np.ndarray:
    """Numbers of units (n,): random for kind 0, blocks for 1, a gradient for 2, and so on in turn."""
    kind %= 3
    if kind == 0:
        return random.integers(0, len(_UNITS), units)
    if kind == 1:
        blocks = random.integers(2, 7)
        ends = np.sort(random.choice(np.arange(1, units), blocks - 1, replace=False))
        return random.integers(0, len(_UNITS), blocks)[np.searchsorted(ends, np.arange(units), side="right")]
    first, last = random.choice(len(_UNITS), 2, replace=False)
    return np.where(random.random(units) < (np.arange(units) + 0.5) / units, last, first)


def copolymer(sequence: np.ndarray) -> FineSystem:
    """The chain of these units: backbone beads first, then side beads in their order."""
    units = len(sequence)
    sides = [(unit, _UNITS[number][1]) for unit, number in enumerate(sequence)]
    sides = [(unit, side) for unit, side in sides if side is not None]
    types = [_UNITS[number][0] for number in sequence] + [side for _, side in sides]
    bonds = [(i, i + 1) for i in range(units - 1)] + [(unit, units + i) for i, (unit, _) in enumerate(sides)]
    return fine_system(types, np.ones(len(types)), bonds)


def copolymers(count: int, test: int, settings: CopolymerSettings, *, seed: int) -> dict[str, FineSystem]:
    """`count` chains of class I and `test` of class II, by name; the same for the same seed.

    Raises:
        HelioError: settings that cannot be.
    """
    _check(count, test, settings)
    random = np.random.default_rng(seed)
    first = {f"class-1-{i:04d}": copolymer(class_one(settings.units, random)) for i in range(count)}
    return first | {f"class-2-{i:04d}": copolymer(class_two(settings.units, random, i)) for i in range(test)}


def simulate(systems: dict[str, FineSystem], settings: CopolymerSettings, *, seed: int) -> Iterator[dict[str, Block]]:
    """All chains in one batch: the next frames of each, again and again, the first after the equilibration.

    Raises:
        HelioError: a chain came apart, so the time step is too long.
    """
    table = np.sqrt(np.outer(EPSILON, EPSILON))
    names, made = list(systems), list(systems.values())
    chains = make_chains([s.types for s in made], [s.bonds for s in made], table, dtype="float32")
    size = chains.real.shape[1]
    random = np.random.default_rng(seed)
    placed = np.stack([np.resize(grown(system, random), (size, 3)) for system in made]).astype(np.float32)
    pushed = push_apart(chains, placed, steps=2000)  # pyright: ignore[reportArgumentType]
    motion = start(chains, np.asarray(pushed), temperature=settings.temperature, seed=seed)
    steps = round(settings.interval / settings.timestep)
    waiting = int(np.ceil(settings.equilibration / settings.interval))
    done = -waiting
    while done < settings.frames:
        motion, positions = advance(
            chains,
            motion,
            frames=_BLOCK,
            steps=steps,
            timestep=settings.timestep,
            temperature=settings.temperature,
            friction=settings.friction,
        )
        found = np.asarray(positions, np.float64)
        _check_whole(found, names, made, settings)
        kept = found[max(0, -done) : settings.frames - done]
        done += _BLOCK
        if len(kept):
            yield {name: Block(kept[:, i, : len(systems[name])]) for i, name in enumerate(names)}


def trajectory_of(name: str, system: FineSystem, settings: CopolymerSettings) -> FineTrajectory:
    """Name, units and types of a chain, for a store that is written while the batch is simulated; it has no frames."""
    empty: Callable[[], Iterator[Block]] = lambda: iter(())  # noqa: E731
    return FineTrajectory(name, system, TYPES, empty, settings.interval, "sigma", "tau")


def _check(count: int, test: int, settings: CopolymerSettings) -> None:
    if count < 1 or test < 0:
        raise HelioError(f"{count} chains of class I and {test} of class II: give at least one of class I")
    if settings.units < _REPEAT:
        raise HelioError(f"chains need at least {_REPEAT} units, which class I repeats, not {settings.units}")
    steps = settings.interval / settings.timestep if settings.timestep > 0 else 0
    if round(steps) < 1 or abs(steps - round(steps)) > 1e-6 * steps:
        raise HelioError(
            f"the time between frames ({settings.interval:g} tau) must be a multiple of the time step "
            f"({settings.timestep:g} tau)"
        )
    if min(settings.frames, settings.temperature, settings.friction) <= 0 or settings.equilibration < 0:
        raise HelioError("frames, temperature and friction must be above zero, the equilibration not below")


def _check_whole(
    positions: np.ndarray, names: list[str], systems: list[FineSystem], settings: CopolymerSettings
) -> None:
    for i, system in enumerate(systems):
        bonds = positions[:, i, system.bonds[:, 0]] - positions[:, i, system.bonds[:, 1]]
        longest = np.linalg.norm(bonds, axis=-1).max()
        if not longest < 2 * BOND_LENGTH:
            raise HelioError(
                f"a bond of {names[i]} became {longest:.1f} sigma long: the time step of {settings.timestep:g} tau is "
                "too long"
            )


def grown(system: FineSystem, random: np.random.Generator, trials: int = 40) -> np.ndarray:
    """A random walk along the bonds (N, 3) that keeps away from itself where one of some trials allows it."""
    positions = np.zeros((len(system), 3))
    before = np.zeros(len(system), int)
    before[system.bonds[:, 1]] = system.bonds[:, 0]  # i < j, so each bead but the first has one bead before it
    for bead in range(1, len(system)):
        ways = random.normal(size=(trials, 3))
        places = positions[before[bead]] + BOND_LENGTH * ways / np.linalg.norm(ways, axis=1, keepdims=True)
        nearest = np.square(places[:, None] - positions[:bead]).sum(axis=2).min(axis=1)
        free = np.flatnonzero(nearest > 0.9 * BOND_LENGTH**2)
        positions[bead] = places[free[0] if len(free) else nearest.argmax()]
    return positions
