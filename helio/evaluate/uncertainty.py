"""Whether a model's uncertainties are the errors that it makes: on labelled structures that it was not trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float

from helio.datasets.store import Store
from helio.errors import HelioError
from helio.force_field import ForceField
from helio.force_field.long_range_cutoff import PERIODIC
from helio.neighbors import Neighbors
from helio.prediction import Prediction
from helio.system import System
from helio.train.batches import Batch
from helio.train.loader import Loader
from helio.train.loss import predictions
from helio.train.reference_energies import compositions
from helio.train.setup import check_elements
from helio.uncertainty import UncertaintyEstimate, estimate_uncertainty, rank_correlation, scale_of

# What is going on, how many structures are done, of how many.
Report = Callable[[str, int, int], None]
CHECKING = "comparing with errors"

_STRUCTURES, _ATOMS = 32, 512  # of a batch at most
_SHAPES = 4  # few, as each is compiled for a few dozen batches


@dataclass(frozen=True)
class Chosen:
    """Some structures of a store."""

    store: Store
    indices: np.ndarray


@dataclass(frozen=True)
class UncertaintyCheck:
    """Errors and the standard deviations that were predicted for them: S structures with A atoms in all."""

    index: Float[np.ndarray, " S"]  # of the structure in its store
    atoms: Float[np.ndarray, " S"]
    energy_errors: Float[np.ndarray, " S"]  # eV; NaN where not known
    energy_deviations: Float[np.ndarray, " S"]  # eV
    force_errors: Float[np.ndarray, "A 3"]  # eV/A; NaN where not known
    force_deviations: Float[np.ndarray, " A"]  # eV/A, of an atom: `UncertaintyEstimate.of_atoms`
    elements: int  # constants that were taken off the errors of energies

    @cached_property
    def energies(self) -> tuple[np.ndarray, np.ndarray]:
        """Errors per atom and their deviations, eV, of the structures whose energy is known."""
        known = np.isfinite(self.energy_errors)
        return (self.energy_errors / self.atoms)[known], (self.energy_deviations / self.atoms)[known]

    @cached_property
    def forces(self) -> tuple[np.ndarray, np.ndarray]:
        """Root mean squares over an atom's three components, of errors and of deviations, eV/A."""
        known = np.isfinite(self.force_errors).all(axis=1)
        return np.sqrt(np.mean(self.force_errors[known] ** 2, axis=1)), self.force_deviations[known] / 3**0.5

    @cached_property
    def structures(self) -> tuple[np.ndarray, np.ndarray]:
        """Likewise over all components of a structure."""
        squares = np.mean(self.force_errors**2, axis=1), self.force_deviations**2 / 3
        errors, deviations = (np.sqrt(np.add.reduceat(values, self._first) / self.atoms) for values in squares)
        return errors[np.isfinite(errors)], deviations[np.isfinite(errors)]

    @property
    def largest(self) -> Float[np.ndarray, " S"]:
        """The largest deviation of an atom's force in each structure, eV/A."""
        return np.maximum.reduceat(self.force_deviations, self._first)

    @property
    def scales(self) -> tuple[float, float]:
        """Alpha of energies and of forces that would make the deviations right.

        Where too few energies are known for a constant of each element, that of forces stands for both.
        """
        forces = scale_of(*self.forces)
        count = len(self.energies[0])
        if count <= self.elements:
            return forces, forces
        return scale_of(*self.energies) * (count / (count - self.elements)) ** 0.5, forces

    @property
    def ranks(self) -> dict[str, float]:
        """Rank correlation of errors and deviations: of energies per atom, atoms' forces, structures' forces."""
        parts = {"energies": self.energies, "forces": self.forces, "structures": self.structures}
        return {name: rank_correlation(*part) for name, part in parts.items()}

    def within(self, deviations: float) -> tuple[float, float]:
        """Shares of energies and of components of forces whose error is below so many standard deviations."""
        errors, predicted = self.energies
        known = np.isfinite(self.force_errors).all(axis=1)
        ratio = np.abs(self.force_errors[known]) / (self.force_deviations[known] / 3**0.5)[:, None]
        energies = float(np.mean(np.abs(errors) < deviations * predicted)) if len(errors) else float("nan")
        return energies, float(np.mean(ratio < deviations))

    def scaled(self, energies: float, forces: float) -> UncertaintyCheck:
        """What it would be if deviations were larger by these factors."""
        return replace(
            self,
            energy_deviations=energies * self.energy_deviations,
            force_deviations=forces * self.force_deviations,
        )

    @property
    def _first(self) -> np.ndarray:
        """Where the atoms of each structure begin."""
        return np.concatenate([[0], np.cumsum(self.atoms)[:-1]]).astype(int)


