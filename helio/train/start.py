"""The model that a fine-tuning starts from, and what it says about structures: its energies, and labels for replay."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Float

from helio.datasets.store import Store
from helio.errors import HelioError
from helio.force_field import ForceField, ManyLevels, ModelInfo, read_model_info
from helio.force_field.model_file import read_levels, read_model
from helio.force_field.registry import model_path
from helio.precision import Precision
from helio.train.batches import Batch, Known, Labels
from helio.train.compiling import quick
from helio.train.devices import AXIS, replicated
from helio.train.loader import Loader
from helio.train.loss import predictions
from helio.train.reference_energies import Table, compositions, fitted_energies, given_energies, isolated_atoms
from helio.train.settings import TrainSettings
from helio.train.shapes import FEW_SHAPES

# Structures whose energies a start predicts, to find by what constants they differ from the labels.
_FIT_TO = 1000


@dataclass(frozen=True)
class Start:
    """The weights with which a training begins."""

    force_field: ForceField  # at the level of theory that was chosen
    levels: ManyLevels | None  # all that its file names
    info: ModelInfo

    def model(self, settings: TrainSettings, levels: Sequence[str]) -> ForceField | ManyLevels:
        """What is trained: with heads for these levels, where settings ask for that.

        Levels that the file has keep their heads; others begin with those of the level that was chosen.
        """
        if settings.heads == "one":
            return self.force_field
        if self.levels is None:
            return ManyLevels.of(dict.fromkeys(levels, self.force_field))
        return self.levels.for_levels(levels, others=settings.start_level)


def read_start(settings: TrainSettings) -> Start:
    """The start that settings name; raises `HelioError` where there is no such model or level."""
    assert settings.start is not None
    path = model_path(settings.start)
    force_field, header = read_model(path, settings.start_level)
    levels = read_levels(path) if header.info.levels else None
    force_field = replace(force_field, uncertainty=None)  # that of other weights
    force_field, levels = jax.tree.map(lambda leaf: jnp.asarray(leaf, settings.precision), (force_field, levels))
    return Start(force_field, levels, read_model_info(path).info)


def all_levels(settings: TrainSettings, store: Store, start: Start) -> tuple[str, ...]:
    """The levels of theory of the data, of replay and, with heads for each, of the start: in this order.

    Raises:
        HelioError: the level that is to be the default is none of them.
    """
    found = [*store.levels]
    if settings.replay is not None:
        found += Store(settings.replay).levels
    if settings.heads == "per-level" and start.levels is not None:
        found += start.levels.names
    levels = tuple(dict.fromkeys(found))
    if settings.default_level is not None and settings.default_level not in levels:
        raise HelioError(f"default_level is {settings.default_level}, but the levels are {', '.join(levels)}")
    return levels


def energies_of(
    model: ForceField | ManyLevels,
    store: Store,
    indices: np.ndarray,
    *,
    long_range_cutoff: float,
    structures_per_batch: int,
    precision: Precision,
) -> Float[np.ndarray, " M"]:
    """Energies in eV that the model has for some structures of a store; NaN for the others."""
    predict = jax.jit(lambda model, batch: predictions(model, batch, long_range_cutoff=long_range_cutoff).energy)
    found = np.full(len(store), np.nan)
    loader = Loader(
        store,
        indices,
        short_cutoff=model.settings.cutoff,
        long_cutoff=long_range_cutoff,
        structures_per_batch=structures_per_batch,
        shuffle=False,
        epochs=1,
        most_shapes=FEW_SHAPES,
    )
    with closing(loader):
        for batch in loader:
            energies = np.asarray(predict(model, batch.astype(precision)))
            found[batch.index[batch.real]] = energies[batch.real]
    return found


def reference_table(
    settings: TrainSettings,
    store: Store,
    train: np.ndarray,
    start: Start,
    given: Mapping[str, Mapping[str, float]] | None = None,
) -> Table:
    """Energies of atoms that are taken off the labels.

    With a start, what remains is fitted to its energies, from the energies of atoms that its file has for that level.
    """
    if given is not None:
        return given_energies(store, given)
    if settings.loss.energy == 0 or settings.reference_energies == "none":
        return given_energies(store, {})
    if settings.reference_energies == "atoms":
        return isolated_atoms(store)
    if settings.start is None:
        return fitted_energies(store, train)
    known = np.random.default_rng(settings.split_seed).permutation(train[store.known("energy")[train]])[:_FIT_TO]
    if len(known) == 0:
        return given_energies(store, {})
    own = energies_of(
        start.model(settings, store.levels),
        store,
        known,
        long_range_cutoff=settings.long_range_cutoff,
        structures_per_batch=settings.structures_per_batch,
        precision=settings.precision,
    )
    there = start.info.reference_energies
    before = given_energies(store, {level: there[level] for level in store.levels if level in there})
    known = np.sort(known)
    own[known] += np.sum(compositions(store, known) * before[store.rows("level")[known]], axis=1)
    return before + fitted_energies(store, known, own)


def labelling(model: ForceField | ManyLevels, mesh: Mesh, *, long_range_cutoff: float) -> Callable[[Batch], Batch]:
    """A function that gives a batch the model's predictions as its labels, all of them known."""
    everywhere, blocks = PartitionSpec(), PartitionSpec(AXIS)
    labelled = jax.jit(
        jax.shard_map(
            partial(_labelled, long_range_cutoff=long_range_cutoff),
            mesh=mesh,
            in_specs=(everywhere, blocks),
            out_specs=blocks,
            check_vma=False,
        ),
        compiler_options=quick(mesh),
    )
    everywhere_model = replicated(model, mesh)
    return lambda batch: labelled(everywhere_model, batch)


def _labelled(model: Any, batch: Batch, *, long_range_cutoff: float) -> Batch:
    found = predictions(model, batch, long_range_cutoff=long_range_cutoff)
    stress = jnp.zeros_like(batch.labels.stress) if found.stress is None else found.stress
    known = {name: batch.real for name in Known.__dataclass_fields__}
    known["stress"] = batch.real & (found.stress is not None)
    labels = Labels(
        energy=found.energy,
        forces=found.forces,
        stress=stress,
        dipole=found.dipole,
        charges=found.charges,
        hirshfeld_ratios=found.hirshfeld_ratios,
        atomic_energies=found.atomic_energies,
    )
    return eqx.tree_at(lambda b: (b.labels, b.known), batch, (labels, Known(**known)))
