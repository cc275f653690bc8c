"""Blocks of steps in one compiled loop, with the neighbour list watched on the device.

| symbol | variable |
|---|---|
| skin | `ActiveLists.skin` |
| r_i(0), where the list was made | `ActiveLists.reference` |
| abs(r_i - r_i(0)) | `moved` |

A list made for cutoff + skin is complete as long as no atom has moved further than skin / 2. A step that ends beyond
that is thrown away and redone with a new list, so no force is ever taken from an incomplete one; to make that rare,
the loop also ends before a step that is likely to do so. Where blocks end has no influence on the numbers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt32

from helio.errors import HelioError
from helio.neighbors import Neighbors
from helio.neighbors.host import round_up
from helio.neighbors.widening import Sizes, sizes, widened
from helio.prediction import Prediction
from helio.simulate.state import State, thermal_momenta
from helio.simulate.steps import ForceFunction, rest_center
from helio.system import System
from helio.units import BOLTZMANN

# Why a block ended.
DONE, NEW_LIST, TOO_FAST, NOT_FINITE, TOO_HOT = range(5)


class Integrator(Protocol):
    """What makes a step: see `helio.simulate`."""

    timestep: Float[Array, ""]
    fixed_center: bool

    def init(self, state: State) -> State:
        """The state with the integrator's own variables."""
        ...

    def step(self, state: State, force_fn: ForceFunction) -> State:
        """The state one time step later."""
        ...

    def extra_energy(self, state: State) -> Float[Array, ""]:
        """What makes the total energy the conserved quantity, in eV."""
        ...


class Potential(Protocol):
    """What gives lists and forces: a `ForceField`, or anything like it."""

    def neighbors(self, system: System, *, skin: float, trim: bool) -> Neighbors:
        """Lists (numpy arrays) for a system of host arrays, reaching `skin` (A) beyond the cutoffs.

        With `trim`, evaluations may leave out pairs in the skin; the energy is NaN where they have no room for all.
        """
        ...

    def __call__(self, system: System, neighbors: Neighbors) -> Prediction:
        """The prediction, in compiled code."""
        ...


class UnstableError(HelioError):
    """A simulation that has come apart; `state` is the last good one."""

    def __init__(self, message: str, state: State, lists: ActiveLists) -> None:
        super().__init__(message)
        self.state = state
        self.lists = lists


class ActiveLists(eqx.Module):
    """Neighbour lists in use and where they were made."""

    neighbors: Neighbors
    reference: Float[Array, "N 3"]  # A
    cell: Float[Array, "3 3"]  # A
    skin: Float[Array, ""]  # A


def make_lists(potential: Potential, system: System, *, skin: float, size: Sizes | None = None) -> ActiveLists:
    """Lists for the atoms where they are, at least as wide as `size` (compiled programs depend on the widths)."""
    dtype = system.positions.dtype
    skin = float(jnp.asarray(skin, dtype))  # the value that a checkpoint keeps

    def to_host(leaf: Array) -> np.ndarray:
        array = np.asarray(leaf)
        return array.astype(np.float64) if np.issubdtype(array.dtype, np.floating) else array

    neighbors = potential.neighbors(jax.tree.map(to_host, system), skin=skin, trim=True)
    if size is not None:
        neighbors = widened(neighbors, size)
    return ActiveLists(
        neighbors=jax.tree.map(jnp.asarray, neighbors),
        reference=system.positions,
        cell=system.cell,
        skin=jnp.asarray(skin, dtype),
    )


def start(
    potential: Potential,
    integrator: Integrator,
    system: System,
    *,
    key: UInt32[Array, " 2"],
    thermal_energy: float,
    skin: float,
    momenta: Float[Array, "N 3"] | None = None,
) -> tuple[State, ActiveLists]:
    """The state at step 0 and its lists.

    Args:
        potential: gives lists and forces.
        integrator: its `init` adds its own variables.
        system: JAX arrays.
        key: all randomness of the run comes from it.
        thermal_energy: k_B T in eV of the Maxwell-Boltzmann distribution that momenta are drawn from.
        skin: in A.
        momenta: (N, 3) in sqrt(amu eV), instead of drawn ones.

    Raises:
        UnstableError: energy or forces are not finite at the start.
    """
    lists = make_lists(potential, system, skin=skin)
    start_key, key = jax.random.split(key)
    if momenta is None:
        momenta = thermal_momenta(start_key, system, jnp.asarray(thermal_energy, system.positions.dtype))
    state = blank_state(potential, integrator, system, lists, key=key, momenta=momenta)
    # The first forces come from a step of no duration, so that only one program has to be compiled.
    frozen = eqx.tree_at(lambda i: i.timestep, integrator, jnp.zeros_like(integrator.timestep))
    return advance(potential, frozen, state, lists, until=0)


def blank_state(
    potential: Potential,
    integrator: Integrator,
    system: System,
    lists: ActiveLists,
    *,
    key: UInt32[Array, " 2"],
    momenta: Float[Array, "N 3"],
) -> State:
    """A state one step before the start, with a prediction of zeros; also the template for a checkpoint."""
    shape = jax.eval_shape(potential, system, lists.neighbors)
    state = State(
        system=system,
        momenta=momenta,
        prediction=jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shape),
        thermostat=None,
        key=key,
        step=jnp.asarray(-1, jnp.int32),
        degrees_of_freedom=jnp.asarray(_degrees_of_freedom(system, integrator.fixed_center), momenta.dtype),
    )
    return integrator.init(rest_center(state) if integrator.fixed_center else state)


def _degrees_of_freedom(system: System, fixed_center: bool) -> int:
    atoms = int(np.asarray(system.atom_mask).sum())
    return max(0, 3 * atoms - 3 * fixed_center)


