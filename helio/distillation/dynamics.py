"""Structures from molecular dynamics of many molecules at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from helio.distillation.recipe import Sampling
from helio.force_field import ForceField
from helio.neighbors import NeighborPlans, Plan, round_up
from helio.precision import numerics
from helio.simulate.engine import UnstableError, advance, batch_of_lists, first_forces, unevaluated_state
from helio.simulate.ensembles import with_bath_in_the_middle
from helio.simulate.freedom import Freedom
from helio.simulate.lists import ActiveLists
from helio.simulate.replicas import stacked
from helio.simulate.schedule import Schedule
from helio.simulate.state import State
from helio.simulate.steps import Composition
from helio.simulate.thermostats import Langevin
from helio.system import System
from helio.units import BOLTZMANN, FS

# Molecules of up to so many atoms are padded to the same size, and so many padded atoms share a batch: the larger
# number where there are enough molecules. Batches are filled up with copies, as to compile a program for another shape
# takes longer than to simulate some copies.
_LADDER = (12, 24, 48, 96, 192)
_ATOMS = (576, 144)
# By how much lists reach beyond the cutoffs (A).
_SKIN = 0.7
# Lists of periodic systems are what the first batch needs times this, so that few others need larger ones. Molecules
# have room for all other atoms, up to the most that are found within the network's reach in dense ones.
_SPARE = 1.3
_MOST_NEIGHBOURS = 64
# A molecule that gets hotter (K) has come apart.
_HOTTEST = 8000.0


class Dynamics:
    """Langevin dynamics with a teacher; keeps the sizes of its lists, so that few programs are compiled."""

    def __init__(self, teacher: ForceField) -> None:
        self._teacher = teacher.astype("float32")
        self._plans: dict[Any, NeighborPlans] = {}

    def samples(
        self, sampling: Sampling, starts: Sequence[System], temperatures: Sequence[float], seeds: Sequence[int]
    ) -> list[list[System]]:
        """Samples of each start at its temperature (K), each with its own random numbers.

        Starts are host arrays whose forces are finite. A molecule that becomes unstable has only the samples before.
        """
        groups: dict[Any, list[int]] = {}
        for number, start in enumerate(starts):
            groups.setdefault((_rows(len(start)), start.pbc), []).append(number)
        found: list[list[System]] = [[] for _ in starts]
        for (rows, pbc), members in groups.items():
            for block, size in _blocks(members, rows):
                filled = [*block, *[block[0]] * (size - len(block))]
                run = _Run(
                    self._teacher,
                    sampling,
                    [starts[i].padded(rows) for i in filled],
                    [temperatures[i] for i in filled],
                    seeds[block[0]],
                )
                key = rows, pbc
                self._plans[key] = run.begin(self._plans.get(key))
                for samples in run.samples():
                    for place, number in enumerate(block):
                        if samples[place] is not None:
                            found[number].append(_moved(starts[number], samples[place]))
        return found


class _Run:
    """One batch of molecules of the same padded size."""

    def __init__(
        self,
        potential: ForceField,
        sampling: Sampling,
        systems: Sequence[System],
        temperatures: Sequence[float],
        seed: int,
    ) -> None:
        self._potential, self._sampling, self._systems = potential, sampling, systems
        self._temperatures, self._seed = temperatures, seed
        self._alive = np.ones(len(systems), bool)

    def begin(self, known: NeighborPlans | None) -> NeighborPlans:
        """Draw momenta and make lists, at least as large as is known to suffice; return their sizes."""
        options: dict[str, Any] = {"short_skin": _SKIN, "long_skin": _SKIN, "spare": _SPARE if known is None else 1.1}
        plans = [
            _in_one_bin(self._potential.plan(one.without_padding(), **options), len(one), periodic=any(one.pbc))
            for one in self._systems
        ]
        self._lists_plans = reduce(_at_least, [*plans, *([known] if known is not None else [])])
        return self._lists_plans

    def samples(self) -> Any:
        """Positions of each molecule, or None where it has become unstable, sample after sample."""
        step = self._sampling.timestep_fs
        warmup, interval = round(self._sampling.warmup_fs / step), max(1, round(self._sampling.interval_fs / step))
        with numerics("float32"):
            state, lists, integrator = self._started()
            for number in range(self._sampling.samples):
                state, lists = self._advanced(integrator, state, lists, warmup + (number + 1) * interval)
                positions = np.asarray(state.system.positions, np.float64)
                yield [place if good else None for place, good in zip(positions, self._alive, strict=True)]

    def _started(self) -> tuple[State, ActiveLists, Composition]:
        systems = [system.astype("float32") for system in self._systems]
        lists = batch_of_lists(self._potential, systems, self._lists_plans)
        one_list = jax.tree.map(lambda leaf: leaf[0], lists)
        integrators, states = [], []
        for number, (system, temperature) in enumerate(zip(systems, self._temperatures, strict=True)):
            integrators.append(self._integrator(temperature))
            states.append(
                unevaluated_state(
                    self._potential,
                    integrators[-1],
                    system,
                    one_list,
                    key=jax.random.fold_in(jax.random.PRNGKey(self._seed), number),
                    thermal_energy=temperature * BOLTZMANN,
                    prediction=states[0].prediction if states else None,
                )
            )
        integrator = stacked(integrators)
        state, lists = first_forces(self._potential, integrator, stacked(states), lists)
        return state, lists, integrator

    def _integrator(self, temperature: float) -> Composition:
        friction = jnp.float32(self._sampling.friction / (1000 * FS))
        thermostat = Langevin(Schedule.constant(jnp.float32(temperature * BOLTZMANN)), friction)
        return with_bath_in_the_middle(jnp.float32(self._sampling.timestep_fs * FS), Freedom(), thermostat)

    def _advanced(
        self, integrator: Composition, state: State, lists: ActiveLists, until: int
    ) -> tuple[State, ActiveLists]:
        """The batch at step `until`. One that comes apart goes on as a copy of the calmest one, and counts no more."""
        while True:
            try:
                return advance(self._potential, integrator, state, lists, until=until, hottest=_HOTTEST)
            except UnstableError as error:
                heat = np.asarray(jax.vmap(_hardest)(error.state))
                heat = np.where(np.isfinite(heat), heat, np.inf)
                worst, calmest = int(np.argmax(heat)), int(np.argmin(heat))
                if worst == calmest or not np.isfinite(heat[calmest]):
                    self._alive[:] = False
                    return error.state, error.lists
                self._alive[worst] = False
                state, lists = jax.tree.map(
                    lambda leaf, worst=worst, calmest=calmest: leaf.at[worst].set(leaf[calmest]),
                    (error.state, error.lists),
                )


def _hardest(state: State) -> Any:
    """How violently a molecule moves: its kinetic energy per degree of freedom and largest force, in eV and eV/A."""
    return state.thermal_energy + jnp.max(jnp.sum(state.prediction.forces**2, axis=-1)) ** 0.5


def _in_one_bin(plans: NeighborPlans, rows: int, *, periodic: bool) -> NeighborPlans:
    """The plans without a grid, which small systems do not need: all of one size have the same.

    A cell may still be smaller than the cutoff, so that images beyond the next are in reach.
    """

    def one(plan: Plan, columns: int) -> Plan:
        cells = (math.ceil(reach / bins) for reach, bins in zip(plan.reach, plan.bins, strict=True))
        x, y, z = cells if periodic else (1, 1, 1)
        return plan._replace(
            bins=(1, 1, 1),
            reach=(x, y, z),
            bin_capacity=rows,
            candidates=max(rows, plan.candidates),
            columns=max(columns, plan.columns),
            half_pairs=None if plan.half_pairs is None else max(round_up(rows * columns // 2), plan.half_pairs),
        )

    near, all_others = (0, 0) if periodic else (round_up(min(rows, _MOST_NEIGHBOURS)), round_up(rows))
    return replace(plans, short=one(plans.short, near), long=one(plans.long, all_others), rows=0, short_within=0)


def _at_least(plans: NeighborPlans, others: NeighborPlans) -> NeighborPlans:
    """`NeighborPlans.at_least` for plans of one bin each that look for images in the same cells, or not as far."""

    def reaching(plan: Plan, other: Plan) -> Plan:
        x, y, z = map(max, plan.reach, other.reach)
        return plan._replace(reach=(x, y, z))

    short, long = reaching(plans.short, others.short), reaching(plans.long, others.long)
    alike = replace(others, short=reaching(others.short, short), long=reaching(others.long, long))
    return replace(plans, short=short, long=long).at_least(alike)


def _blocks(members: Sequence[int], rows: int) -> Iterator[tuple[Sequence[int], int]]:
    """Members of each batch, and how many molecules it holds."""
    large, small = (max(1, atoms // rows) for atoms in _ATOMS)
    first = 0
    while first < len(members):
        size = large if len(members) - first > 2 * small else small
        yield members[first : first + size], size
        first += size


def _rows(atoms: int) -> int:
    return next((size for size in _LADDER if size >= atoms), -(-atoms // 96) * 96)


def _moved(start: System, positions: np.ndarray) -> System:
    """A start elsewhere, without its padding."""
    return replace(start, positions=positions[: len(start)])
