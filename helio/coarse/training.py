"""Whole trainings of coarse models: from settings to a run folder with a model, and on from there.

The folder is laid out as that of any training (`helio.train.run`): `settings.yaml`, `model.safetensors` (averaged
weights of the best validation), `checkpoint.npz`, `log.csv`, `validation.csv`, `skipped.csv`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

from helio.coarse.loss import Batch, CoarseLoss
from helio.coarse.model_file import save_coarse
from helio.coarse.settings import MAY_CHANGE, CoarseTrainSettings
from helio.coarse.store import Store
from helio.coarse.training_setup import Setup, prepare_training
from helio.errors import HelioError
from helio.files.checkpoint import check_finite, read_arrays, read_checkpoint, reading_info
from helio.files.interrupt import stop_signal
from helio.files.run_folder import RunFolder, claim_existing, claim_new, existing_run
from helio.precision import numerics
from helio.settings.checking import check_unchanged, checked
from helio.train.devices import make_mesh, replicated
from helio.train.logs import Logs
from helio.train.loop import Outcome, Position, Report, Rhythm, Work, run_loop
from helio.train.step import TrainState, make_step, start_state
from helio.train.timing import timed

MODEL = "model.safetensors"


@dataclass(frozen=True)
class Preview:
    """What a training would do."""

    settings: CoarseTrainSettings
    counts: tuple[int, int]
    parameters: int
    step_time: float
    time_unit: str
    batches_per_epoch: int
    seconds_per_step: float
    loss: float  # of the first batch


def train_coarse(settings: CoarseTrainSettings, out: str | Path, *, report: Report, overwrite: bool = False) -> Outcome:
    """Train into the folder `out`; Ctrl-C ends the run after the present step with a checkpoint.

    Raises:
        HelioError: anything is wrong with the settings, the data or the folder, or gradients stay not finite.
    """
    with numerics("float32"), stop_signal() as stop, ExitStack() as open_files:
        setup = prepare_training(settings, open_files.enter_context(Store(settings.data)))
        folder = open_files.enter_context(claim_new(out, overwrite=overwrite))
        folder.write_settings(settings.model_dump(mode="json"))
        return _go_on(setup, folder, _first_state(setup), Position(), report, stop)


def resume_coarse(path: str | Path, *, report: Report, steps: int | None = None) -> Outcome:
    """Go on with the training in a folder, bit for bit as if it had never stopped, up to `steps` in total.

    Raises:
        HelioError: as `train_coarse`, and if settings or data have changed.
    """
    values = existing_run(path).read_settings()
    settings = checked(CoarseTrainSettings, values if steps is None else values | {"steps": steps})
    with numerics("float32"), stop_signal() as stop, ExitStack() as open_files:
        folder = open_files.enter_context(claim_existing(path))
        info = read_arrays(folder.checkpoint)[1]
        with reading_info(folder.checkpoint):
            check_unchanged(info["settings"], settings, str(path), may_change=MAY_CHANGE)
            position = Position.from_json(info["position"])
        setup = prepare_training(settings, open_files.enter_context(Store(settings.data)))
        if position.step > settings.steps:
            raise HelioError(f"the run in {path} is already at step {position.step}, beyond {settings.steps}")
        with reading_info(folder.checkpoint):
            setup.batches.restore(info["data"])
        blank = jax.device_get(start_state(setup.model, setup.optimiser))
        state, _ = read_checkpoint(folder.checkpoint, blank)
        check_finite(folder.checkpoint, state.model)
        folder.write_settings(settings.model_dump(mode="json"))
        return _go_on(setup, folder, replicated(state, make_mesh(1)), position, report, stop)


def preview_training(settings: CoarseTrainSettings) -> Preview:
    """Check everything and take two steps, without writing anything."""
    with numerics("float32"), Store(settings.data) as store:
        setup = prepare_training(settings, store)
        _, loss, seconds = timed(_step(setup), _first_state(setup), setup.batches.batch(0))
        return Preview(
            settings=settings,
            counts=setup.counts,
            parameters=sum(leaf.size for leaf in jax.tree.leaves(setup.model)),
            step_time=setup.info.step_time,
            time_unit=setup.info.time_unit,
            batches_per_epoch=setup.batches.batches_per_epoch,
            seconds_per_step=seconds,
            loss=loss,
        )


def _first_state(setup: Setup) -> TrainState:
    """On its device as steps leave it, so that there is one program."""
    return replicated(start_state(setup.model, setup.optimiser), make_mesh(1))


def _step(setup: Setup) -> Callable[[TrainState, Batch], Any]:
    return make_step(CoarseLoss(setup.weights), setup.optimiser, mesh=make_mesh(1), averaging=setup.settings.averaging)


def _go_on(
    setup: Setup, folder: RunFolder, state: TrainState, position: Position, report: Report, stop: threading.Event
) -> Outcome:
    settings = setup.settings
    work = Work(
        step=_step(setup),
        batches=setup.batches,
        weights=setup.weights,
        rate=setup.rate,
        validate=setup.validate,
        release=lambda model: save_coarse(jax.device_get(model), folder.path / MODEL, setup.info),
        checkpoint=folder.checkpoint,
        info={"settings": settings.model_dump(mode="json")},
    )
    rhythm = Rhythm(
        steps=settings.steps,
        log_every=settings.log_every,
        validate_every=settings.validate_every,
        checkpoint_every=settings.checkpoint_every,
        patience=settings.patience,
        seconds=None if settings.hours is None else 3600 * settings.hours,
    )
    with closing(Logs(folder.path, list(setup.weights), last_step=position.step or None)) as logs:
        return run_loop(work, state, rhythm, position=position, logs=logs, report=report, stop=stop)[1]
