"""What a run simulates: one system, or several replicas in one batch."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from ase import Atoms
from jaxtyping import Array

from helio.errors import HelioError, counted
from helio.files.atomic import disk_errors
from helio.files.run_folder import RunFolder
from helio.force_field import ForceField
from helio.force_field.sharded import Sharded, everywhere
from helio.force_field.tabulation import why_plain
from helio.neighbors import NeighborList, NeighborPlans
from helio.simulate.engine import UnstableError, batch_of_lists, blank_state, first_forces, on_host, unevaluated_state
from helio.simulate.lists import ActiveLists, blank_lists
from helio.simulate.placement import Placement
from helio.simulate.record import Recorder
from helio.simulate.replicas import common_plans, exchanged, stacked, unstacked, without_padding
from helio.simulate.settings import MDSettings
from helio.simulate.setup import Setup, chosen_force_field, set_up, start_temperature
from helio.simulate.state import State
from helio.simulate.steps import Composition
from helio.simulate.stop_conditions import StopConditions
from helio.simulate.watch import Seen, least_certain, look
from helio.system import System
from helio.units import BOLTZMANN


@dataclass(frozen=True)
class Batch:
    """Set-ups of all replicas; a single one has states without a leading axis."""

    settings: MDSettings
    setups: list[Setup]
    integrator: Composition

    @property
    def count(self) -> int:
        """Number of replicas."""
        return len(self.setups)

    @property
    def potential(self) -> Any:
        """The one potential."""
        return self.setups[0].potential

    @property
    def force_field(self) -> ForceField:
        """The force field without biases."""
        return self.setups[0].force_field

    @property
    def plain_because(self) -> str | None:
        """Why the force field does not run compiled; None if it does."""
        if self.force_field.tables is not None:
            return None
        return why_plain(self.force_field.settings, kernels=self.settings.kernels)

    def look(self, state: State, lists: ActiveLists) -> list[Seen] | None:
        """The uncertainty of each replica, whose lists belong to the state; None where it is not due at this step."""
        every, watched = self.settings.uncertainty_every, self.setups[0].watched
        if watched is None or not every or int(np.min(state.step)) % every:
            return None
        uncertainty = (watched.force_field if isinstance(watched, Sharded) else watched).uncertainty
        assert uncertainty is not None
        return look(watched, state, lists, limit=self.settings.uncertainty_limit or uncertainty.limit)

    def each(self, state: State) -> list[State]:
        """The states of the replicas apart, as host arrays of real atoms."""
        states = [state] if self.count == 1 else [unstacked(state, number) for number in range(self.count)]
        return [without_padding(one) for one in states]

    def coordinates(self, state: State) -> list[System]:
        """The systems of the replicas, as host arrays of real atoms at the user's coordinates."""
        pairs = zip(self.setups, self.each(state), strict=True)
        return [setup.placement.coordinates(replica.system) for setup, replica in pairs]

    def start(self, momenta: Sequence[Array | None]) -> tuple[State, ActiveLists]:
        """State and lists at step 0, with these momenta or thermal ones."""
        lists = self._lists(self.plans())
        states: list[State] = []
        for number, (setup, own) in enumerate(zip(self.setups, momenta, strict=True)):
            state = unevaluated_state(
                self.potential,
                setup.integrator,
                setup.system,
                lists if self.count == 1 else unstacked(lists, number),
                key=jax.random.PRNGKey(setup.settings.seed),
                thermal_energy=start_temperature(setup.settings) * BOLTZMANN,
                momenta=own,
                prediction=states[0].prediction if states else None,
            )
            states.append(state)
        state, lists = self.placed(self._joined(states), lists)
        return first_forces(self.potential, self.integrator, state, lists)

    def plans(self) -> NeighborPlans:
        """Sizes of the lists that suffice for each replica as it is at the start."""
        options = {"short_skin": self.settings.skin, "long_skin": self.settings.long_range_skin}
        plans = [self.potential.plan(on_host(setup.system), **options) for setup in self.setups]
        return common_plans(plans, atoms=len(self.setups[0].system))

    def placed(self, state: State, lists: ActiveLists) -> tuple[State, ActiveLists]:
        """State and lists on the devices that share the system: everything but the rows of the lists on each."""
        mesh = self.setups[0].mesh
        rows = lists.short.pairs, lists.long.pairs
        whole = eqx.tree_at(_rows, lists, (None, None))
        state, whole = everywhere(mesh, (state, whole))
        return state, eqx.tree_at(_rows, whole, rows, is_leaf=lambda leaf: leaf is None)

    def blank(self, plans: NeighborPlans) -> tuple[State, ActiveLists]:
        """State and lists of the right shapes, for a checkpoint to be read into."""
        lists = self._lists(plans)
        states: list[State] = []
        for number, setup in enumerate(self.setups):
            state = blank_state(
                self.potential,
                setup.integrator,
                setup.system,
                lists if self.count == 1 else unstacked(lists, number),
                key=jax.random.PRNGKey(0),
                momenta=jnp.zeros_like(setup.system.positions),
                prediction=states[0].prediction if states else None,
            )
            states.append(state)
        return self._joined(states), lists

    def recorder(self, folder: RunFolder, state: State, *, last_step: int | None = None) -> BatchRecorder:
        """The records of all replicas."""
        recorders = [
            Recorder(own, one, setup.settings, setup.integrator, placement=setup.placement, last_step=last_step)
            for own, one, setup in zip(folder.replicas(self.count), self.each(state), self.setups, strict=True)
        ]
        exchanges = None
        if self.settings.exchange_every is not None:
            exchanges = ExchangeLog(folder.path / "exchanges.csv", last_step)
        return BatchRecorder(self, recorders, exchanges)

    def exchange(
        self, state: State, lists: ActiveLists, recorder: BatchRecorder | NoRecorder
    ) -> tuple[State, ActiveLists]:
        """Try to exchange neighbouring temperatures, even and odd pairs in turn."""
        assert self.settings.exchange_every is not None and recorder.exchanges is not None
        step = int(state.step[0])
        attempt = step // self.settings.exchange_every
        temperatures = np.array([start_temperature(setup.settings) for setup in self.setups])
        state, lists, attempts = exchanged(
            state,
            lists,
            temperatures * BOLTZMANN,
            key=jax.random.fold_in(jax.random.PRNGKey(self.settings.seed), attempt),
            odd=attempt % 2 == 0,
        )
        recorder.exchanges.append(step, attempts)
        return state, lists

    def with_mesh(self, state: State, lists: ActiveLists) -> ActiveLists:
        """The lists with a finer mesh, if a cell has grown so far that the accuracy asked for needs one."""
        old = lists.plans.mesh
        if old is None or self.settings.ensemble != "npt":
            return lists
        cells = np.asarray(state.system.cell, np.float64).reshape(-1, 3, 3)
        needed = [mesh for cell in cells if (mesh := self.force_field.mesh(cell)) is not None]
        x, y, z = (max(sizes) for sizes in zip(old, *needed, strict=True))
        return lists if (x, y, z) == old else replace(lists, plans=replace(lists.plans, mesh=(x, y, z)))

    def stop_conditions(self, structures: Sequence[Atoms]) -> list[StopConditions]:
        """What each replica is watched for, given their start structures."""
        limits = {"closest": self.settings.closest, "break_bond_beyond": self.settings.break_bond_beyond}
        return [StopConditions(atoms, **limits) for atoms in structures]

    def check(
        self,
        conditions: Sequence[StopConditions],
        state: State,
        lists: ActiveLists,
        good: tuple[State, ActiveLists],
    ) -> None:
        """Raise `UnstableError`, with the `good` state and lists, if something is wrong with a replica."""
        for number, one in enumerate(conditions):
            single = self.count == 1
            own = (state, lists) if single else (unstacked(state, number), unstacked(lists, number))
            problem = one.problem(*own)
            if problem is not None:
                which = "" if single else f" of replica {number}"
                step, last = int(np.min(state.step)), int(np.min(good[0].step))
                raise UnstableError(
                    f"the simulation{which} was stopped at step {step}: {problem}. Step {last} is the last good one",
                    *good,
                )

    def check_certainty(self, state: State, seen: list[Seen]) -> None:
        """Raise `HelioError` if a replica is to be stopped because its forces are too uncertain."""
        for number, (one, own) in enumerate(zip(self.each(state), seen, strict=True)):
            if own.extrapolates and self.settings.stop_when_uncertain:
                which = "" if self.count == 1 else f" of replica {number}"
                raise HelioError(
                    f"the simulation{which} was stopped at step {int(np.min(state.step))}: "
                    f"{least_certain(one.system, own)}. The structure is the last one in uncertain.extxyz of the run "
                    "folder; helio resume goes on from it"
                )

    def _lists(self, plans: NeighborPlans) -> ActiveLists:
        systems = [setup.system for setup in self.setups]
        if self.count > 1:
            return batch_of_lists(self.potential, systems, plans)
        return blank_lists(self.potential, systems[0], plans)

    def _joined(self, states: list[State]) -> State:
        return states[0] if self.count == 1 else stacked(states)


