"""From structures in which a model fails to a model that knows them again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from helio.errors import HelioError
from helio.evaluate.uncertainty import Chosen, Report, batches
from helio.force_field import ForceField
from helio.neighbors import Neighbors
from helio.system import System
from helio.train.batches import Batch
from helio.uncertainty import WeakSpots, energy_features
from helio.uncertainty.weak_spots import local_mean

LOOKING = "surroundings of atoms"
# Of the structures held out, the share that resembles none of a kind.
SPECIFICITY = 0.99
# Added to the scatter within the classes, of the mean of its eigenvalues: features that hardly vary say nothing.
_RIDGE = 0.03


@dataclass(frozen=True)
class WeakSpotRates:
    """Shares of structures that the flag is up for, of those that the directions were not fitted to."""

    cases: Mapping[str, float]  # by kind, of its own structures
    held_out: float  # of structures held out, by any kind


def with_weak_spots(
    force_field: ForceField,
    held_out: Chosen,
    cases: Mapping[str, Chosen],
    *,
    long_range_cutoff: float = 12.0,
    report: Report = lambda *_: None,
) -> tuple[ForceField, WeakSpotRates]:
    """The model with weak spots beside its uncertainty, which stays as it is.

    Each direction is Fisher's linear discriminant of the local means of energy features of atoms other than hydrogen:
    S^-1 (m_case - m_held), S the mean of both scatters. It is fitted to every other structure; the threshold is the
    quantile `SPECIFICITY` of the largest score in each of the other structures held out, and the rates are of these.

    Args:
        force_field: in float32, with plain kernels and an uncertainty.
        held_out: structures of the kind that the model is to be trusted for.
        cases: structures in which it fails, by what a user is told that these are.
        long_range_cutoff: in A, for periodic structures.
        report: is told what goes on.

    Raises:
        HelioError: the model has no uncertainty, or a set has fewer than four structures.
    """
    if force_field.uncertainty is None:
        raise HelioError("the model has no uncertainty to add weak spots to: give --data")
    means = {
        name: _local_means(force_field, chosen, long_range_cutoff, report)
        for name, chosen in {"": held_out, **cases}.items()
    }
    for name, rows in means.items():
        if len(rows) < 4:
            raise HelioError(f"{len(rows)} structures of {name or 'those held out'} are too few: give at least four")
    usual = means.pop("")
    directions, thresholds = [], []
    for rows in means.values():
        direction = _discriminant(np.concatenate(rows[::2]), np.concatenate(usual[::2]))
        directions.append(direction)
        thresholds.append(float(np.quantile([_score(row, direction) for row in usual[1::2]], SPECIFICITY)))
    rates = {
        name: float(np.mean([_score(row, direction) > threshold for row in rows[1::2]]))
        for (name, rows), direction, threshold in zip(means.items(), directions, thresholds, strict=True)
    }
    flagged = [any(_score(row, d) > t for d, t in zip(directions, thresholds, strict=True)) for row in usual[1::2]]
    spots = WeakSpots(jnp.asarray(np.array(directions), jnp.float32), tuple(thresholds), tuple(means))
    unpaired = {round(float(held_out.store.system(int(index)).unpaired_electrons)) for index in held_out.indices}
    uncertainty = replace(force_field.uncertainty, weak_spots=spots, unpaired_electrons=tuple(sorted(unpaired)))
    return replace(force_field, uncertainty=uncertainty), WeakSpotRates(rates, float(np.mean(flagged)))


def _score(rows: Float[np.ndarray, "n F"], direction: Float[np.ndarray, " F"]) -> float:
    """The largest of a structure's atoms."""
    return float((rows @ direction).max())


def _discriminant(cases: Float[np.ndarray, "n F"], usual: Float[np.ndarray, "m F"]) -> Float[np.ndarray, " F"]:
    """Scaled so that scores have a standard deviation of one among the usual atoms."""
    scale = usual.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    scatter = (np.cov((cases / scale).T) + np.cov((usual / scale).T)) / 2
    scatter += _RIDGE * np.trace(scatter) / len(scatter) * np.eye(len(scatter))
    direction = np.linalg.solve(scatter, (cases / scale).mean(axis=0) - (usual / scale).mean(axis=0)) / scale
    return direction / (usual @ direction).std()


def _local_means(
    force_field: ForceField, chosen: Chosen, long_range_cutoff: float, report: Report
) -> list[Float[np.ndarray, "n F"]]:
    """Features of the heavy atoms of each structure, in the order of the store; those without any are left out."""
    found: dict[int, np.ndarray] = {}
    for batch, placed in batches(force_field, chosen, long_range_cutoff, LOOKING, report):
        means = np.asarray(jax.device_get(_means(force_field, placed)), np.float64)
        for place in np.flatnonzero(batch.real):
            rows = means[place][np.asarray(batch.system.atomic_numbers[place]) > 1]
            if len(rows):
                found[int(batch.index[place])] = rows
    return [found[index] for index in sorted(found)]


@eqx.filter_jit
def _means(force_field: ForceField, batch: Batch) -> Float[Array, "B N F"]:
    def of_one(system: System, neighbors: Neighbors) -> Float[Array, "N F"]:
        features = energy_features(force_field, system, neighbors)
        return local_mean(features, system, neighbors, force_field.settings.cutoff)

    return jax.vmap(of_one)(batch.system, batch.neighbors)
