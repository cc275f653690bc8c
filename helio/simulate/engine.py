"""Blocks of steps in one compiled loop, with the neighbour lists made and watched on the device.

A list that would not last through the next step is made anew before it. A step that ends where a list is no longer
complete is thrown away and redone with new lists, so no force is ever taken from an incomplete one. Where blocks end
has no influence on the numbers. A list that does not fit its sizes ends the block at the last good state; the host
gives it larger ones and the block goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt32

from helio.errors import HelioError
from helio.neighbors import NeighborPlans
from helio.prediction import Prediction
from helio.simulate.lists import ActiveLists, blank_lists, made
from helio.simulate.potential import Potential
from helio.simulate.replicas import common_plans, stacked, unstacked
from helio.simulate.state import State, thermal_momenta
from helio.simulate.steps import Composition
from helio.system import System
from helio.units import BOLTZMANN

# Why a block ended.
DONE, TOO_SMALL, TOO_FAST, NOT_FINITE, TOO_HOT = range(5)

# Larger sizes are tried with this much spare room, one after the other.
_SPARE = (1.1, 1.25, 1.5, 2.0, 3.0)


class UnstableError(HelioError):
    """A simulation that has come apart; `state` is the last good one."""

    def __init__(self, message: str, state: State, lists: ActiveLists) -> None:
        super().__init__(message)
        self.state = state
        self.lists = lists


def make_lists(
    potential: Potential, system: System, *, skin: float, long_skin: float | None = None, spare: float = _SPARE[0]
) -> ActiveLists:
    """Lists that the next block makes where the atoms are, reaching `skin` and `long_skin` (A) beyond the cutoffs."""
    long_skin = skin if long_skin is None else long_skin
    plans = potential.plan(on_host(system), short_skin=skin, long_skin=long_skin, spare=spare, all_within=False)
    return blank_lists(potential, system, plans)


def start(
    potential: Potential,
    integrator: Composition,
    system: System,
    lists: ActiveLists,
    *,
    key: UInt32[Array, " 2"],
    thermal_energy: float,
    momenta: Float[Array, "N 3"] | None = None,
) -> tuple[State, ActiveLists]:
    """The state at step 0 and its lists: `unevaluated_state` and `first_forces` in one.

    Raises:
        UnstableError: energy or forces are not finite at the start.
    """
    state = unevaluated_state(
        potential, integrator, system, lists, key=key, thermal_energy=thermal_energy, momenta=momenta
    )
    return first_forces(potential, integrator, state, lists)


def unevaluated_state(
    potential: Potential,
    integrator: Composition,
    system: System,
    lists: ActiveLists,
    *,
    key: UInt32[Array, " 2"],
    thermal_energy: float,
    momenta: Float[Array, "N 3"] | None = None,
    prediction: Prediction | None = None,
) -> State:
    """The state before its first forces are known.

    Args:
        potential: gives lists and forces.
        integrator: its `init` adds its own variables.
        system: JAX arrays.
        lists: by `make_lists`.
        key: all randomness of the run comes from it.
        thermal_energy: k_B T in eV of the Maxwell-Boltzmann distribution that momenta are drawn from.
        momenta: (N, 3) in sqrt(amu eV), instead of drawn ones.
        prediction: one of a system of the same size, whose shapes are then known.
    """
    start_key, key = jax.random.split(key)
    if momenta is None:
        momenta = thermal_momenta(start_key, system, jnp.asarray(thermal_energy, system.positions.dtype))
    return blank_state(potential, integrator, system, lists, key=key, momenta=momenta, prediction=prediction)


def first_forces(
    potential: Potential, integrator: Composition, state: State, lists: ActiveLists
) -> tuple[State, ActiveLists]:
    """The state at step 0, of one system or of a batch; raises as `advance` does."""
    # The first forces come from a step of no duration, so that only one program has to be compiled.
    frozen = eqx.tree_at(lambda i: i.timestep, integrator, jnp.zeros_like(integrator.timestep))
    return advance(potential, frozen, state, lists, until=0)


def blank_state(
    potential: Potential,
    integrator: Composition,
    system: System,
    lists: ActiveLists,
    *,
    key: UInt32[Array, " 2"],
    momenta: Float[Array, "N 3"],
    prediction: Prediction | None = None,
) -> State:
    """A state one step before the start, with a prediction of zeros; also the template for a checkpoint."""
    shape = jax.eval_shape(potential, system, lists.neighbors) if prediction is None else prediction
    state = State(
        system=system,
        momenta=momenta,
        prediction=jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shape),
        baths={},
        key=key,
        step=jnp.asarray(-1, jnp.int32),
        degrees_of_freedom=jnp.asarray(integrator.freedom.degrees_of_freedom(system), momenta.dtype),
    )
    return integrator.init(state)


def advance(
    potential: Potential,
    integrator: Composition,
    state: State,
    lists: ActiveLists,
    *,
    until: int,
    hottest: float = np.inf,
) -> tuple[State, ActiveLists]:
    """Run to step number `until`, giving lists larger sizes on the way where they need them.

    Raises:
        UnstableError: the next step has an energy or momentum that is not finite, is hotter than `hottest` (K), or
            moves an atom further than half the skin at once. It carries the last good state.
        HelioError: no sizes suffice for the lists.
    """
    dtype = state.momenta.dtype
    hottest_energy = jnp.asarray(min(hottest * BOLTZMANN, float(jnp.finfo(dtype).max)), dtype)
    failures, stuck_at = 0, -2
    while True:
        state, new_lists, reasons = _block(
            potential, integrator, state, lists, jnp.asarray(until, jnp.int32), hottest_energy
        )
        reasons, steps = np.atleast_1d(reasons), np.atleast_1d(state.step)
        if (reasons == DONE).all():
            return state, new_lists
        # The energy is also not finite where more pairs are within the network's cutoff than there is room for.
        cramped = NOT_FINITE in reasons and 0 < lists.plans.short_within < (lists.plans.short.half_pairs or 0)
        if TOO_SMALL not in reasons and not cramped:
            raise UnstableError(_explain(reasons, steps, hottest, lists.plans), state, new_lists)
        failures, stuck_at = (failures + 1 if steps.min() == stuck_at else 1), steps.min()
        if failures > len(_SPARE):
            raise HelioError(f"the neighbour lists fit no size at step {stuck_at}: the structure is far too dense")
        # Lists that did not fit are made anew where the atoms are, all of them: the others lose nothing but time.
        lists = _larger_lists(potential, state, lists.plans, _SPARE[failures - 1], all_within=cramped)


def _larger_lists(
    potential: Potential, state: State, old: NeighborPlans, spare: float, *, all_within: bool
) -> ActiveLists:
    options: dict[str, Any] = {"short_skin": old.short_skin, "long_skin": old.long_skin}
    options |= {"spare": spare, "all_within": all_within}
    if not state.step.ndim:
        plans = potential.plan(on_host(state.system), **options).at_least(old)
        return blank_lists(potential, state.system, plans)
    systems = [unstacked(state.system, number) for number in range(len(state.step))]
    plans = [potential.plan(on_host(system), **options) for system in systems]
    return batch_of_lists(potential, systems, common_plans([*plans, old], atoms=len(systems[0])))


def batch_of_lists(potential: Potential, systems: Sequence[System], plans: NeighborPlans) -> ActiveLists:
    """Lists of a batch, still to be made where the atoms are."""
    blank = blank_lists(potential, systems[0], plans)
    return stacked([blank.to_be_made_at(dict.fromkeys(blank.places, (s.positions, s.cell))) for s in systems])


def on_host(system: System) -> System:
    """The system as host arrays in float64, without padding: what plans are made for."""

    def convert(leaf: Array) -> np.ndarray:
        array = np.asarray(leaf)
        return array.astype(np.float64) if np.issubdtype(array.dtype, np.floating) else array

    return jax.tree.map(convert, system).without_padding()


def _explain(reasons: np.ndarray, steps: np.ndarray, hottest: float, plans: NeighborPlans) -> str:
    number = int(np.flatnonzero(reasons != DONE)[0])
    reason, step = int(reasons[number]), int(steps[number])
    which = f" of replica {number}" if len(reasons) > 1 else ""
    skin = min(plans.short_skin, plans.long_skin)
    what = {
        NOT_FINITE: "energy or momenta became infinite or not a number",
        TOO_HOT: f"the temperature rose above {hottest:.0f} K",
        TOO_FAST: f"an atom moved more than half the skin ({skin / 2:.2f} A) in one step",
    }[reason]
    return (
        f"the simulation{which} became unstable at step {step + 1}: {what}. Relax the structure first (helio opt), or "
        "use a shorter --timestep; the step before is the last good one"
    )


class _Carry(NamedTuple):
    """What goes round in the loop."""

    state: State
    lists: ActiveLists
    redo: Bool[Array, "*R"]  # all lists are to be made anew, most often because the last step was thrown away
    reason: Int[Array, "*R"]


@eqx.filter_jit
def _block(
    potential: Potential,
    integrator: Composition,
    state: State,
    lists: ActiveLists,
    until: Int[Array, ""],
    hottest: Float[Array, ""],
) -> tuple[State, ActiveLists, Int[Array, "*R"]]:
    """Steps until `until` or until something is to be done; returns the last good state and why it stopped.

    Replicas go on until each has arrived; one that ends early ends the block for all.
    """
    each = jax.vmap if state.step.ndim else lambda function: function

    def mark(integrator: Composition, state: State, lists: ActiveLists, redo: Array) -> ActiveLists:
        # A little more than the next step will probably bring.
        ahead = state.with_positions(state.system.positions + 1.2 * integrator.timestep * state.velocities)
        return lists.marked(state.system, ahead.system, redo, cell_moves=integrator.moves_cell)

    def step(integrator: Composition, state: State, lists: ActiveLists) -> tuple[State, Array, Array]:
        neighbors = lists.neighbors
        new = integrator.step(replace(state, step=state.step + 1), lambda system: potential(system, neighbors))
        reason, redo = _judge(state, new, lists, hottest, cell_moves=integrator.moves_cell)
        arrived = state.step >= until
        good = (reason == DONE) & ~redo & ~arrived
        reason, redo = jnp.where(arrived, jnp.int32(DONE), reason), redo & ~arrived
        return jax.tree.map(lambda n, o: jnp.where(good, n, o), new, state), reason, redo

    def body(carry: _Carry) -> _Carry:
        lists = each(mark)(integrator, carry.state, carry.lists, carry.redo)
        lists = made(potential.make_list, lists, carry.state.system, each)
        state, reason, redo = each(step)(integrator, carry.state, lists)
        return _Carry(state, lists, redo, reason)

    def goes_on(carry: _Carry) -> Bool[Array, ""]:
        return jnp.any(carry.state.step < until) & jnp.all(carry.reason == DONE)

    # Where the cell stays, lists made in another one would never be looked at again.
    elsewhere = each(lambda lists, system: ~lists.fit_cell(system))(lists, state.system)
    start = _Carry(state, lists, elsewhere, jnp.full(state.step.shape, DONE, jnp.int32))
    end = jax.lax.while_loop(goes_on, body, start)
    return end.state, end.lists, end.reason


def _judge(
    old: State, new: State, lists: ActiveLists, hottest: Float[Array, ""], *, cell_moves: bool
) -> tuple[Int[Array, ""], Bool[Array, ""]]:
    """Why to stop before the new state, and whether to try the step again with new lists."""
    finite = jnp.isfinite(new.prediction.energy) & jnp.isfinite(new.kinetic_energy)
    left = ~(lists.room(new.system, cell_moves=cell_moves) >= 0)  # also where positions are not numbers
    # A list that was left says nothing about the energy, and only fresh ones about what is wrong with the step.
    reason = jnp.where(new.thermal_energy > hottest, jnp.int32(TOO_HOT), jnp.int32(DONE))
    reason = jnp.where(finite, reason, jnp.int32(NOT_FINITE))
    reason = jnp.where(left, jnp.int32(TOO_FAST), reason)
    reason = jnp.where(jnp.isfinite(new.system.positions).all(), reason, jnp.int32(NOT_FINITE))
    redo = (left | ~finite) & ~lists.are_at(old.system)
    reason = jnp.where(redo, jnp.int32(DONE), reason)
    return jnp.where(lists.overflow, jnp.int32(TOO_SMALL), reason), redo & ~lists.overflow
