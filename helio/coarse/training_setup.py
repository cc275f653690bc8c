"""What a training works with, from its settings and its store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import equinox as eqx

from helio import __version__
from helio.coarse.capacity import most_within
from helio.coarse.loss import CoarseLoss
from helio.coarse.model_file import CoarseInfo
from helio.coarse.motion import Motion, is_periodic
from helio.coarse.network.architecture import Architecture
from helio.coarse.network.embedding import standardised
from helio.coarse.network.model import CoarseModel
from helio.coarse.network.standardise import Scales
from helio.coarse.settings import CoarseTrainSettings
from helio.coarse.store import Store
from helio.coarse.topology import Sizes
from helio.coarse.windows import Disturbance, FixedWindows, Windows
from helio.errors import HelioError
from helio.train.devices import make_mesh
from helio.train.optimiser import Rate, learning_rate, make_optimiser
from helio.train.step import make_measure
from helio.train.summary import Validate, make_validate


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


def prepare_training(settings: CoarseTrainSettings, store: Store) -> Setup:
    """The model with its first weights, the batches, and how they are learned from.

    Raises:
        HelioError: the data do not fit the settings.
    """
    names, checks = store.part("train"), store.part("validation")
    if not names:
        raise HelioError(f"{store.path} holds no systems to train on")
    step_time = settings.step_time or store.interval(names[0])
    everyone = Motion(store, (*names, *checks), step_time=step_time)
    motion, validation = (Motion(store, part, step_time=step_time) for part in (names, checks))
    architecture = _architecture(settings, everyone)
    scales = motion.scales(radius=settings.network.radius)
    sizes = everyone.sizes(separation=architecture.separation)
    weights = _weights(settings)
    model = CoarseModel(architecture, scales, seed=settings.seed)
    model = eqx.tree_at(lambda m: m.embedding, model, standardised(model.embedding, motion.topologies(sizes)))
    rate = _rate(settings)
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
        batches=_batches(settings, motion, sizes, architecture, scales),
        validate=_validate(settings, validation, sizes, architecture, weights) if checks else None,
        weights=weights,
        rate=rate,
        optimiser=make_optimiser("adam", rate, model, clip_norm=settings.clip_norm),
        counts=(len(names), len(checks)),
    )


def _architecture(settings: CoarseTrainSettings, everyone: Motion) -> Architecture:
    """With what comes from the systems that are trained and validated on."""
    store, network = everyone.store, settings.network
    periodic = is_periodic(store, everyone.names)
    columns = most_within(store, everyone.names, network.radius) if periodic and network.radius else 0
    kinds = [system.bond_types for system, _ in everyone.systems]
    return network.architecture(
        type_names=store.type_names,
        bond_types=max(0 if found is None else int(found.max()) + 1 for found in kinds),
        periodic=periodic,
        columns=columns,
    )


def _batches(
    settings: CoarseTrainSettings, motion: Motion, sizes: Sizes, architecture: Architecture, scales: Scales
) -> Windows:
    return Windows(
        motion,
        sizes,
        history=architecture.history,
        systems_per_batch=settings.systems_per_batch,
        windows_per_system=settings.windows_per_system,
        disturbance=Disturbance(
            noise=tuple(level * scales.step for level in settings.history_noise.sigmas),
            rotate=settings.rotate,
            sigmas=() if architecture.refinement is None else architecture.refinement.sigmas,
        ),
        seed=settings.seed,
    )


def _validate(
    settings: CoarseTrainSettings, motion: Motion, sizes: Sizes, architecture: Architecture, weights: dict[str, float]
) -> Validate:
    fixed = FixedWindows(
        motion,
        sizes,
        history=architecture.history,
        windows_per_system=settings.validation_windows,
        sigmas=() if architecture.refinement is None else architecture.refinement.sigmas,
    )
    return make_validate(make_measure(CoarseLoss(weights), mesh=make_mesh(1)), fixed, weights)


def _rate(settings: CoarseTrainSettings) -> Rate:
    return learning_rate(
        settings.learning_rate,
        decay=settings.decay,
        decay_rate=settings.decay_rate,
        decay_updates=settings.decay_updates or max(1, settings.steps - settings.warmup_updates),
        final=settings.final_learning_rate,
        warmup_updates=settings.warmup_updates,
    )


def _weights(settings: CoarseTrainSettings) -> dict[str, float]:
    """Of the terms that the model has."""
    weights = {"motion": settings.loss.motion}
    if settings.network.gyration is not None:
        weights["gyration"] = settings.loss.gyration
    if settings.network.refinement is not None:
        weights["score"] = settings.loss.score
    return weights
