"""Whole trainings: from settings to a run folder with a model, and on from there.

| file | what |
|---|---|
| `settings.yaml` | everything that was asked for |
| `reference_energies.json` | energies of atoms that were taken off the labels, eV by level of theory and element |
| `model.safetensors` | the averaged weights of the best validation so far, as any command takes them |
| `checkpoint.npz`, `checkpoint.previous.npz` | where to go on |
| `log.csv`, `validation.csv`, `skipped.csv` | see `helio.train.logs` |
| `report.html` | curves, parity plots and the worst structures, from `helio train` |
"""

from __future__ import annotations

import json
import math
import threading
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import jax
import numpy as np

from helio import __version__
from helio.errors import HelioError
from helio.files.atomic import write_text
from helio.files.checkpoint import check_finite, read_arrays, read_checkpoint, reading_info
from helio.files.interrupt import stop_signal
from helio.files.json_text import read_json
from helio.files.run_folder import RunFolder, claim_existing, claim_new, existing_run
from helio.force_field import ManyLevels, ModelInfo, save_model
from helio.precision import numerics
from helio.settings.checking import check_unchanged, checked
from helio.simulate.processes import led_by_first, prepare_devices
from helio.train.devices import replicated
from helio.train.logs import TENSORBOARD, Logs, TensorBoard, Tracker, WeightsAndBiases
from helio.train.loop import Outcome, Position, Report, Rhythm, Work, run_loop
from helio.train.low_rank import merged
from helio.train.settings import MAY_CHANGE, TrainSettings
from helio.train.setup import Setup, prepare
from helio.train.shapes import Shape, Waste
from helio.train.step import Step, TrainState, make_step, start_state
from helio.train.timing import timed

MODEL = "model.safetensors"
REFERENCES = "reference_energies.json"


@dataclass(frozen=True)
class Preview:
    """What a training would do."""

    settings: TrainSettings
    counts: tuple[int, int]  # structures to train on and to validate on
    parameters: int
    trained: int  # of these
    shapes: list[Shape]
    waste: Waste
    steps_per_epoch: int
    seconds_per_step: float  # mean over the shapes
    loss: float  # of the first batch
    devices: int


def train_model(settings: TrainSettings, out: str | Path, *, report: Report, overwrite: bool = False) -> Outcome:
    """Train into the folder `out`; the model is `out/model.safetensors`.

    Ctrl-C ends the run after the present step with a checkpoint. Raises `HelioError` for anything wrong with the
    settings, the data or the folder, and for gradients that stay not finite.
    """
    _prepare_devices(settings)
    with numerics(settings.precision), stop_signal() as stop, ExitStack() as claims:
        setup = prepare(settings)
        with led_by_first() as leads:
            folder = claims.enter_context(claim_new(out, overwrite=overwrite)) if leads else RunFolder(Path(out))
            if leads:
                folder.write_settings(setup.settings.model_dump(mode="json"))
                write_text(folder.path / REFERENCES, json.dumps(setup.reference_energies, indent=2) + "\n")
        state = replicated(start_state(setup.model, setup.optimiser), setup.mesh)
        return _go_on(setup, folder, state, Position(), report, stop, leads=leads)


def resume_training(path: str | Path, *, report: Report, steps: int | None = None) -> Outcome:
    """Go on with the run in a folder, bit for bit as if it had never stopped, up to `steps` in total.

    Raises `HelioError` as `train_model` does, and if the folder holds no training or its settings or data have changed.
    """
    settings = checked(TrainSettings, existing_run(path).read_settings())
    if steps is not None:
        settings = checked(TrainSettings, settings.model_dump() | {"steps": steps})
    _prepare_devices(settings)
    with numerics(settings.precision), stop_signal() as stop, ExitStack() as claims:
        with led_by_first() as leads:
            folder = claims.enter_context(claim_existing(path)) if leads else RunFolder(Path(path))
            _, info = read_arrays(folder.checkpoint)
            with reading_info(folder.checkpoint):
                check_unchanged(info["settings"], settings, str(path), may_change=MAY_CHANGE)
                position = Position.from_json(info["position"])
        setup = prepare(settings, reference_energies=read_references(folder.path / REFERENCES))
        if position.step > (setup.settings.steps or 0):
            raise HelioError(f"the run in {path} is already at step {position.step}, beyond {setup.settings.steps}")
        with reading_info(folder.checkpoint):
            setup.training.restore(info["data"])
        blank = jax.device_get(start_state(setup.model, setup.optimiser))
        state, _ = read_checkpoint(folder.checkpoint, blank)
        check_finite(folder.checkpoint, state.model)
        if leads:
            folder.write_settings(setup.settings.model_dump(mode="json"))
        return _go_on(setup, folder, replicated(state, setup.mesh), position, report, stop, leads=leads)