def check_uncertainty(
    force_field: ForceField, chosen: Chosen, *, long_range_cutoff: float = PERIODIC, report: Report = lambda *_: None
) -> UncertaintyCheck:
    """Compare the uncertainties of a model (float32) with its errors.

    Energies are compared after the constant per element has been taken off that fits their errors best: what the free
    atoms' energies are is no matter of the model's.

    Raises:
        HelioError: the structures hold elements that the model does not know, or no forces.
    """
    check_forces(chosen)
    rows: dict[str, list[np.ndarray]] = {name: [] for name in ("index", "size", "energy", "deviation", "force", "of")}
    for batch, placed in batches(force_field, chosen, long_range_cutoff, CHECKING, report):
        predicted, estimate = jax.device_get(_compared(force_field, placed, long_range_cutoff))
        errors, real = force_errors(batch, predicted), batch.real
        mask = batch.system.atom_mask & real[:, None]
        energy = np.where(batch.known.energy, predicted.energy.astype(float) - batch.labels.energy, np.nan)
        rows["index"].append(batch.index[real])
        rows["size"].append(mask.sum(axis=1)[real])
        rows["energy"].append(energy[real])
        rows["deviation"].append(estimate.energy[real].astype(float))
        rows["force"].append(errors[mask])
        rows["of"].append(estimate.of_atoms[mask].astype(float))
    index, size, energy, deviation, force, of = (np.concatenate(parts) for parts in rows.values())
    energy, elements = _without_constants(energy, chosen.store, index)
    return UncertaintyCheck(index, size, energy, deviation, force, of, elements)


def check_forces(chosen: Chosen) -> None:
    """Raise `HelioError` if no structure has forces."""
    if not chosen.store.known("forces")[chosen.indices].any():
        raise HelioError(f"no structure in {chosen.store.path} has forces to compare with")


def force_errors(batch: Batch, predicted: Prediction) -> Float[np.ndarray, "B N 3"]:
    """Errors of forces in eV/A; NaN where they are not known."""
    known = batch.known.forces[:, None, None]
    return np.where(known, np.asarray(predicted.forces, np.float64) - batch.labels.forces, np.nan)


def batches(
    force_field: ForceField, chosen: Chosen, long_range_cutoff: float, what: str, report: Report
) -> Iterator[tuple[Batch, Batch]]:
    """Batches of the structures, as host arrays and as JAX arrays in float32."""
    check_elements(chosen.store, force_field)
    loader = Loader(
        chosen.store,
        chosen.indices,
        short_cutoff=force_field.settings.cutoff,
        long_cutoff=long_range_cutoff,
        structures_per_batch=_STRUCTURES,
        atoms_per_batch=_ATOMS,
        most_shapes=_SHAPES,
        shuffle=False,
        epochs=1,
    )
    done, total = 0, len(np.unique(chosen.indices))
    report(what, 0, total)
    with closing(loader):
        for batch in loader:
            yield batch, batch.astype("float32")
            done += int(batch.real.sum())
            report(what, done, total)


@eqx.filter_jit
def _compared(
    force_field: ForceField, batch: Batch, long_range_cutoff: float
) -> tuple[Prediction, UncertaintyEstimate]:
    def estimate(system: System, neighbors: Neighbors) -> UncertaintyEstimate:
        return estimate_uncertainty(force_field, system, neighbors)

    found = predictions(force_field, batch, long_range_cutoff=long_range_cutoff)
    return found, jax.vmap(estimate)(batch.system, batch.neighbors)


def _without_constants(errors: np.ndarray, store: Store, index: np.ndarray) -> tuple[np.ndarray, int]:
    """Errors of energies less the constants per element that fit the errors per atom best, and how many these are."""
    known = np.isfinite(errors)
    counts = compositions(store, index)
    counts = counts[:, counts.any(axis=0)]
    size = counts.sum(axis=1)
    constants, *_ = np.linalg.lstsq(counts[known] / size[known, None], errors[known] / size[known], rcond=None)
    return errors - counts @ constants, counts.shape[1]
