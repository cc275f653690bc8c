"""Whole runs: from a structure and settings to a run folder, and on from there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from ase import Atoms
from jaxtyping import Array

from helio.errors import HelioError, counted
from helio.files.atomic import write_text
from helio.files.checkpoint import damaged, read_arrays, read_checkpoint, reading_info, write_checkpoint
from helio.files.interrupt import stop_signal
from helio.files.run_folder import RunFolder, claim_existing, claim_new, existing_run
from helio.files.structures import read_structure, write_structure
from helio.force_field.long_range_cutoff import automatic_cutoff
from helio.force_field.model_file import named_tensors, read_model_info, weights_sha256
from helio.force_field.registry import model_path
from helio.neighbors import NeighborPlans
from helio.precision import numerics
from helio.settings.checking import checked
from helio.simulate.batch import Batch, BatchRecorder, NoRecorder, make_batch, plans_of
from helio.simulate.bias_consent import check_consent
from helio.simulate.engine import UnstableError, advance
from helio.simulate.lists import ActiveLists
from helio.simulate.placement import Placement
from helio.simulate.processes import decided, is_first, led_by_first, prepare_devices
from helio.simulate.record import temperature
from helio.simulate.saved_atoms import saved_atoms, topology_text
from helio.simulate.settings import MDSettings
from helio.simulate.start_structure import start_structure
from helio.simulate.state import State
from helio.simulate.watch import Seen
from helio.system import System

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
    precision: str = "float32"
    plain_because: str | None = None  # why the force field does not run compiled, if it does not
    uncertainty: float | None = None  # eV/A, of the atom whose force was least certain when last looked at
    extrapolates: bool = False  # whether that was beyond the limit


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    step: int
    steps: int
    interrupted: bool


Report = Callable[[Progress], None]


def run_md(
    atoms: Atoms | Sequence[Atoms],
    settings: MDSettings,
    out: str | Path,
    *,
    report: Report,
    overwrite: bool = False,
) -> Outcome:
    """Simulate `atoms`, or each of several structures, into the folder `out`.

    Ctrl-C ends the run after the present block with a checkpoint. Raises `HelioError` for anything wrong with the
    input or the folder, a full disk, or a simulation that becomes unstable.
    """
    structures = [atoms] * settings.replicas if isinstance(atoms, Atoms) else list(atoms)
    if settings.replicas not in (1, len(structures)):
        raise HelioError(
            f"there are {counted(len(structures), 'structure')}; leave out --replicas, each is simulated once"
        )
    settings = settings.model_copy(update={"replicas": len(structures)})
    settings = completed(settings, structures)
    prepare_devices(settings.devices)
    with numerics(settings.precision), stop_signal() as stop, ExitStack() as claims:
        batch = make_batch(structures, settings)
        momenta = [_file_momenta(one, settings) for one in structures]
        for one in structures:
            saved_atoms(topology_text(one), settings.save_atoms)  # before anything is written
        with led_by_first() as leads:
            folder = claims.enter_context(claim_new(out, overwrite=overwrite)) if leads else RunFolder(Path(out))
            if leads:
                _write_beginning(folder, batch, structures)
        state, lists = batch.start(momenta)
        with closing(batch.recorder(folder, state) if leads else NoRecorder()) as recorder:
            recorder.record(state, seen=batch.look(state, lists))
            return _run(batch, folder, recorder, state, lists, report, stop)


def resume_md(
    path: str | Path,
    *,
    report: Report,
    steps: int | None = None,
    devices: int | None = None,
    allow_bias: bool = False,
) -> Outcome:
    """Go on with the run in a folder as if it had never stopped, up to `steps` in total (by default those asked for).

    On another number of `devices` than before, numbers are the same to round-off, not bit for bit. A bias, which is a
    program, runs if `allow_bias` is set or the user has run it before. Raises `HelioError` as `run_md` does, and if the
    folder holds no run or the model has changed.
    """
    before = checked(MDSettings, existing_run(path).read_settings())
    check_consent(before.bias, allowed=allow_bias)
    changes = {name: value for name, value in (("steps", steps), ("devices", devices)) if value is not None}
    settings = checked(MDSettings, before.model_dump() | changes)
    prepare_devices(settings.devices)
    with numerics(settings.precision), stop_signal() as stop, ExitStack() as claims:
        with led_by_first() as leads:
            folder = claims.enter_context(claim_existing(path)) if leads else RunFolder(Path(path))
        starts = [read_structure(replica.start) for replica in folder.existing_replicas()]
        batch = make_batch(starts, settings, _placements(folder, starts))
        state, lists = _restore(batch, folder, same_plans=settings.devices == before.devices)
        step = _step(state)
        if step > settings.steps:
            raise HelioError(f"the run in {path} is already at step {step}, beyond {settings.steps}")
        if leads:
            folder.write_settings(settings.model_dump(mode="json"))
        # No step, but the program is compiled before the clock of the run starts.
        advance(batch.potential, batch.integrator, state, lists, until=step)
        with closing(batch.recorder(folder, state, last_step=step) if leads else NoRecorder()) as recorder:
            return _run(batch, folder, recorder, state, lists, report, stop)


def _write_beginning(folder: RunFolder, batch: Batch, structures: Sequence[Atoms]) -> None:
    folder.write_settings(batch.settings.model_dump(mode="json"))
    for setup, one, own in zip(batch.setups, structures, folder.replicas(batch.count), strict=True):
        system = setup.placement.coordinates(_host(setup.system))
        write_structure(own.start, start_structure(system, one, batch.settings.frozen))
        write_text(own.topology, topology_text(one))


def completed(settings: MDSettings, structures: Sequence[Atoms]) -> MDSettings:
    """Settings with a place for everything that depends on the structures or on where the command was given."""
    changes: dict[str, Any] = {}
    if settings.long_range_cutoff is None:
        changes["long_range_cutoff"] = automatic_cutoff(atoms.pbc.any() for atoms in structures)
    for name in ("model", "bias"):
        value = getattr(settings, name)
        if value is not None and Path(value).is_file():
            changes[name] = str(Path(value).resolve())
    if settings.uncertainty_every is None:
        stated = read_model_info(model_path(settings.model)).uncertainty is not None
        asked = settings.stop_when_uncertain or settings.uncertainty_limit is not None
        changes["uncertainty_every"] = settings.log_every if stated or asked else 0
    return settings.model_copy(update=changes)


def _file_momenta(atoms: Atoms, settings: MDSettings) -> Array | None:
    if settings.velocities == "thermal":
        return None
    if not atoms.has("momenta"):
        raise HelioError("the structure file holds no velocities; leave out `--velocities file` to draw them")
    return jnp.asarray(atoms.get_momenta(), settings.precision)


def _run(
    batch: Batch,
    folder: RunFolder,
    recorder: BatchRecorder | NoRecorder,
    state: State,
    lists: ActiveLists,
    report: Report,
    stop: threading.Event,
) -> Outcome:
    settings, block, rate = batch.settings, 1, 0.0
    model = _fingerprint(batch)
    step = _step(state)
    saved, seen = step, None
    info = {"model": model, "placements": [setup.placement.to_json() for setup in batch.setups]}
    if step == 0:
        _save(recorder, folder, state, lists, info)
    good = state, lists
    conditions = batch.stop_conditions([read_structure(own.start) for own in folder.replicas(batch.count)])
    while step < settings.steps:
        began = time.perf_counter()
        until, stopped = decided(min(step + block, _next_event(step, settings)), stop.is_set(), state)
        if stopped:
            break
        try:
            state, lists = advance(
                batch.potential, batch.integrator, state, lists, until=until, hottest=settings.hottest
            )
            if until % settings.log_every == 0:
                batch.check(conditions, state, lists, good)
                good = state, lists
        except UnstableError as error:
            _save(recorder, folder, error.state, error.lists, info)
            if is_first():
                for own, last in zip(folder.replicas(batch.count), batch.coordinates(error.state), strict=True):
                    good_atoms = start_structure(last, read_structure(own.start), ())
                    write_structure(own.last_good, good_atoms, overwrite=True)
            where = folder.last_good if batch.count == 1 else folder.path / "replica-*" / folder.last_good.name
            raise HelioError(f"{error}. It is in {where}") from error
        seconds = time.perf_counter() - began
        rate = _smoothed(rate, (until - step) / seconds, weight=min(1.0, seconds / 2))
        block = max(1, min(4 * block, round(rate * _BLOCK_SECONDS)))
        step = until
        found = batch.look(state, lists)
        recorder.record(state, ns_per_day=_ns_per_day(rate, settings), seen=found)
        seen = found or seen
        if settings.exchange_every is not None and step % settings.exchange_every == 0:
            state, lists = batch.exchange(state, lists, recorder)
        if step % settings.checkpoint_every == 0:
            lists = batch.with_mesh(state, lists)
            _save(recorder, folder, state, lists, info)
            saved = step
        report(_progress(batch, state, rate, seen))
        if found is not None and settings.stop_when_uncertain and any(one.extrapolates for one in found):
            _save(recorder, folder, state, lists, info)
            batch.check_certainty(state, found)
    if saved < step:
        _save(recorder, folder, state, lists, info)
    return Outcome(step, settings.steps, interrupted=step < settings.steps)


def _next_event(step: int, settings: MDSettings) -> int:
    """The next step at which something is to be done on the host."""
    periods = (
        settings.save_every,
        settings.log_every,
        settings.checkpoint_every,
        settings.exchange_every,
        settings.uncertainty_every,
    )
    return min(settings.steps, *((step // period + 1) * period for period in periods if period))


def _save(
    recorder: BatchRecorder | NoRecorder, folder: RunFolder, state: State, lists: ActiveLists, info: dict[str, Any]
) -> None:
    """Commit: what was recorded first, then the checkpoint that vouches for it."""
    if not is_first():
        return
    recorder.commit()
    info = {"step": _step(state), "plans": plans_of(lists).to_json()} | info
    write_checkpoint(folder.checkpoint, {"state": state, "lists": lists.places}, info)


def _placements(folder: RunFolder, starts: Sequence[Atoms]) -> list[Placement]:
    """Those with which the run began; runs of former versions computed with the coordinates themselves."""
    _, info = read_arrays(folder.checkpoint)
    if "placements" not in info:
        return [Placement.nowhere(len(atoms)) for atoms in starts]
    return [Placement.from_json(values, len(atoms)) for values, atoms in zip(info["placements"], starts, strict=True)]


def _restore(batch: Batch, folder: RunFolder, *, same_plans: bool) -> tuple[State, ActiveLists]:
    """State and lists of the checkpoint; the lists will be made where they were, in the same sizes or in new ones."""
    _, info = read_arrays(folder.checkpoint)
    plans = batch.plans()
    with reading_info(folder.checkpoint):
        model = info["model"]
        if same_plans:
            plans = NeighborPlans.from_json(info["plans"], like=plans)
    if model != _fingerprint(batch):
        raise HelioError(f"the model {batch.settings.model} is not the one that the run in {folder.path} began with")
    blank, lists = batch.blank(plans)
    tree, _ = read_checkpoint(folder.checkpoint, {"state": blank, "lists": lists.places})
    state = cast(dict[str, Any], tree)["state"]
    if not (np.isfinite(state.system.positions).all() and np.isfinite(state.momenta).all()):
        raise damaged(folder.checkpoint, "it holds positions or momenta that are not finite")
    if not 0 <= _step(state) < np.iinfo(np.int32).max:
        raise damaged(folder.checkpoint, f"its step is {_step(state)}")
    tree = cast(dict[str, Any], jax.tree.map(jnp.asarray, tree))
    return batch.placed(tree["state"], lists.to_be_made_at(tree["lists"]))


def _step(state: State) -> int:
    """The step of the replica that is furthest behind."""
    return int(np.min(state.step))


def _fingerprint(batch: Batch) -> str:
    """Of the weights, and of the uncertainty where that is watched."""
    uncertainty = batch.force_field.uncertainty
    extra = {} if uncertainty is None else {"factor": uncertainty.factor, "members": uncertainty.members}
    return weights_sha256(named_tensors(batch.force_field) | {k: np.asarray(v) for k, v in extra.items()})


def _host(system: System) -> System:
    return jax.tree.map(np.asarray, system).without_padding()


def _smoothed(old: float, new: float, *, weight: float) -> float:
    return new if old == 0 else (1 - weight) * old + weight * new


def _ns_per_day(rate: float, settings: MDSettings) -> float:
    return rate * settings.timestep * 1e-6 * 86400


def _progress(batch: Batch, state: State, rate: float, seen: list[Seen] | None) -> Progress:
    """Temperature and energy are means over the replicas, ns/day is the sum of all, uncertainty the largest."""
    settings, step, states = batch.settings, _step(state), batch.each(state)
    return Progress(
        step=step,
        steps=settings.steps,
        time_ps=step * settings.timestep / 1000,
        temperature=float(np.mean([temperature(one) for one in states])),
        energy=float(np.mean([np.asarray(one.prediction.atomic_energies, np.float64).sum() for one in states])),
        ns_per_day=batch.count * _ns_per_day(rate, settings),
        seconds_left=(settings.steps - step) / rate,
        precision=settings.precision,
        plain_because=batch.plain_because,
        uncertainty=None if seen is None else max(one.largest for one in seen),
        extrapolates=seen is not None and any(one.extrapolates for one in seen),
    )
