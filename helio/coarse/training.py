"""Whole trainings of coarse models: from settings to a run folder with a model, and on from there.

The folder is laid out as that of any training (`helio.train.run`): `settings.yaml`, `model.safetensors` (averaged
weights of the best validation), `checkpoint.npz`, `log.csv`, `validation.csv`, `skipped.csv`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

from helio import __version__
from helio.coarse.capacity import most_within
from helio.coarse.loss import Batch, CoarseLoss
from helio.coarse.model_file import CoarseInfo, save_coarse
from helio.coarse.motion import Motion, is_periodic
from helio.coarse.network.model import CoarseModel
from helio.coarse.settings import CoarseTrainSettings, check_unchanged, checked
from helio.coarse.store import Store
from helio.coarse.windows import Disturbance, FixedWindows, Windows
from helio.errors import HelioError
from helio.files.checkpoint import read_arrays, read_checkpoint
from helio.files.interrupt import stop_signal
from helio.files.run_folder import RunFolder, claim_existing, claim_new, existing_run
from helio.precision import numerics
from helio.train.devices import make_mesh, replicated
from helio.train.logs import Logs
from helio.train.loop import Outcome, Position, Report, Rhythm, Work, run_loop
from helio.train.optimiser import Rate, learning_rate, make_optimiser
from helio.train.step import TrainState, make_measure, make_step, start_state
from helio.train.summary import Validate, make_validate

MODEL = "model.safetensors"


@dataclass(frozen=True)
class Setup:
    """All that a training works with."""

    settings: CoarseTrainSettings
    model: CoarseModel
    info: CoarseInfo
    batches: Windows
    validate: Validate | None
    weights: dict[str, float]
    rate: Rate
    optimiser: Any
    counts: tuple[int, int]  # systems to train on and to validate on


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
        check_unchanged(info["settings"], settings, str(path))
        setup = prepare_training(settings, open_files.enter_context(Store(settings.data)))
        position = Position(**info["position"])
        if position.step > settings.steps:
            raise HelioError(f"the run in {path} is already at step {position.step}, beyond {settings.steps}")
        setup.batches.restore(info["data"])
        blank = jax.device_get(start_state(setup.model, setup.optimiser))
        state, _ = read_checkpoint(folder.checkpoint, blank)
        folder.write_settings(settings.model_dump(mode="json"))
        return _go_on(setup, folder, replicated(state, make_mesh(1)), position, report, stop)


def preview_training(settings: CoarseTrainSettings) -> Preview:
    """Check everything and take two steps, without writing anything."""
    with numerics("float32"), Store(settings.data) as store:
        setup = prepare_training(settings, store)
        step, batch = _step(setup), setup.batches.batch(0)
        state, found = step(_first_state(setup), batch)
        loss = float(found.loss)
        began = time.perf_counter()
        step(state, setup.batches.batch(1))[1].loss.block_until_ready()
        return Preview(
            settings=settings,
            counts=setup.counts,
            parameters=sum(leaf.size for leaf in jax.tree.leaves(setup.model)),
            step_time=setup.info.step_time,
            time_unit=setup.info.time_unit,
            batches_per_epoch=setup.batches.batches_per_epoch,
            seconds_per_step=time.perf_counter() - began,
            loss=loss,
        )


def prepare_training(settings: CoarseTrainSettings, store: Store) -> Setup:
    """The model with its first weights, the batches, and how they are learned from.

    Raises:
        HelioError: the data do not fit the settings.
    """
    names, checks = store.part("train"), store.part("validation")
    if not names:
        raise HelioError(f"{store.path} holds no systems to train on")
    step_time = settings.step_time or store.interval(names[0])
    network, everyone = settings.network, (*names, *checks)
    motion = Motion(store, names, step_time=step_time)
    periodic = is_periodic(store, everyone)
    architecture = network.architecture(
        type_names=store.type_names,
        bond_types=max(_bond_types(store, name) for name in everyone),
        periodic=periodic,
        columns=most_within(store, everyone, network.radius or 0.0) if periodic else 0,
    )
    scales = motion.scales(radius=network.radius)
    validation = Motion(store, checks, step_time=step_time)
    sizes = Motion(store, everyone, step_time=step_time).sizes
    sigmas = () if architecture.refinement is None else architecture.refinement.sigmas
    batches = Windows(
        motion,
        sizes,
        history=network.history,
        systems_per_batch=settings.systems_per_batch,
        windows_per_system=settings.windows_per_system,
        disturbance=Disturbance(
            noise=tuple(level * scales.step for level in settings.history_noise.sigmas),
            rotate=settings.rotate,
            sigmas=sigmas,
        ),
        seed=settings.seed,
    )
    weights = _weights(settings)
    validate = None
    if checks:
        fixed = FixedWindows(
            validation,
            sizes,
            history=network.history,
            windows_per_system=settings.validation_windows,
            sigmas=sigmas,
        )
        validate = make_validate(make_measure(CoarseLoss(weights), mesh=make_mesh(1)), fixed, weights)
    model = CoarseModel(architecture, scales, seed=settings.seed)
    rate = learning_rate(
        settings.learning_rate,
        decay=settings.decay,
        decay_rate=settings.decay_rate,
        decay_updates=settings.decay_updates or max(1, settings.steps - settings.warmup_updates),
        final=settings.final_learning_rate,
        warmup_updates=settings.warmup_updates,
    )
    return Setup(
        settings=settings,
        model=model,
        info=CoarseInfo(
            name=settings.name,
            step_time=step_time,
            length_unit=store.length_unit,
            time_unit=store.time_unit,
            beads_per_group=store.beads_per_group,
            source=f"trained by Helio {__version__} on {store.origin or store.path.name}",
        ),
        batches=batches,
        validate=validate,
        weights=weights,
        rate=rate,
        optimiser=make_optimiser("adam", rate, model, clip_norm=settings.clip_norm),
        counts=(len(names), len(checks)),
    )


def _weights(settings: CoarseTrainSettings) -> dict[str, float]:
    """Of the terms that the model has."""
    weights = {"motion": settings.loss.motion}
    if settings.network.gyration is not None:
        weights["gyration"] = settings.loss.gyration
    if settings.network.refinement is not None:
        weights["score"] = settings.loss.score
    return weights


def _bond_types(store: Store, name: str) -> int:
    """How many kinds of bonds there may be in a system; 0 where they are not known."""
    found = store.system(name).bond_types
    return 0 if found is None else int(found.max()) + 1


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