def advance(
    potential: Potential,
    integrator: Integrator,
    state: State,
    lists: ActiveLists,
    *,
    until: int,
    hottest: float = np.inf,
) -> tuple[State, ActiveLists]:
    """Run to step number `until`, making new lists on the way as needed.

    Raises:
        UnstableError: the next step has an energy or momentum that is not finite, is hotter than `hottest` (K), or
            moves an atom further than half the skin at once. It carries the last good state.
    """
    dtype = state.momenta.dtype
    while True:
        state, reason = _block(
            potential,
            integrator,
            state,
            lists,
            jnp.asarray(until, jnp.int32),
            jnp.asarray(min(hottest * BOLTZMANN, float(jnp.finfo(dtype).max)), dtype),
        )
        reason = int(reason)
        if reason == DONE:
            return state, lists
        if reason != NEW_LIST and not (reason == NOT_FINITE and _may_be_trimmed_too_far(state, lists)):
            raise UnstableError(_explain(reason, int(state.step), hottest, float(lists.skin)), state, lists)
        lists = _renewed(potential, state, lists)


def _may_be_trimmed_too_far(state: State, lists: ActiveLists) -> bool:
    """Whether a list has been in use for a while and room is limited, so that pairs may have outgrown it."""
    fresh = bool(jnp.all(state.system.positions == lists.reference))
    return lists.neighbors.short_within > 0 and not fresh


def _renewed(potential: Potential, state: State, lists: ActiveLists) -> ActiveLists:
    """New lists where the atoms are now; what must grow grows by an eighth more than needed, so that it lasts."""
    old, skin = sizes(lists.neighbors), float(lists.skin)
    new = make_lists(potential, state.system, skin=skin, size=old)
    made = sizes(new.neighbors)
    if made == old:
        return new
    ample = Sizes(*(m if m == o else round_up(m + m // 8) for m, o in zip(made, old, strict=True)))
    return make_lists(potential, state.system, skin=skin, size=ample)


def _explain(reason: int, step: int, hottest: float, skin: float) -> str:
    what = {
        NOT_FINITE: "energy or momenta became infinite or not a number",
        TOO_HOT: f"the temperature rose above {hottest:.0f} K",
        TOO_FAST: f"an atom moved more than half the skin ({skin / 2:.2f} A) in one step",
    }[reason]
    return (
        f"the simulation became unstable at step {step + 1}: {what}. Relax the structure first (helio opt), or use a "
        "shorter --timestep; the step before is the last good one"
    )


@eqx.filter_jit
def _block(
    potential: Potential,
    integrator: Integrator,
    state: State,
    lists: ActiveLists,
    until: Int[Array, ""],
    hottest: Float[Array, ""],
) -> tuple[State, Int[Array, ""]]:
    """Steps until `until` or until something is to be done; returns the last good state and why it stopped."""

    def force_fn(system: System) -> Prediction:
        # The one place where lists meet the potential.
        return potential(system, lists.neighbors)

    def body(carry: tuple[State, Array]) -> tuple[State, Array]:
        state, _ = carry
        new = integrator.step(replace(state, step=state.step + 1), force_fn)
        reason = _judge(state, new, lists, hottest)
        good = reason == DONE
        state = jax.tree.map(lambda n, o: jnp.where(good, n, o), new, state)
        leaving = good & _will_leave(state, lists, integrator.timestep)
        return state, jnp.where(leaving, jnp.int32(NEW_LIST), reason)

    def goes_on(carry: tuple[State, Array]) -> Bool[Array, ""]:
        state, reason = carry
        return (state.step < until) & (reason == DONE)

    leaving = _will_leave(state, lists, integrator.timestep)
    start_reason = jnp.where(leaving, jnp.int32(NEW_LIST), jnp.int32(DONE))
    state, reason = jax.lax.while_loop(goes_on, body, (state, start_reason))
    # A list that will be needed only after the block is made then.
    return state, jnp.where((state.step >= until) & (reason == NEW_LIST), jnp.int32(DONE), reason)


def _moved(positions: Float[Array, "N 3"], lists: ActiveLists) -> Float[Array, ""]:
    """How far the atom that moved most is from where the list was made."""
    return jnp.sqrt(jnp.max(jnp.sum((positions - lists.reference) ** 2, axis=-1)))


def _judge(old: State, new: State, lists: ActiveLists, hottest: Float[Array, ""]) -> Int[Array, ""]:
    finite = jnp.isfinite(new.prediction.energy) & jnp.isfinite(new.kinetic_energy)
    left = ~(_moved(new.system.positions, lists) <= lists.skin / 2)  # also where positions are not a number
    fresh = _moved(old.system.positions, lists) == 0
    # A list that was left says nothing about the new energy, and only a fresh one about the speed.
    reason = jnp.where(new.thermal_energy > hottest, jnp.int32(TOO_HOT), jnp.int32(DONE))
    reason = jnp.where(finite, reason, jnp.int32(NOT_FINITE))
    reason = jnp.where(left, jnp.where(fresh, jnp.int32(TOO_FAST), jnp.int32(NEW_LIST)), reason)
    return jnp.where(jnp.isfinite(new.system.positions).all(), reason, jnp.int32(NOT_FINITE))


def _will_leave(state: State, lists: ActiveLists, time: Float[Array, ""]) -> Bool[Array, ""]:
    """Whether the next step probably ends beyond half the skin; never for a list that was just made."""
    ahead = state.system.positions + 1.2 * time * state.velocities
    return (_moved(ahead, lists) > lists.skin / 2) & (_moved(state.system.positions, lists) > 0)
