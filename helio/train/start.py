"""What the model that a fine-tuning starts from says about structures: its energies, and labels for replay."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Float

from helio.force_field import ForceField
from helio.precision import Precision
from helio.train.batches import Batch, Known, Labels
from helio.train.devices import AXIS, replicated
from helio.train.levels import ManyLevels
from helio.train.loader import Loader
from helio.train.loss import predictions
from helio.train.store import Store


def energies_of(
    model: ForceField,
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
    )
    with closing(loader):
        for batch in loader:
            energies = np.asarray(predict(model, batch.astype(precision)))
            found[batch.index[batch.real]] = energies[batch.real]
    return found


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
        )
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
