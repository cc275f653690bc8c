"""Whole trainings: first the encoder of blocks, then the generative model; each can be gone on with.

| file | what |
|---|---|
| `settings.yaml` | everything that was asked for |
| `encoder/` | checkpoint and logs of the encoder of blocks |
| `checkpoint.npz`, `log.csv`, `validation.csv`, `skipped.csv` | of the generative model |
| `model.safetensors` | both, with the averaged weights of the best validation so far |
"""

from __future__ import annotations

import threading
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from helio import __version__
from helio.files.checkpoint import check_finite, read_arrays, read_checkpoint, reading_info
from helio.files.interrupt import stop_signal
from helio.files.run_folder import RunFolder, claim_existing, claim_new
from helio.frameworks.model.block_encoder import BlockEncoder, BlockLoss
from helio.frameworks.model.block_graphs import block_graph
from helio.frameworks.model.data import BlockBatches, FrameworkArrays, FrameworkBatches, first_rows
from helio.frameworks.model.diffusion import DiffusionLoss
from helio.frameworks.model.embedding import embed_library
from helio.frameworks.model.known_sites import known_sites
from helio.frameworks.model.measures import encode
from helio.frameworks.model.model_file import (
    FrameworkModel,
    FrameworkModelInfo,
    new_encoder,
    new_generative,
    parameter_count,
    save_framework_model,
)
from helio.frameworks.model.proportions import fit_proportions
from helio.frameworks.model.scaling import Scales
from helio.frameworks.model.settings import MAY_CHANGE, FrameworkTrainSettings
from helio.frameworks.model.training_set import TrainingSet, fitted_scales, read_training_set
from helio.precision import numerics
from helio.settings.checking import check_unchanged, checked
from helio.train.devices import make_mesh, replicated
from helio.train.logs import Logs
from helio.train.loop import Outcome, Position, Report, Rhythm, Work, run_loop
from helio.train.optimiser import Rate, learning_rate, make_optimiser
from helio.train.step import make_measure, make_step, start_state
from helio.train.summary import Validate, make_validate
from helio.train.timing import timed

MODEL, ENCODER = "model.safetensors", "encoder"
# Of the training set, kept in the model file to draw around: 128 kB.
_MOST_LATENTS = 1000


@dataclass(frozen=True)
class Preview:
    """What a training would do."""

    frameworks: tuple[int, int]  # to train on and to validate on
    blocks: int
    labels: tuple[str, ...]
    parameters: tuple[int, int]  # of the encoder of blocks and of the generative model
    shapes: int
    batches_per_epoch: int
    seconds_per_step: float  # of the generative model, for the first shape


def train_frameworks(
    settings: FrameworkTrainSettings, out: str | Path, *, report: Report, overwrite: bool = False
) -> Outcome:
    """Train into the folder `out`; the model is `out/model.safetensors`.

    Ctrl-C ends the run after the present step with a checkpoint.

    Raises:
        HelioError: anything wrong with the settings, the store or the folder.
    """
    data = read_training_set(settings)
    with ExitStack() as claims:
        folders = [claims.enter_context(claim_new(each, overwrite=overwrite)) for each in (out, Path(out) / ENCODER)]
        for folder in folders:
            folder.write_settings(settings.model_dump(mode="json"))
        return _go_on(settings, data, Path(out), report)


def resume_frameworks(path: str | Path, *, report: Report) -> Outcome:
    """Go on with the training in a folder, bit for bit as if it had never stopped.

    Raises:
        HelioError: as `train_frameworks`, and if the folder holds no such training.
    """
    settings = checked(FrameworkTrainSettings, RunFolder(Path(path)).read_settings())
    data = read_training_set(settings)
    with ExitStack() as claims:
        claims.enter_context(claim_existing(Path(path) / ENCODER))
        if RunFolder(Path(path)).checkpoint.exists():
            claims.enter_context(claim_existing(path))
        return _go_on(settings, data, Path(path), report)