def preview(settings: TrainSettings) -> Preview:
    """Check everything and take a step with a batch of each shape, without writing anything."""
    _prepare_devices(settings)
    with numerics(settings.precision):
        setup = prepare(settings)
        step = _step(setup)
        state = replicated(start_state(setup.model, setup.optimiser), setup.mesh)
        seconds: dict[Any, float] = {}
        losses = []
        with closing(setup.training):
            for batch in islice(setup.training, setup.training.batches_per_epoch):
                kind = jax.tree.map(np.shape, batch), batch.system.pbc
                if str(kind) in seconds:
                    continue
                state, loss, seconds[str(kind)] = timed(step, state, batch)
                losses.append(loss)
                if len(seconds) == len(setup.training.shapes):
                    break
        return Preview(
            settings=setup.settings,
            counts=setup.counts,
            parameters=sum(leaf.size for leaf in jax.tree.leaves(setup.model)),
            trained=_trained(setup),
            shapes=setup.training.shapes,
            waste=setup.training.waste(),
            steps_per_epoch=setup.training.batches_per_epoch,
            seconds_per_step=float(np.mean(list(seconds.values()))),
            loss=losses[0],
            devices=setup.mesh.size,
        )


def save_released(model: Any, setup: Setup, path: Path) -> None:
    """Write a model with all that is known of it; of several levels of theory the default comes first."""
    settings, model, levels = setup.settings, merged(model), setup.levels
    if isinstance(model, ManyLevels):
        first = settings.default_level or levels[0]
        model = model.for_levels([first, *(level for level in levels if level != first)])
    info = ModelInfo(
        settings.name,
        settings.licence,
        settings.citation,
        f"trained by Helio {__version__}",
        levels=levels if len(levels) == 1 else (),
        reference_energies=setup.known_energies,
    )
    save_model(model, path, info)


def _trained(setup: Setup) -> int:
    leaves = jax.tree.leaves(setup.model)
    factors = [1.0] * len(leaves) if setup.factors is None else jax.tree.leaves(setup.factors)
    return sum(leaf.size for leaf, factor in zip(leaves, factors, strict=True) if factor)


def _prepare_devices(settings: TrainSettings) -> None:
    if settings.devices is not None:
        prepare_devices(settings.devices)


def _step(setup: Setup) -> Step:
    return make_step(
        setup.loss, setup.optimiser, mesh=setup.mesh, averaging=setup.settings.averaging, factors=setup.factors
    )


def _go_on(
    setup: Setup,
    folder: RunFolder,
    state: TrainState,
    position: Position,
    report: Report,
    stop: threading.Event,
    *,
    leads: bool,
) -> Outcome:
    settings = setup.settings

    def release(model: Any) -> None:
        save_released(jax.device_get(model), setup, folder.path / MODEL)

    work = Work(
        step=_step(setup),
        batches=setup.training,
        weights=dict(setup.loss.weights),
        rate=setup.rate,
        validate=setup.validate,
        release=release,
        checkpoint=folder.checkpoint,
        shapes=len(setup.training.shapes),
        info={"settings": settings.model_dump(mode="json")},
    )
    assert settings.steps is not None
    rhythm = Rhythm(
        steps=settings.steps,
        log_every=settings.log_every,
        validate_every=settings.validate_every,
        checkpoint_every=settings.checkpoint_every,
        patience=settings.patience,
        seconds=None if settings.hours is None else 3600 * settings.hours,
    )
    with ExitStack() as open_files:
        open_files.enter_context(closing(setup.training))
        logs = open_files.enter_context(closing(_logs(setup, folder, position.step))) if leads else None
        _, outcome = run_loop(work, state, rhythm, position=position, logs=logs, report=report, stop=stop)
    return outcome


def _logs(setup: Setup, folder: RunFolder, step: int) -> Logs:
    settings, last = setup.settings, step or None
    trackers: list[Tracker] = []
    if settings.tensorboard:
        trackers.append(TensorBoard(folder.path / TENSORBOARD, last_step=last))
    if settings.wandb is not None:
        values = settings.model_dump(mode="json")
        trackers.append(WeightsAndBiases(folder.path, project=settings.wandb, settings=values))
    return Logs(folder.path, list(setup.loss.weights), trackers, last_step=last)


def read_references(path: Path) -> dict[str, dict[str, float]]:
    """Energies of atoms in eV by level of theory and element, from a run folder.

    Raises:
        HelioError: there is no such file, or it holds something else.
    """
    values = read_json(path, "file of reference energies")
    levels = values.values() if isinstance(values, dict) else [values]
    if not all(isinstance(level, dict) for level in levels) or not all(
        isinstance(energy, int | float) and math.isfinite(energy) for level in levels for energy in level.values()
    ):
        raise HelioError(f"{path} is damaged: it does not hold an energy for each element; copy it again")
    return values