def _rows(lists: ActiveLists) -> tuple[NeighborList, NeighborList]:
    return lists.short.pairs, lists.long.pairs


class BatchRecorder:
    """The records of all replicas, and of their exchanges."""

    def __init__(self, batch: Batch, recorders: list[Recorder], exchanges: ExchangeLog | None) -> None:
        self._batch, self._recorders, self.exchanges = batch, recorders, exchanges

    def record(self, state: State, *, ns_per_day: float = 0.0, seen: list[Seen] | None = None) -> None:
        """Write what is due at this step."""
        found = [None] * len(self._recorders) if seen is None else seen
        for recorder, one, uncertainty in zip(self._recorders, self._batch.each(state), found, strict=True):
            recorder.record(one, ns_per_day=ns_per_day, seen=uncertainty)

    def commit(self) -> None:
        """Bring all frames to the disk."""
        for recorder in self._recorders:
            recorder.commit()

    def close(self) -> None:
        """Close the logs."""
        for recorder in self._recorders:
            recorder.close()


class NoRecorder:
    """What a process that does not write has in place of records."""

    exchanges = None

    def record(self, state: State, *, ns_per_day: float = 0.0, seen: list[Seen] | None = None) -> None:
        """Write nothing."""

    def commit(self) -> None:
        """Write nothing."""

    def close(self) -> None:
        """There is nothing to close."""