def preview(settings: FrameworkTrainSettings) -> Preview:
    """Check the settings and the store, and take two steps to time them, without writing anything."""
    data = read_training_set(settings)
    with numerics("float32"):
        embeddings = embed_library(new_encoder(settings.encoder, settings.seed), data.library)
        batches = _batches(settings, data.train, embeddings, fitted_scales(data, embeddings), seed=settings.seed)
        seconds = _seconds_per_step(settings, _new_model(settings, data), next(iter(batches)))
    return Preview(
        frameworks=(len(data.train), len(data.validation)),
        blocks=len(data.library),
        labels=data.labels,
        parameters=(
            parameter_count(new_encoder(settings.encoder, settings.seed)),
            parameter_count(_new_model(settings, data)),
        ),
        shapes=batches.shapes,
        batches_per_epoch=batches.batches_per_epoch,
        seconds_per_step=seconds,
    )


def _seconds_per_step(settings: FrameworkTrainSettings, model: Any, batch: Any) -> float:
    """Of the generative model, when it is compiled."""
    optimiser = make_optimiser("adam", lambda _: settings.learning_rate, model, clip_norm=settings.clip_norm)
    mesh = make_mesh(1)
    step = make_step(_loss(settings), optimiser, mesh=mesh, averaging=settings.averaging)
    return timed(step, replicated(start_state(model, optimiser), mesh), batch)[2]


def _loss(settings: FrameworkTrainSettings) -> DiffusionLoss:
    return DiffusionLoss(settings.schedule.schedule, settings.kl_weight, settings.places_weight)


def _new_model(settings: FrameworkTrainSettings, data: TrainingSet) -> Any:
    return new_generative(settings.network, settings.encoder.channels, len(data.labels), settings.seed)


def _batches(
    settings: FrameworkTrainSettings,
    arrays: FrameworkArrays,
    embeddings: np.ndarray,
    scales: Scales,
    *,
    seed: int,
    once: bool = False,
) -> FrameworkBatches:
    return FrameworkBatches(
        arrays,
        embeddings,
        scales,
        latent=settings.network.latent,
        noise_steps=settings.schedule.steps,
        per_batch=settings.frameworks_per_batch,
        draws=settings.draws,
        most_shapes=settings.most_shapes,
        seed=seed,
        once=once,
    )


def _go_on(settings: FrameworkTrainSettings, data: TrainingSet, folder: Path, report: Report) -> Outcome:
    """Both stages, each from its checkpoint where there is one."""
    with numerics("float32"), stop_signal() as stop:
        encoder, outcome = _train_encoder(settings, data, folder / ENCODER, report, stop)
        if outcome.reason != "done":
            return outcome
        return _train_generative(settings, data, encoder, folder, report, stop)


def _train_encoder(
    settings: FrameworkTrainSettings, data: TrainingSet, folder: Path, report: Report, stop: threading.Event
) -> tuple[BlockEncoder, Outcome]:
    own = settings.encoder
    graphs = [block_graph(block) for block in data.library.blocks]
    batches = BlockBatches(
        graphs, data.library.classes, per_batch=own.blocks_per_batch, jitter=own.jitter, seed=settings.seed
    )
    stage = _Stage(BlockLoss(), batches, None, own.steps, own.learning_rate, 0, 1)
    return stage.run(settings, new_encoder(own, settings.seed), folder, report, stop, release=lambda model: None)


