"""From labelled structures to a model that knows how uncertain it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from helio.errors import HelioError
from helio.evaluate.uncertainty import (
    Chosen,
    Report,
    UncertaintyCheck,
    batches,
    check_forces,
    check_uncertainty,
    force_errors,
)
from helio.force_field import ForceField
from helio.force_field.long_range_cutoff import PERIODIC
from helio.prediction import Prediction
from helio.train.batches import Batch
from helio.train.loss import predictions
from helio.uncertainty import Curvature, Rigidity, slopes

FITTING, CHOOSING = "what the data say", "what they leave open"
# Of the largest uncertainties of structures held out, the share that lies below the limit.
LIMIT_QUANTILE = 0.99
# eV/A; a model that is closer to its labels has made them itself.
_LEAST_ERROR = 1e-4


def calibrate(
    force_field: ForceField,
    data: Chosen,
    held_out: Chosen,
    *,
    weights: Mapping[str, float],
    members: int = 16,
    probes: int = 4,
    long_range_cutoff: float = PERIODIC,
    seed: int = 0,
    report: Report = lambda *_: None,
) -> tuple[ForceField, UncertaintyCheck]:
    """The model with an uncertainty, and the comparison with its errors on what was held out.

    H (`helio.uncertainty`) is that of the labels in `data`; s^2 is the one by which the errors of forces on `held_out`
    are most likely; alpha of energies and of forces makes their mean squares right there. The limit is the quantile
    `LIMIT_QUANTILE` of the largest uncertainty of an atom in each structure held out.

    Args:
        force_field: in float32, with plain kernels.
        data: what the model was trained on.
        held_out: labelled structures that it was not trained on.
        weights: of the labels' mean squares in H, as in the loss that the model was trained with.
        members: of the ensemble for forces; each costs a backward pass where an uncertainty is asked for.
        probes: derivatives that stand for the 3N components of a structure's forces.
        long_range_cutoff: in A, for periodic structures.
        seed: of all that is drawn.
        report: is told what goes on.

    Raises:
        HelioError: elements that the model does not know, no labels of `weights` in `data`, no forces in `held_out`, or
            no errors there.
    """
    if not any(weight and data.store.known(name)[data.indices].any() for name, weight in weights.items()):
        raise HelioError(f"no structure in {data.store.path} has a label among {', '.join(weights)}")
    check_forces(held_out)
    force_field = replace(force_field, uncertainty=None)
    curvature = _curvature(force_field, data, probes, long_range_cutoff, seed, report).weighted(weights)
    rigidity = _rigidity(force_field, curvature, held_out, probes, long_range_cutoff, seed, report)

    def model(**options: Any) -> ForceField:
        made = rigidity.uncertainty(members=members, seed=seed, **options)
        return replace(force_field, uncertainty=jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), made))

    raw = check_uncertainty(model(), held_out, long_range_cutoff=long_range_cutoff, report=report)
    energies, forces = raw.scales
    check = raw.scaled(energies, forces)
    about = (
        f"{len(data.indices):,} structures of {data.store.path.name}, calibrated on {len(held_out.indices):,} of "
        f"{held_out.store.path.name} (rank correlation with the errors of forces {check.ranks['forces']:.2f})"
    )
    limit = float(np.quantile(check.largest, LIMIT_QUANTILE))
    return model(energy_scale=energies, force_scale=forces, limit=limit, about=about), check


def _curvature(
    force_field: ForceField, data: Chosen, probes: int, long_range_cutoff: float, seed: int, report: Report
) -> Curvature:
    found, key = Curvature.empty(force_field.settings.features), jax.random.PRNGKey(seed)
    for number, (batch, placed) in enumerate(batches(force_field, data, long_range_cutoff, FITTING, report)):
        made = slopes(force_field, placed.system, placed.neighbors, key=jax.random.fold_in(key, number), probes=probes)
        known = {name: getattr(batch.known, name) for name in found.sums}
        found = found.including(jax.device_get(made), batch.system.atom_mask.sum(axis=1), known)
    return found


def _rigidity(
    force_field: ForceField,
    curvature: np.ndarray,
    held_out: Chosen,
    probes: int,
    long_range_cutoff: float,
    seed: int,
    report: Report,
) -> Rigidity:
    """With the s^2 by which errors along random directions in the space of a structure's forces are most likely."""
    errors, along, key = [], [], jax.random.PRNGKey(seed + 1)
    for number, (batch, placed) in enumerate(batches(force_field, held_out, long_range_cutoff, CHOOSING, report)):
        made = jax.device_get(
            slopes(force_field, placed.system, placed.neighbors, key=jax.random.fold_in(key, number), probes=probes)
        )
        wrong = force_errors(batch, jax.device_get(_predicted(force_field, placed, long_range_cutoff)))
        known = batch.known.forces
        errors.append(np.einsum("bkna,bna->bk", made.signs[known].astype(float), wrong[known]).ravel())
        along.append(made.forces[known].astype(float).reshape(-1, made.forces.shape[-1]))
    found = np.concatenate(errors)
    if not np.sqrt(np.mean(found**2)) > _LEAST_ERROR:
        raise HelioError(
            f"the model makes no errors on {held_out.store.path}: labels of another origin than the model are needed"
        )
    return Rigidity.most_likely(curvature, np.concatenate(along), found)


@eqx.filter_jit
def _predicted(force_field: ForceField, batch: Batch, long_range_cutoff: float) -> Prediction:
    return predictions(force_field, batch, long_range_cutoff=long_range_cutoff)
