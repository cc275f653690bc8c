"""How fast a model runs on this machine: standard systems, the time of a step and what it is made of.

In: the name of a case and of a model. Out: a `Measurement`. Every case is dynamics as `helio md` runs it: Langevin at
300 K, 0.5 fs, float32 and the default cutoffs and skins, in a process of its own where memory is to be told apart.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import equinox as eqx
import jax
import numpy as np
from ase import Atoms

from helio.build.packing import cube_for
from helio.build.water import DENSITY, water
from helio.errors import HelioError
from helio.force_field import ForceField
from helio.force_field.tabulation import Kernels
from helio.neighbors import device_list
from helio.precision import numerics
from helio.settings.checking import checked
from helio.simulate.batch import Batch
from helio.simulate.engine import advance
from helio.simulate.lists import ActiveLists
from helio.simulate.settings import MDSettings
from helio.simulate.setup import set_up
from helio.simulate.state import State

_WARMING = 20  # steps before the clock starts, in which lists find their sizes
_SECONDS = 3.0  # that steps are timed for
_FEW = 10  # steps, among which each list is made once at most
_COUNTED = 200  # steps in which lists are counted
_BLOCK_SECONDS = 0.3
_REPEATS = 10  # of what is timed alone


@dataclass(frozen=True)
class Measurement:
    """Times of one system."""

    case: str
    atoms: int
    kernels: str  # compiled or plain
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


def measure(case: str, model: str, *, kernels: Kernels = "auto") -> Measurement:
    """Run one of `CASES` in this process; the first steps are not counted.

    Raises:
        HelioError: there is no such case, or the model cannot be had or does not fit.
    """
    if case not in CASES:
        raise HelioError(f"there is no case {case}: those known are {', '.join(CASES)}")
    atoms = CASES[case]()
    cutoff = 12.0 if atoms.pbc.any() else None
    bath = {"ensemble": "nvt", "temperature": 300, "friction": 10}
    settings = checked(MDSettings, {"model": model, "kernels": kernels, "long_range_cutoff": cutoff} | bath)
    began = time.perf_counter()
    with numerics("float32"):
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
        microseconds_per_atom=1e6 * seconds / len(atoms),
        steps_per_second=1 / seconds,
        ns_per_day=settings.timestep * 1e-6 * 86400 / seconds,
        compile_seconds=compiled,
        memory_bytes=_most_memory(),
        shares={name: part / seconds for name, part in shares.items()} | {"rest": max(0.0, 1 - used / seconds)},
    )


def _advanced(batch: Batch, state: State, lists: ActiveLists, steps: int) -> tuple[State, ActiveLists]:
    done = advance(batch.potential, batch.integrator, state, lists, until=int(state.step) + steps)
    return jax.block_until_ready(done)


def _timed(batch: Batch, state: State, lists: ActiveLists) -> tuple[State, ActiveLists, float, dict[str, float]]:
    """Seconds of a step, and how often each list is made in one."""
    made, counted = {"short": 0, "long": 0}, 0
    began = time.perf_counter()
    while counted < _COUNTED and time.perf_counter() - began < _SECONDS:
        before = {name: np.asarray(getattr(lists, name).reference) for name in made}
        state, lists = _advanced(batch, state, lists, _FEW)
        counted += _FEW
        for name in made:
            made[name] += bool((np.asarray(getattr(lists, name).reference) != before[name]).any())
    # As long as blocks of a run are, whose beginning and end cost as much as some steps of a small molecule.
    block = max(_FEW, round(_BLOCK_SECONDS * counted / (time.perf_counter() - began)))
    began, steps = time.perf_counter(), 0
    while time.perf_counter() - began < _SECONDS:
        state, lists = _advanced(batch, state, lists, block)
        steps += block
    seconds = (time.perf_counter() - began) / steps
    return state, lists, seconds, {name: count / counted for name, count in made.items()}


def _shares(force_field: ForceField, state: State, lists: ActiveLists, made: dict[str, float]) -> dict[str, float]:
    """Seconds of a step that go into each part, timed alone."""
    where = state.system, lists.neighbors
    bare = replace(force_field, settings=replace(force_field.settings, electrostatics=False, dispersion=False))
    evaluate = eqx.filter_jit(lambda model, system, neighbors: model(system, neighbors).forces)
    whole, network = (_seconds(evaluate, model, *where) for model in (force_field, bare))
    system, lists_seconds = state.system, 0.0
    for name, each_step in made.items():
        plan = getattr(lists.plans, name)
        make = eqx.filter_jit(lambda s, plan=plan: device_list(s.positions, s.cell, s.atom_mask, s.pbc, plan))
        lists_seconds += each_step * _seconds(make, system)
    return {"network": network, "long-range": max(0.0, whole - network), "lists": lists_seconds}


def _seconds(function: Callable[..., Any], *arguments: Any) -> float:
    """The mean time of a call, as that of a step is one."""
    jax.block_until_ready(function(*arguments))
    began = time.perf_counter()
    for _ in range(_REPEATS):
        jax.block_until_ready(function(*arguments))
    return (time.perf_counter() - began) / _REPEATS


def _most_memory() -> int:
    """Bytes: the most that the accelerator has held, or else the process, compilation included."""
    import resource  # which is not everywhere

    device = jax.devices()[0]
    if device.platform != "cpu" and (statistics := device.memory_stats()):
        return int(statistics["peak_bytes_in_use"])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