def _train_generative(
    settings: FrameworkTrainSettings,
    data: TrainingSet,
    encoder: BlockEncoder,
    folder: Path,
    report: Report,
    stop: threading.Event,
) -> Outcome:
    embeddings = embed_library(encoder, data.library)
    scales = fitted_scales(data, embeddings)
    loss = _loss(settings)
    batches = _batches(settings, data.train, embeddings, scales, seed=settings.seed)
    validate = None
    if len(data.validation):
        held_out = _batches(settings, data.validation, embeddings, scales, seed=0, once=True)
        validate = make_validate(make_measure(loss, mesh=make_mesh(1)), held_out, loss.weights)
    info = FrameworkModelInfo(settings.name, settings.licence, settings.citation, f"trained by Helio {__version__}")
    whole = FrameworkModel(
        encoder_settings=settings.encoder,
        network_settings=settings.network,
        schedule_settings=settings.schedule,
        scales=scales,
        library=data.library,
        embeddings=embeddings,
        encoder=jax.device_get(encoder),
        generative=_new_model(settings, data),
        latents=np.zeros((0, settings.network.latent), np.float32),
        info=info,
    )
    some = first_rows(data.train, _MOST_LATENTS)
    whole = with_nets(whole, data.train, some)

    def release(model: Any) -> None:
        trained = replace(whole, generative=jax.device_get(model))
        save_framework_model(replace(trained, latents=encode(trained, some, embeddings)), folder / MODEL)

    stage = _Stage(
        loss, batches, validate, settings.steps, settings.learning_rate, settings.warmup_updates, batches.shapes
    )
    return stage.run(settings, whole.generative, folder, report, stop, release=release)[1]


def with_nets(model: FrameworkModel, arrays: FrameworkArrays, some: FrameworkArrays) -> FrameworkModel:
    """The model with proportions of frameworks and sites of some of them, where each has one node and one linker."""
    proportions = fit_proportions(arrays.blocks, arrays.mask, arrays.cell, model.library)
    if proportions is None:
        return model
    sites = known_sites(some.blocks, some.mask, some.cell, some.fractional, model.library)
    return replace(model, proportions=proportions, sites=sites)


@dataclass(frozen=True)
class _Stage:
    """What differs between the two stages."""

    loss: Any
    batches: BlockBatches | FrameworkBatches
    validate: Validate | None
    steps: int
    peak: float
    warmup: int
    shapes: int

    def run(
        self,
        settings: FrameworkTrainSettings,
        model: Any,
        folder: Path,
        report: Report,
        stop: threading.Event,
        *,
        release: Any,
    ) -> tuple[Any, Outcome]:
        """Train `model` in `folder`, from the checkpoint there if it has one; the averaged weights come back."""
        rate = self._rate()
        optimiser = make_optimiser("adam", rate, model, clip_norm=settings.clip_norm)
        mesh = make_mesh(1)
        state, position = start_state(model, optimiser), Position()
        checkpoint = folder / "checkpoint.npz"
        if checkpoint.exists():
            _, info = read_arrays(checkpoint)
            with reading_info(checkpoint):
                check_unchanged(info["settings"], settings, str(folder), may_change=MAY_CHANGE)
                position = Position.from_json(info["position"])
                self.batches.restore(info["data"])
            state, _ = read_checkpoint(checkpoint, jax.device_get(state))
            check_finite(checkpoint, state.model)
        work = Work(
            step=make_step(self.loss, optimiser, mesh=mesh, averaging=settings.averaging),
            batches=self.batches,
            weights=dict(self.loss.weights),
            rate=rate,
            validate=self.validate,
            release=release,
            checkpoint=checkpoint,
            shapes=self.shapes,
            info={"settings": settings.model_dump(mode="json")},
        )
        rhythm = Rhythm(
            steps=self.steps,
            log_every=settings.log_every,
            validate_every=settings.validate_every,
            checkpoint_every=settings.checkpoint_every,
            seconds=None if settings.hours is None else 3600 * settings.hours,
        )
        with closing(Logs(folder, list(self.loss.weights), last_step=position.step or None)) as logs:
            state, outcome = run_loop(
                work, replicated(state, mesh), rhythm, position=position, logs=logs, report=report, stop=stop
            )
        return jax.device_get(state.average), outcome

    def _rate(self) -> Rate:
        decay = max(1, self.steps - self.warmup)
        return learning_rate(self.peak, decay="cosine", decay_updates=decay, warmup_updates=self.warmup)
