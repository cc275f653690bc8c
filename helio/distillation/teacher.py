"""What a teacher says about structures: its labels, and a point in the space of its features for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from ase import Atoms
from jaxtyping import Array, Float

from helio.evaluate.batches import predict_many
from helio.force_field import ForceField
from helio.force_field.arrangement import network_pairs
from helio.neighbors import Neighbors
from helio.precision import Precision
from helio.prediction import Prediction
from helio.rows import ALL_ROWS
from helio.system import System


class Described(Prediction):
    """A prediction, and where the structure stands in the network's feature space."""

    features: Float[Array, " F"]  # final features of the atoms, their mean


class Teacher(eqx.Module):
    """A force field that also describes structures; has what `predict_many` asks of a force field."""

    force_field: ForceField

    def astype(self, dtype: Precision) -> Teacher:
        """With parameters in `dtype`."""
        return Teacher(self.force_field.astype(dtype))

    def neighbors(self, system: System, *, rows: int | None = None) -> Neighbors:
        """The lists of the force field."""
        return self.force_field.neighbors(system, rows=rows)

    def __call__(self, system: System, neighbors: Neighbors) -> Described:
        """The force field's prediction and the mean of the final features."""
        ff = self.force_field
        _, geometry, _ = network_pairs(ff.settings, ff.tables, system, neighbors, ALL_ROWS)
        x = ff.network(
            system.atomic_numbers, system.total_charge, system.unpaired_electrons, system.atom_mask, geometry
        )
        mask = system.atom_mask.astype(x.dtype)
        return Described(**vars(ff(system, neighbors)), features=(mask @ x) / jnp.maximum(mask.sum(), 1))


@dataclass(frozen=True)
class Labelled:
    """A structure with all that the teacher says about it."""

    system: System  # host arrays
    prediction: Prediction  # host arrays

    @property
    def largest_force(self) -> float:
        """In eV/A; infinite where a force is not a number."""
        largest = np.linalg.norm(self.prediction.forces, axis=1).max()
        return float(largest) if np.isfinite(largest) else float("inf")


def systems_of(structures: Sequence[Atoms]) -> list[System]:
    """Systems with charge and spin from `info`; raises `HelioError` where these contradict the electrons."""
    return [System.from_ase(atoms) for atoms in structures]


def evaluate(force_field: ForceField, systems: Sequence[System], *, describe: bool = False) -> list[Labelled]:
    """What a model says about each system, in their order, in float32.

    Args:
        force_field: any model.
        systems: host arrays; periodic in all directions or in none.
        describe: whether predictions are `Described`.
    """
    found: dict[int, Prediction] = {}
    model: Any = Teacher(force_field) if describe else force_field
    for periodic in (True, False):
        some = [(i, system) for i, system in enumerate(systems) if any(system.pbc) is periodic]
        found |= dict(predict_many(model, some))
    return [Labelled(system, found[i]) for i, system in enumerate(systems)]
