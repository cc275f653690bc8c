"""Whole runs: from a structure and settings to a run folder, and on from there."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from ase import Atoms
from jaxtyping import Array

from helio.errors import HelioError
from helio.files.checkpoint import read_arrays, read_checkpoint, write_checkpoint
from helio.files.run_folder import RunFolder, claim_existing, claim_new
from helio.files.structures import read_structure, write_structure
from helio.force_field import ForceField
from helio.force_field.model_file import named_tensors, weights_sha256
from helio.neighbors import NeighborPlans
from helio.precision import numerics
from helio.simulate.engine import UnstableError, advance, blank_state, make_lists, start
from helio.simulate.lists import ActiveLists, blank_lists
from helio.simulate.record import Recorder, temperature
from helio.simulate.saved_atoms import saved_atoms, topology_text
from helio.simulate.settings import MDSettings, checked_settings
from helio.simulate.setup import Setup, set_up, start_temperature
from helio.simulate.state import State
from helio.simulate.stop_conditions import StopConditions
from helio.system import System
from helio.units import BOLTZMANN

# Seconds that a block should last: the live line moves and Ctrl-C is obeyed about that often.
_BLOCK_SECONDS = 0.5


@dataclass(frozen=True)
class Progress:
    """Where a run stands."""

    step: int
    steps: int
    time_ps: float
    temperature: float  # K
    energy: float  # potential energy, eV
    ns_per_day: float
    seconds_left: float


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    step: int
    steps: int
    interrupted: bool


Report = Callable[[Progress], None]


def run_md(atoms: Atoms, settings: MDSettings, out: str | Path, *, report: Report, overwrite: bool = False) -> Outcome:
    """Simulate `atoms` into the folder `out`.

    Ctrl-C ends the run after the present block with a checkpoint. Raises `HelioError` for anything wrong with the
    input or the folder, a full disk, or a simulation that becomes unstable.
    """
    settings = completed(settings, atoms)
    with numerics(settings.precision), _stop_signal() as stop:
        setup = set_up(atoms, settings)
        momenta = _file_momenta(atoms, settings)
        saved_atoms(topology_text(atoms), settings.save_atoms)  # before anything is written
        with claim_new(out, overwrite=overwrite) as folder:
            write_structure(folder.start, _host(setup.system).to_ase())
            write_structure(folder.topology, atoms)
            folder.write_settings(settings.model_dump(mode="json"))
            state, lists = start(
                setup.potential,
                setup.integrator,
                setup.system,
                make_lists(setup.potential, setup.system, skin=settings.skin, long_skin=settings.long_range_skin),
                key=jax.random.PRNGKey(settings.seed),
                thermal_energy=start_temperature(settings) * BOLTZMANN,
                momenta=momenta,
            )
            with closing(Recorder(folder, state, settings, setup.integrator)) as recorder:
                recorder.record(state)
                return _run(setup, folder, recorder, state, lists, report, stop)


def resume_md(path: str | Path, *, report: Report, steps: int | None = None) -> Outcome:
    """Go on with the run in a folder as if it had never stopped, up to `steps` in total (by default those asked for).

    Raises `HelioError` as `run_md` does, and if the folder holds no run or the model has changed.
    """
    with claim_existing(path) as folder, _stop_signal() as stop:
        settings = checked_settings(folder.read_settings())
        if steps is not None:
            settings = checked_settings(settings.model_dump() | {"steps": steps})
        with numerics(settings.precision):
            setup = set_up(read_structure(folder.start), settings)
            state, lists = _restore(setup, folder)
            if int(state.step) > settings.steps:
                raise HelioError(f"the run in {path} is already at step {int(state.step)}, beyond {settings.steps}")
            folder.write_settings(settings.model_dump(mode="json"))
            # No step, but the program is compiled before the clock of the run starts.
            advance(setup.potential, setup.integrator, state, lists, until=int(state.step))
            with closing(Recorder(folder, state, settings, setup.integrator, last_step=int(state.step))) as recorder:
                return _run(setup, folder, recorder, state, lists, report, stop)


def completed(settings: MDSettings, atoms: Atoms) -> MDSettings:
    """Settings with a place for everything that depends on the structure or on where the command was given."""
    changes: dict[str, Any] = {}
    if settings.long_range_cutoff is None:
        changes["long_range_cutoff"] = 12.0 if atoms.pbc.any() else 1000.0
    for name in ("model", "bias"):
        value = getattr(settings, name)
        if value is not None and Path(value).is_file():
            changes[name] = str(Path(value).resolve())
    return settings.model_copy(update=changes)


def _file_momenta(atoms: Atoms, settings: MDSettings) -> Array | None:
    if settings.velocities == "thermal":
        return None
    if not atoms.has("momenta"):
        raise HelioError("the structure file holds no velocities; leave out `--velocities file` to draw them")
    return jnp.asarray(atoms.get_momenta(), settings.precision)


def _run(
    setup: Setup,
    folder: RunFolder,
    recorder: Recorder,
    state: State,
    lists: ActiveLists,
    report: Report,
    stop: threading.Event,
) -> Outcome:
    settings, block, rate = setup.settings, 1, 0.0
    model = _fingerprint(setup.force_field)
    step = int(state.step)
    saved = step
    if step == 0:
        _save(recorder, folder, state, lists, model)
    conditions = StopConditions(
        read_structure(folder.start),
        state,
        lists,
        closest=settings.closest,
        break_bond_beyond=settings.break_bond_beyond,
    )
    while step < settings.steps and not stop.is_set():
        began = time.perf_counter()
        until = min(step + block, _next_event(step, settings))
        try:
            state, lists = advance(
                setup.potential, setup.integrator, state, lists, until=until, hottest=settings.hottest
            )
            if until % settings.log_every == 0:
                conditions.check(state, lists)
        except UnstableError as error:
            _save(recorder, folder, error.state, error.lists, model)
            write_structure(folder.last_good, _host(error.state.system).to_ase(), overwrite=True)
            raise HelioError(f"{error}. It is in {folder.last_good}") from error
        seconds = time.perf_counter() - began
        rate = _smoothed(rate, (until - step) / seconds, weight=min(1.0, seconds / 2))
        block = max(1, min(4 * block, round(rate * _BLOCK_SECONDS)))
        step = until
        recorder.record(state, ns_per_day=_ns_per_day(rate, settings))
        if step % settings.checkpoint_every == 0:
            _save(recorder, folder, state, lists, model)
            saved = step
        report(_progress(state, settings, rate))
    if saved < step:
        _save(recorder, folder, state, lists, model)
    return Outcome(step, settings.steps, interrupted=step < settings.steps)


def _next_event(step: int, settings: MDSettings) -> int:
    """The next step at which something is to be written."""
    periods = (settings.save_every, settings.log_every, settings.checkpoint_every)
    return min(settings.steps, *((step // period + 1) * period for period in periods))


def _save(recorder: Recorder, folder: RunFolder, state: State, lists: ActiveLists, model: str) -> None:
    """Commit: what was recorded first, then the checkpoint that vouches for it."""
    recorder.commit()
    info = {"step": int(state.step), "plans": lists.plans.to_json(), "model": model}
    write_checkpoint(folder.checkpoint, {"state": state, "lists": lists.places}, info)


def _restore(setup: Setup, folder: RunFolder) -> tuple[State, ActiveLists]:
    """State and lists of the checkpoint: the lists will be made where they had been made, in the same sizes."""
    _, info = read_arrays(folder.checkpoint)
    if info["model"] != _fingerprint(setup.force_field):
        raise HelioError(f"the model {setup.settings.model} is not the one that the run in {folder.path} began with")
    lists = blank_lists(setup.system, NeighborPlans.from_json(info["plans"]))
    blank = blank_state(
        setup.potential,
        setup.integrator,
        setup.system,
        lists,
        key=jax.random.PRNGKey(setup.settings.seed),
        momenta=jnp.zeros_like(setup.system.positions),
    )
    tree, _ = read_checkpoint(folder.checkpoint, {"state": blank, "lists": lists.places})
    tree = cast(dict[str, Any], jax.tree.map(jnp.asarray, tree))
    return tree["state"], lists.to_be_made_at(tree["lists"])


def _fingerprint(force_field: ForceField) -> str:
    return weights_sha256(named_tensors(force_field))


def _host(system: System) -> System:
    return jax.tree.map(np.asarray, system)


def _smoothed(old: float, new: float, *, weight: float) -> float:
    return new if old == 0 else (1 - weight) * old + weight * new


def _ns_per_day(rate: float, settings: MDSettings) -> float:
    return rate * settings.timestep * 1e-6 * 86400


def _progress(state: State, settings: MDSettings, rate: float) -> Progress:
    step = int(state.step)
    return Progress(
        step=step,
        steps=settings.steps,
        time_ps=step * settings.timestep / 1000,
        temperature=temperature(state),
        energy=float(np.asarray(state.prediction.atomic_energies, np.float64).sum()),
        ns_per_day=_ns_per_day(rate, settings),
        seconds_left=(settings.steps - step) / rate,
    )


@contextmanager
def _stop_signal() -> Iterator[threading.Event]:
    """An event that the first SIGINT or SIGTERM sets; the next one acts as usual."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # only the main thread may handle signals
        yield stop
        return
    kinds = (signal.SIGINT, signal.SIGTERM)
    before = {kind: signal.getsignal(kind) for kind in kinds}

    def handle(*_: Any) -> None:
        stop.set()
        for kind in kinds:
            signal.signal(kind, before[kind])

    try:
        for kind in kinds:
            signal.signal(kind, handle)
        yield stop
    finally:
        for kind in kinds:
            signal.signal(kind, before[kind])
