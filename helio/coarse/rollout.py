"""Whole roll-outs: from a model and a store to a run folder with the motion of many systems, and on from there.

| file | what |
|---|---|
| `settings.yaml` | everything that was asked for |
| `rollout.h5` | the motion (`helio.coarse.rollout_file`) |
| `log.csv` | step, simulated time and speed at each checkpoint |
| `checkpoint.npz`, `checkpoint.previous.npz` | where to go on |
| `last-good.npz` | the state of all systems before one of them came to harm |
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from helio.coarse.rolling import REASONS, SOUND, Frame, Rolling, make_advance, start_rolling
from helio.coarse.rollout_file import RolledSystem, RolloutInfo, append_frames, create_rollout, cut_frames
from helio.coarse.scene import Scene, set_scene
from helio.coarse.settings import MAY_CHANGE, SimulateSettings
from helio.coarse.store import Store
from helio.devices import available_devices
from helio.errors import HelioError
from helio.files.checkpoint import damaged, read_arrays, read_checkpoint, reading_info, write_checkpoint
from helio.files.interrupt import stop_signal
from helio.files.log import Log
from helio.files.run_folder import RunFolder, claim_existing, claim_new, existing_run
from helio.precision import numerics
from helio.settings.checking import check_unchanged, checked

ROLLOUT = "rollout.h5"
LAST_GOOD = "last-good.npz"
_COLUMNS = ["step", "time", "seconds", "time_per_hour"]


@dataclass(frozen=True)
class Progress:
    """What can be shown of a roll-out."""

    step: int
    steps: int
    time: float  # simulated, of each system
    time_unit: str
    time_per_hour: float  # of all systems together
    seconds_left: float


@dataclass(frozen=True)
class Outcome:
    """How a roll-out ended."""

    step: int
    steps: int
    interrupted: bool


Report = Callable[[Progress], None]


def simulate_coarse(settings: SimulateSettings, out: str | Path, *, report: Report, overwrite: bool = False) -> Outcome:
    """Roll out into the folder `out`; Ctrl-C ends the run after the present block with a checkpoint.

    Raises:
        HelioError: model, systems or folder cannot be used, or a system came to harm; then its last good state is kept.
    """
    with numerics("float32"), stop_signal() as stop, ExitStack() as open_files:
        scene = set_scene(settings, open_files.enter_context(Store(settings.data)))
        folder = open_files.enter_context(claim_new(out, overwrite=overwrite))
        folder.write_settings(settings.model_dump(mode="json"))
        systems = {name: _rolled(scene, number) for number, name in enumerate(scene.motion.names)}
        create_rollout(folder.path / ROLLOUT, _rollout_info(scene), systems, gyration=True, overwrite=True)
        state = start_rolling(jnp.asarray(scene.history))
        _save(folder, state, scene, seconds=0.0)
        return _roll(scene, folder, state, 0.0, report, stop)


def resume_rollout(path: str | Path, *, report: Report, steps: int | None = None) -> Outcome:
    """Go on with the roll-out in a folder, bit for bit as if it had never stopped, up to `steps` in total.

    Raises:
        HelioError: as `simulate_coarse`, and if settings, data or model have changed.
    """
    values = existing_run(path).read_settings()
    settings = checked(SimulateSettings, values if steps is None else values | {"steps": steps})
    with numerics("float32"), stop_signal() as stop, ExitStack() as open_files:
        folder = open_files.enter_context(claim_existing(path))
        info = read_arrays(folder.checkpoint)[1]
        with reading_info(folder.checkpoint):
            check_unchanged(info["settings"], settings, str(path), may_change=MAY_CHANGE)
            weights, seconds = info["weights"], float(info["seconds"])
        scene = set_scene(settings, open_files.enter_context(Store(settings.data)))
        if weights != scene.info.weights_sha256:
            raise HelioError(f"{settings.model} is not the model that the run in {path} began with")
        state, _ = read_checkpoint(folder.checkpoint, start_rolling(jnp.asarray(scene.history)))
        if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state)) or int(state.step) < 0:
            raise damaged(folder.checkpoint, "it holds numbers that are not finite, or a step below zero")
        state = jax.tree.map(jnp.asarray, state)
        if int(state.step) > settings.steps:
            raise HelioError(f"the run in {path} is already at step {int(state.step)}, beyond {settings.steps}")
        cut_frames(folder.path / ROLLOUT, int(state.step) // settings.save_every, seconds=seconds)
        folder.write_settings(settings.model_dump(mode="json"))
        return _roll(scene, folder, state, seconds, report, stop)


def _rolled(scene: Scene, number: int) -> RolledSystem:
    settings, every = scene.settings, scene.motion.every[number]
    return RolledSystem(
        groups=scene.motion.systems[number][1],
        interval=scene.info.step_time * settings.save_every,
        step_interval=scene.info.step_time,
        history_begin=settings.begin,
        history_end=settings.begin + (scene.model.architecture.history - 1) * every + 1,
        box=None if scene.boxes is None else scene.boxes[number],
    )


def _rollout_info(scene: Scene) -> RolloutInfo:
    device = available_devices()[0]
    return RolloutInfo(
        length_unit=scene.info.length_unit,
        time_unit=scene.info.time_unit,
        model=scene.settings.model,
        store=scene.settings.data,
        seed=scene.settings.seed,
        history=scene.model.architecture.history,
        device=device.device_kind,
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
    )


def _roll(
    scene: Scene, folder: RunFolder, state: Rolling, seconds: float, report: Report, stop: threading.Event
) -> Outcome:
    """Block after block until the end, or until `stop` is set."""
    settings = scene.settings
    first = int(state.step)
    programs: dict[int, Any] = {}
    with closing(Log(folder.log, _COLUMNS, last_step=first or None)) as log:
        while (begin := int(state.step)) < settings.steps and not stop.is_set():
            steps = min(settings.checkpoint_every, settings.steps - begin)
            compile_seconds = 0.0
            if steps not in programs:
                programs[steps], compile_seconds = _compiled(scene, state, steps)
            began = time.monotonic()
            state, frame = jax.block_until_ready(programs[steps](*_inputs(scene), state))
            spent = time.monotonic() - began
            _check_harm(scene, folder, state, frame, begin, spent)
            _append(scene, folder, frame, seconds=spent, compile_seconds=compile_seconds)
            seconds += spent
            _save(folder, state, scene, seconds=seconds)
            step = int(state.step)
            per_hour = steps * scene.info.step_time * len(scene.keys) * 3600 / spent
            log.append([step, step * scene.info.step_time, round(seconds, 3), per_hour])
            left = (settings.steps - step) * spent / steps
            report(Progress(step, settings.steps, step * scene.info.step_time, scene.info.time_unit, per_hour, left))
    return Outcome(int(state.step), settings.steps, int(state.step) < settings.steps)


def _inputs(scene: Scene) -> tuple[Any, ...]:
    return scene.model, scene.topology, scene.boxes, scene.keys


def _compiled(scene: Scene, state: Rolling, steps: int) -> tuple[Any, float]:
    began, every = time.monotonic(), scene.settings.save_every
    advance: Any = make_advance(scene.limits, frames=steps // every, save_every=every)
    program = advance.lower(*_inputs(scene), state).compile()
    return program, time.monotonic() - began


def _append(scene: Scene, folder: RunFolder, frame: Frame, *, seconds: float, compile_seconds: float = 0.0) -> None:
    positions, radii = np.asarray(frame.positions), np.asarray(frame.gyration)
    centers, squares = {}, {}
    for number, (name, (system, groups)) in enumerate(zip(scene.motion.names, scene.motion.systems, strict=True)):
        centers[name] = positions[:, number, : len(groups)]
        squares[name] = radii[:, number, : system.molecule_count] ** 2
    append_frames(folder.path / ROLLOUT, centers, squares, seconds=seconds, compile_seconds=compile_seconds)


def _save(folder: RunFolder, state: Rolling, scene: Scene, *, seconds: float) -> None:
    info = {
        "settings": scene.settings.model_dump(mode="json"),
        "weights": scene.info.weights_sha256,
        "seconds": seconds,
    }
    write_checkpoint(folder.checkpoint, jax.device_get(state), info)


def _check_harm(scene: Scene, folder: RunFolder, state: Rolling, frame: Frame, begin: int, seconds: float) -> None:
    """Where a system came to harm keep the frames before, and all states, and raise `HelioError`."""
    harm = np.asarray(state.harm)
    if (harm == SOUND).all():
        return
    harmed = np.flatnonzero(harm != SOUND)
    number = int(harmed[np.argmin(np.asarray(state.harmed_step)[harmed])])
    step, group = int(state.harmed_step[number]), int(state.harmed_group[number])
    good = (step - 1 - begin) // scene.settings.save_every
    _append(scene, folder, jax.tree.map(lambda leaf: leaf[:good], frame), seconds=seconds)
    name, (_, groups) = scene.motion.names[number], scene.motion.systems[number]
    info = {"system": name, "step": step - 1, "group": group, "reason": REASONS[int(harm[number])]}
    write_checkpoint(folder.path / LAST_GOOD, jax.device_get(state), info)
    beads = np.flatnonzero(groups.members == group)
    raise HelioError(
        f"{name} came to harm in step {step}, at group {group} (beads {_listed(beads)}): {REASONS[int(harm[number])]}. "
        f"Frames until then are in {folder.path / ROLLOUT}, the last good state in {folder.path / LAST_GOOD}"
    )


def _listed(beads: np.ndarray) -> str:
    shown = ", ".join(map(str, beads[:3].tolist()))
    return shown if len(beads) <= 3 else f"{shown} and {len(beads) - 3} more"
