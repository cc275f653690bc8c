"""How fast a model runs on this machine: standard systems, the time of a step and what it is made of.

In: the name of a case and of a model. Out: a `Measurement`. Every case is dynamics as `helio md` runs it: Langevin at
300 K, 0.5 fs and the default cutoffs and skins, in a process of its own where memory is to be told apart.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from statistics import mean, median
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from ase import Atoms

from helio.build.packing import cube_for
from helio.build.water import DENSITY, water
from helio.devices import available_devices
from helio.errors import HelioError
from helio.force_field import ForceField
from helio.force_field.tabulation import Kernels
from helio.neighbors import Neighbors, Plan, device_list
from helio.precision import Precision, numerics
from helio.settings.checking import checked
from helio.simulate.batch import Batch
from helio.simulate.engine import advance
from helio.simulate.lists import ActiveLists
from helio.simulate.settings import MDSettings
from helio.simulate.setup import set_up
from helio.simulate.state import State
from helio.system import System

_WARMING = 20  # steps before the clock starts, in which lists find their sizes
_SECONDS = 3.0  # that steps are timed for
_FEW = 10  # steps, among which each list is made once at most
_COUNTED = 200  # steps in which lists are counted
_BLOCK_SECONDS = 0.3
_LEAST_BLOCKS = 5
_UNUSUAL = 3.0  # times the median of all
_REPEATS = 20  # of what is timed alone


@dataclass(frozen=True)
class Measurement:
    """Times of one system."""

    case: str
    atoms: int
    kernels: str  # compiled or plain
    precision: str  # float32 or float64
    microseconds_per_atom: float  # and step
    steps_per_second: float
    ns_per_day: float  # with steps of 0.5 fs
    compile_seconds: float  # of everything before the first step has ended, model and lists included
    memory_bytes: int  # most that the process held, or the accelerator
    shares: dict[str, float]  # of a step: network, long-range, lists, each timed alone, and the rest


def hexane() -> Atoms:
    """A molecule of 20 atoms: an ideal zigzag chain."""
    half = np.radians(109.47 / 2)
    along, up = 1.53 * np.array([np.sin(half), 0, 0]), 1.53 * np.array([0, np.cos(half), 0])
    carbons = [number * along + (number % 2) * up for number in range(6)]
    hydrogens = []
    for number, carbon in enumerate(carbons):
        outwards = 1.09 * np.cos(half) * (1 if number % 2 else -1)
        hydrogens += [carbon + np.array([0, outwards, side * 1.09 * np.sin(half)]) for side in (-1, 1)]
    ends = [carbons[0] + 1.09 / 1.53 * (up - along), carbons[-1] - 1.09 / 1.53 * (up - along)]
    return Atoms("C6H14", [*carbons, *hydrogens, *ends])


def water_lattice(edge: int) -> Atoms:
    """A cube of edge^3 molecules of water, at its density, on a lattice that dynamics melts."""
    molecule = water()
    spacing = cube_for(molecule.get_masses().sum(), DENSITY)[0]
    corners = spacing * np.array(list(product(range(edge), repeat=3)), float)
    positions = (corners[:, None, :] + molecule.positions[None]).reshape(-1, 3)
    return Atoms("OH2" * edge**3, positions, cell=[edge * spacing] * 3, pbc=True)


CASES: dict[str, Callable[[], Atoms]] = {
    "hexane": hexane,
    "water-64": lambda: water_lattice(4),
    "water-512": lambda: water_lattice(8),
    "water-1728": lambda: water_lattice(12),
    "water-8000": lambda: water_lattice(20),
}


def measure(case: str, model: str, *, kernels: Kernels = "auto", precision: Precision = "float32") -> Measurement:
    """Run one of `CASES` in this process; the first steps are not counted.

    Raises:
        HelioError: there is no such case, or the model cannot be had or does not fit.
    """
    if case not in CASES:
        raise HelioError(f"there is no case {case}: those known are {', '.join(CASES)}")
    atoms = CASES[case]()
    bath = {"ensemble": "nvt", "temperature": 300, "friction": 10}
    settings = checked(MDSettings, {"model": model, "kernels": kernels, "precision": precision} | bath)
    began = time.perf_counter()
    with numerics(precision):
        setup = set_up(atoms, settings)
        batch = Batch(settings, [setup], setup.integrator)
        state, lists = batch.start([None])
        state, lists = _advanced(batch, state, lists, 1)
        compiled = time.perf_counter() - began
        state, lists = _advanced(batch, state, lists, _WARMING)
        state, lists, seconds, made = _timed(batch, state, lists)
        shares = _shares(setup.force_field, state, lists, made)
    used = sum(shares.values())
    return Measurement(
        case=case,
        atoms=len(atoms),
        kernels="plain" if setup.force_field.tables is None else "compiled",
        precision=precision,
        microseconds_per_atom=1e6 * seconds / len(atoms),
        steps_per_second=1 / seconds,
        ns_per_day=settings.timestep * 1e-6 * 86400 / seconds,
        compile_seconds=compiled,
        memory_bytes=peak_memory(),
        shares={name: part / seconds for name, part in shares.items()} | {"rest": max(0.0, 1 - used / seconds)},
    )


def _advanced(batch: Batch, state: State, lists: ActiveLists, steps: int) -> tuple[State, ActiveLists]:
    done = advance(batch.potential, batch.integrator, state, lists, until=int(state.step) + steps)
    return jax.block_until_ready(done)


def _timed(batch: Batch, state: State, lists: ActiveLists) -> tuple[State, ActiveLists, float, dict[str, float]]:
    """Seconds of a step, and how often each list is made in one."""
    made, times = {"short": 0, "long": 0}, []
    while len(times) < _LEAST_BLOCKS or (_FEW * len(times) < _COUNTED and sum(times) < _SECONDS):
        before = {name: np.asarray(getattr(lists, name).reference) for name in made}
        state, lists, seconds = _clocked(batch, state, lists, _FEW)
        times.append(seconds)
        for name in made:
            made[name] += bool((np.asarray(getattr(lists, name).reference) != before[name]).any())
    each_step = {name: count / (_FEW * len(times)) for name, count in made.items()}
    # As long as blocks of a run are, whose beginning and end cost as much as some steps of a small molecule.
    block = max(_FEW, round(_FEW * _BLOCK_SECONDS / median(times)))
    times = []
    while len(times) < _LEAST_BLOCKS or sum(times) < _SECONDS:
        state, lists, seconds = _clocked(batch, state, lists, block)
        times.append(seconds)
    # Where lists outgrow their places a block waits for the compiler, which in a run is rare.
    usual = [seconds for seconds in times if seconds < _UNUSUAL * median(times)]
    return state, lists, mean(usual) / block, each_step


def _clocked(batch: Batch, state: State, lists: ActiveLists, steps: int) -> tuple[State, ActiveLists, float]:
    began = time.perf_counter()
    return *_advanced(batch, state, lists, steps), time.perf_counter() - began


def _shares(force_field: ForceField, state: State, lists: ActiveLists, made: dict[str, float]) -> dict[str, float]:
    """Seconds of a step that go into each part, timed alone."""
    where = state.system, lists.neighbors
    bare = replace(force_field, settings=replace(force_field.settings, electrostatics=False, dispersion=False))
    whole, network = (_seconds(_forces, *where, model) for model in (force_field, bare))
    plans = {name: getattr(lists.plans, name) for name in made}
    lists_seconds = sum(made[name] * _seconds(_list, *where, plan) for name, plan in plans.items())
    return {"network": network, "long-range": max(0.0, whole - network), "lists": lists_seconds}


def _forces(system: System, neighbors: Neighbors, model: ForceField) -> Any:
    return model(system, neighbors).forces


def _list(system: System, neighbors: Neighbors, plan: Plan) -> Any:
    return device_list(system.positions, system.cell, system.atom_mask, system.pbc, plan)


@eqx.filter_jit
def _repeated(part: Callable[..., Any], system: System, neighbors: Neighbors, how: Any) -> Any:
    """A part again and again, as in the steps of a run: to start a program costs what a small molecule does."""
    tiny = jnp.asarray(1e-9, system.positions.dtype)  # without it the compiler would take the work out of the loop

    def once(number: Any, _: Any) -> Any:
        return eqx.filter(
            part(replace(system, positions=system.positions + tiny * number), neighbors, how), eqx.is_array
        )

    shapes = jax.eval_shape(once, 0, None)
    return jax.lax.fori_loop(0, _REPEATS, once, jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), shapes))


def _seconds(part: Callable[..., Any], system: System, neighbors: Neighbors, how: Any) -> float:
    jax.block_until_ready(_repeated(part, system, neighbors, how))
    began = time.perf_counter()
    jax.block_until_ready(_repeated(part, system, neighbors, how))
    return (time.perf_counter() - began) / _REPEATS


def peak_memory() -> int:
    """Bytes: the most that the accelerator has held, or else the process, compilation included."""
    import resource  # which is not everywhere

    device = available_devices()[0]
    if device.platform != "cpu" and (statistics := device.memory_stats()):
        return int(statistics["peak_bytes_in_use"])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