class ExchangeLog:
    """A table of attempted exchanges: step, the lower of the two places, 1 where they were exchanged."""

    def __init__(self, path: Path, last_step: int | None) -> None:
        """Begin a table, or go on with one, dropping what lies beyond `last_step`."""
        self._path = path
        kept: list[list[str]] = [["step", "lower_place", "exchanged"]]
        if last_step is not None and path.exists():
            with disk_errors(path), path.open(encoding="utf-8", newline="") as file:
                whole = [row for row in csv.reader(file) if len(row) == 3][1:]
            kept += [row for row in whole if int(row[0]) <= last_step]
        self._write(kept, "w")

    def append(self, step: int, attempts: list[tuple[int, int, bool]]) -> None:
        """Add the attempts of one step."""
        self._write([[str(step), str(lower), str(int(accepted))] for lower, _, accepted in attempts], "a")

    def _write(self, rows: list[list[str]], mode: str) -> None:
        with disk_errors(self._path), self._path.open(mode, encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)


def make_batch(
    structures: Sequence[Atoms], settings: MDSettings, placements: Sequence[Placement] | None = None
) -> Batch:
    """Set up every replica: the n-th has the seed plus n, and its own temperature if there are several.

    `placements` are those with which a run that goes on began.

    Raises:
        HelioError: a structure cannot be simulated, or the replicas not together.
    """
    count = len(structures)
    if settings.replica_temperatures and len(settings.replica_temperatures) != count:
        raise HelioError(
            f"there are {counted(count, 'replica')}, but {len(settings.replica_temperatures)} temperatures for them"
        )
    if count > 1 and settings.restraints and len({str(atoms.symbols) for atoms in structures}) > 1:
        raise HelioError("different molecules cannot share restraints; simulate them apart")
    if count > 1 and settings.devices > 1:
        raise HelioError("several devices share one system; run replicas on one device each (leave out --devices)")
    rows = max(len(atoms) for atoms in structures)
    force_field = chosen_force_field(settings)
    # What replicas share, biases and configurations that wander, knows one placement.
    share = bool(settings.restraints) or settings.bias is not None or settings.exchange_every is not None
    setups: list[Setup] = []
    for number, atoms in enumerate(structures):
        placement = None if placements is None else placements[number]
        if placement is None and share and setups:
            placement = setups[0].placement.for_atoms(len(atoms))
        changes: dict[str, Any] = {"seed": (settings.seed + number) % 2**32}
        if settings.replica_temperatures:
            changes["temperature"] = settings.replica_temperatures[number]
        chosen = settings.model_copy(update=changes)
        setups.append(set_up(atoms, chosen, rows=rows, force_field=force_field, placement=placement))
    integrators = [setup.integrator for setup in setups]
    if count == 1:
        return Batch(settings, setups, integrators[0])
    stacked([setup.system for setup in setups])  # before anything is written: can they be one batch?
    return Batch(settings, setups, stacked(integrators))


def plans_of(lists: ActiveLists) -> NeighborPlans:
    """The plans of one system."""
    plans = lists.plans
    if plans.reciprocal is None or plans.reciprocal.ndim == 2:
        return plans
    return replace(plans, reciprocal=plans.reciprocal[0])
