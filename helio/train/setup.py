"""All that a training is made of, from its settings and data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np
import optax
from ase.data import chemical_symbols
from jax.sharding import Mesh

from helio.datasets.store import Store
from helio.errors import HelioError
from helio.force_field import ForceField, ManyLevels, ModelInfo
from helio.physics.free_atoms import elements_with_values
from helio.train.batches import Batch
from helio.train.devices import make_mesh, place_blocks
from helio.train.loader import Loader
from helio.train.loss import Loss
from helio.train.low_rank import LowRank
from helio.train.optimiser import Rate, learning_rate, make_optimiser
from helio.train.parts import leaf_factors, part_factors
from helio.train.reference_energies import Table, as_mapping, given_energies
from helio.train.replay import ReplayLoader, renumbered
from helio.train.settings import TrainSettings
from helio.train.shapes import FEW_SHAPES
from helio.train.split import division_line, split_store
from helio.train.start import Start, all_levels, labelling, read_start, reference_table
from helio.train.step import make_measure
from helio.train.summary import Validate, make_validate

_DEFAULT_EPOCHS = 100.0
# As published: the number of updates in which the learning rate falls by the decay's factor.
_PUBLISHED_DECAY = 500_000


@dataclass(frozen=True)
class Setup:
    """What a training works with, before its first step."""

    settings: TrainSettings  # with a value for all that depends on the data
    model: ForceField | ManyLevels | LowRank
    factors: Any  # of the learning rate, a tree like the model; None where all are 1
    levels: tuple[str, ...]  # of theory, by number, of all data
    loss: Loss
    optimiser: optax.GradientTransformation
    rate: Rate
    mesh: Mesh
    training: Loader | ReplayLoader
    validate: Validate | None
    counts: tuple[int, int]  # structures to train on and to validate on
    reference_energies: dict[str, dict[str, float]]  # eV, by level and element, of the data
    known_energies: dict[str, dict[str, float]]  # likewise, of all levels of the model


def prepare(settings: TrainSettings, *, reference_energies: Mapping[str, Mapping[str, float]] | None = None) -> Setup:
    """Open the data, choose what to train on and make the model; to be called in the scope of its precision.

    Args:
        settings: as the user gives them.
        reference_energies: those of a run that goes on; else found as the settings say.

    Raises:
        HelioError: anything in the settings or data that does not fit.
    """
    mesh = make_mesh(settings.devices)
    (store, train), (others, validation) = chosen_structures(settings)
    for each in {store.path: store, others.path: others}.values():
        each.verify()
    start = _start(settings, store, train)
    force_field = start.force_field
    for where, chosen in ((store, train), (others, validation)):
        _check_labels(where, chosen, settings)
        check_elements(where, force_field)
    table = reference_table(settings, store, train, start, reference_energies)
    energies = as_mapping(store, table)
    training, known = make_loader(settings, store, train, force_field, mesh, table), dict(energies)
    levels = all_levels(settings, store, start)
    model = start.model(settings, levels)
    if settings.replay is not None:
        training, of_replay = _with_replay(settings, training, start, model, levels, mesh)
        known = of_replay | known
    if settings.heads == "per-level":
        known = {level: dict(own) for level, own in start.info.reference_energies.items() if level in levels} | known
    settings = completed(settings, training.batches_per_epoch)
    loss = Loss(
        settings.loss.weights, settings.loss.alpha, settings.loss.scales, long_range_cutoff=settings.long_range_cutoff
    )
    validate = None
    if len(validation):
        own = table if others is store else given_energies(others, energies)
        loader = make_loader(settings, others, validation, force_field, mesh, own, once=True)
        validate = make_validate(make_measure(loss, mesh=mesh), loader, loss.weights)
    rate = _rate(settings)
    model, factors = _chosen_parts(settings, model)
    optimiser = make_optimiser(
        settings.optimiser,
        rate,
        model,
        weight_decay=settings.weight_decay,
        clip_norm=settings.clip_norm,
        accumulate=settings.accumulate,
        factors=factors,
    )
    counts = len(train), len(validation)
    return Setup(
        settings, model, factors, levels, loss, optimiser, rate, mesh, training, validate, counts, energies, known
    )


def chosen_structures(settings: TrainSettings) -> tuple[tuple[Store, np.ndarray], tuple[Store, np.ndarray]]:
    """Stores and numbers of the structures to train on and to validate on."""
    store = Store(settings.data)
    apart = settings.validation_data is not None
    train, kept = split_store(
        store,
        train=settings.train,
        validation=0 if apart else settings.validation,
        seed=settings.split_seed,
        group_by=settings.group_by,
    )
    if settings.validation_data is None:
        return (store, train), (store, kept)
    others = Store(settings.validation_data)
    if settings.heads == "per-level" and others.levels != store.levels:
        raise HelioError(
            f"{others.path} has the levels of theory {', '.join(others.levels)} and {store.path} "
            f"{', '.join(store.levels)}: heads per level need the same ones in the same order"
        )
    return (store, train), (others, np.arange(len(others)))


def division(settings: TrainSettings) -> str:
    """How the data are divided, in one line for the user."""
    (store, train), (others, kept) = chosen_structures(settings)
    if others is not store:
        return f"{len(train):,} structures to train on, {len(kept):,} to validate on, from {others.path}"
    return division_line(store, train, kept, settings.group_by)


def replay_structures(settings: TrainSettings) -> tuple[Store, np.ndarray, np.ndarray]:
    """The store of replay, and the numbers of its structures to train on and to measure on."""
    assert settings.replay is not None
    store = Store(settings.replay)
    train, kept = split_store(store, train=None, validation=settings.replay_validation, seed=settings.split_seed)
    return store, train, kept


def _with_replay(
    settings: TrainSettings,
    own: Loader,
    start: Start,
    model: ForceField | ManyLevels,
    levels: tuple[str, ...],
    mesh: Mesh,
) -> tuple[Loader | ReplayLoader, dict[str, dict[str, float]]]:
    """The batches of both stores, and the reference energies that the labels of replay have."""
    other, train, _ = replay_structures(settings)
    other.verify()
    check_elements(other, start.force_field)
    if settings.replay_share == 0:
        return own, {}
    table = given_energies(other, {})
    if settings.replay_labels == "own":
        if not any(other.known(name)[train].any() for name in settings.loss.weights):
            raise HelioError(
                f"{other.path} has none of the labels that the loss weighs: set replay_labels to start, or import them"
            )
        table = reference_table(settings, other, train, start)
    replay = make_loader(settings, other, train, start.force_field, mesh, table, replayed=True)
    label = labelling(model, mesh, long_range_cutoff=settings.long_range_cutoff)
    numbers = np.array([levels.index(level) for level in other.levels], np.int32)

    def change(batch: Batch) -> Batch:
        batch = renumbered(batch, numbers)
        return batch if settings.replay_labels == "own" else label(batch)

    known = as_mapping(other, table) if settings.replay_labels == "own" else {}
    return ReplayLoader(own, replay, settings.replay_share, change), known


def _chosen_parts(settings: TrainSettings, model: ForceField | ManyLevels) -> tuple[Any, Any]:
    """The model as it is trained, and the factors of the learning rate for its arrays."""
    factors = part_factors(model, settings.parts)
    if settings.lora_rank is not None:
        adapted = LowRank.of(model, settings.lora_rank, factors, seed=settings.seed)
        return adapted, adapted.leaf_factors(factors)
    return model, leaf_factors(model, factors) if settings.parts else None


def make_loader(
    settings: TrainSettings,
    store: Store,
    indices: np.ndarray,
    force_field: ForceField,
    mesh: Mesh,
    table: Table,
    *,
    once: bool = False,
    replayed: bool = False,
) -> Loader:
    """A loader as the settings ask for it, for training or, `once`, for passes in order.

    Structures that are `replayed` all weigh the same. These and passes now and then have the fewest shapes: every one
    needs another program.
    """

    def weights(given: Mapping[str, float], names: tuple[str, ...]) -> dict[str, float]:
        """Those of this store; a validation store need not have all that the training store has."""
        return {name: weight for name, weight in given.items() if not replayed and (name in names or not once)}

    return Loader(
        store,
        indices,
        short_cutoff=force_field.settings.cutoff,
        long_cutoff=settings.long_range_cutoff,
        structures_per_batch=settings.structures_per_batch,
        atoms_per_batch=settings.atoms_per_batch,
        seed=settings.seed,
        shuffle=not once,
        epochs=1 if once else None,
        blocks=mesh.size,
        host=(jax.process_index(), jax.process_count()),
        reference_energies=table,
        level_weights=weights(settings.level_weights, store.levels),
        source_weights=weights(settings.source_weights, store.sources),
        workers=settings.workers,
        most_shapes=min(settings.most_shapes, FEW_SHAPES) if once or replayed else settings.most_shapes,
        place=partial(place_blocks, mesh=mesh, precision=settings.precision),
    )


def _rate(settings: TrainSettings) -> Rate:
    return learning_rate(
        settings.learning_rate,
        decay=settings.decay,
        decay_rate=settings.decay_rate,
        decay_updates=settings.decay_updates or _PUBLISHED_DECAY,
        final=settings.final_learning_rate,
        warmup_updates=settings.warmup_updates,
    )


def completed(settings: TrainSettings, batches_per_epoch: int) -> TrainSettings:
    """Settings with numbers of steps and updates where these follow from the data."""
    steps = settings.steps or math.ceil((settings.epochs or _DEFAULT_EPOCHS) * batches_per_epoch)
    updates = settings.decay_updates
    if updates is None and settings.decay == "cosine":
        updates = max(1, steps // settings.accumulate - settings.warmup_updates)
    return settings.model_copy(update={"steps": steps, "epochs": None, "decay_updates": updates or _PUBLISHED_DECAY})


def _check_labels(store: Store, chosen: np.ndarray, settings: TrainSettings) -> None:
    for name in settings.loss.weights if len(chosen) else ():
        if not store.known(name)[chosen].any():
            raise HelioError(
                f"the loss weighs {name.replace('_', ' ')}, but no structure chosen from {store.path} has such a "
                f"label: set loss.{name} to 0, or import data that have it"
            )


def _start(settings: TrainSettings, store: Store, train: np.ndarray) -> Start:
    """The start that settings name, or random weights."""
    if settings.start is not None:
        return read_start(settings)
    network = settings.network
    elements = tuple(int(z) for z in np.unique(store.rows("atomic_numbers")))
    unknown = [chemical_symbols[z] for z in elements if z not in elements_with_values()]
    if network.dispersion and unknown:
        raise HelioError(
            f"there are no free-atom values of {', '.join(unknown)} for the dispersion: set network.dispersion to "
            "false, or leave these elements out of the data"
        )
    pairs, _ = store.pair_counts(network.cutoff)
    average = max(1.0, 2 * float(pairs[train].sum()) / float(store.atoms[train].sum()))
    made = ForceField.initialise(network.force_field(elements=elements, average_neighbors=average), settings.seed)
    return Start(made.astype(settings.precision), None, ModelInfo(settings.name))


def check_elements(store: Store, force_field: ForceField) -> None:
    """Raise `HelioError` where a store has elements that the model does not know."""
    present = set(np.unique(store.rows("atomic_numbers")).tolist())
    unknown = sorted(present - set(force_field.settings.supported_elements))
    if unknown:
        raise HelioError(
            f"{store.path} holds {', '.join(chemical_symbols[z] for z in unknown)}, which the model does not know; "
            "leave these elements out of the data, or train from scratch"
        )
