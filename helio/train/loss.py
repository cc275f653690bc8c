"""The loss of a force field: weighted mean squares of what it gets wrong (SO3LR, JACS 2025, eq. 7).

L = sum_k w_k L_k,  L_k = 1/C_k sum_s v_s sum_r rho_k(|e_sr|^2)

| symbol | variable |
|---|---|
| k | name of a label: energy, forces, stress, dipole, charges, hirshfeld_ratios, atomic_energies |
| w_k | weights |
| v_s | Batch.weight: weight of the structure's source times that of its level of theory |
| e_sr | residual, prediction - reference, in eV, A and e: a vector for an atom's force, a number for its charge |
| C_k | count, number of known components |
| rho_k | `barron` |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from helio.force_field import ForceField, ManyLevels
from helio.force_field.long_range_cutoff import PERIODIC
from helio.neighbors import Neighbors
from helio.prediction import Prediction
from helio.system import System
from helio.train.batches import Batch
from helio.train.low_rank import LowRank, merged

LABELS: tuple[str, ...] = ("energy", "forces", "stress", "dipole", "charges", "hirshfeld_ratios", "atomic_energies")
UNITS = {
    "energy": "eV/atom",
    "forces": "eV/A",
    "stress": "eV/A^3",
    "dipole": "e A",
    "charges": "e",
    "hirshfeld_ratios": "",
    "atomic_energies": "eV",
}
_PER_ATOM = ("forces", "charges", "hirshfeld_ratios", "atomic_energies")
# SO3LR, JACS 2025, eq. 7.
PUBLISHED_WEIGHTS = {"forces": 10.0, "dipole": 1.0, "hirshfeld_ratios": 1.0}


class Term(eqx.Module):
    """Sums over the structures of a batch for one label; sums of several batches or devices may be added."""

    penalty: Float[Array, ""]  # weighted by structure, of rho
    absolute: Float[Array, ""]  # of |e|, unweighted, as the two below
    square: Float[Array, ""]  # of e^2
    count: Float[Array, ""]  # of known components


@dataclass(frozen=True)
class Loss:
    """How wrong a force field is about a batch.

    What is decided here and cannot be set:

    - A label's mean runs over the known components of the whole batch: a large structure weighs more in forces than a
      small one, and a structure without the label not at all.
    - Weights of structures enter the sum but not the count, so that halving them halves the loss.
    - Errors of energies are divided by the number of atoms before they are squared.
    - The robust loss sees the length of an error vector, never its components, so that rotating a structure does not
      change it.
    - Dipoles of charged structures are compared relative to the coordinate origin.
    - Forces are derivatives of the very energy of the model, differentiated once more for the gradient of the loss.
    - Structures that are periodic in any direction are evaluated with `long_range_cutoff`, molecules with all pairs by
      the published formula.

    Args:
        weights: by the names in `LABELS`; labels without a weight, or with weight zero, are not computed.
        alpha: shape of the robust loss; 2 gives plain squares.
        scales: by label, in its unit: the error from which on the robust loss grows less than the square.
        long_range_cutoff: in A, for periodic structures.
    """

    weights: Mapping[str, float] = field(default_factory=lambda: dict(PUBLISHED_WEIGHTS))
    alpha: float = 2.0
    scales: Mapping[str, float] = field(default_factory=dict)
    long_range_cutoff: float = PERIODIC

    def __call__(self, model: ForceField | ManyLevels | LowRank, batch: Batch) -> dict[str, Term]:
        """The sums of every label with a weight."""
        prediction = predictions(model, batch, long_range_cutoff=self.long_range_cutoff)
        return {name: self._term(name, prediction, batch) for name in LABELS if self.weights.get(name, 0) > 0}

    def _term(self, name: str, prediction: Prediction, batch: Batch) -> Term:
        predicted, reference, known = residuals(name, prediction, batch)
        residual = jnp.where(known[:, :, None], predicted - reference, 0)
        square = jnp.sum(residual**2, axis=-1)
        penalty = barron(square, alpha=self.alpha, scale=self.scales.get(name, 1.0))
        return Term(
            penalty=jnp.sum(batch.weight[:, None] * penalty),
            absolute=jnp.sum(jnp.abs(residual)),
            square=jnp.sum(square),
            count=jnp.sum(known.astype(residual.dtype)) * residual.shape[-1],
        )


def predictions(model: ForceField | ManyLevels | LowRank, batch: Batch, *, long_range_cutoff: float) -> Prediction:
    """What the model says about each structure, at its level of theory where the model has several."""
    cutoff = long_range_cutoff if any(batch.system.pbc) else None  # of molecules the automatic one
    whole: ForceField | ManyLevels = merged(model)

    def predict(level: Int[Array, ""], system: System, neighbors: Neighbors) -> Prediction:
        force_field = whole.at(level) if isinstance(whole, ManyLevels) else whole
        return force_field.with_options(long_range_cutoff=cutoff)(system, neighbors)

    return jax.vmap(predict)(batch.level, batch.system, batch.neighbors)


def residuals(
    name: str, prediction: Prediction, batch: Batch
) -> tuple[Float[Any, "B R C"], Float[Any, "B R C"], Bool[Any, "B R"]]:
    """Prediction and reference of a label as R vectors of C components for each structure, and which are known.

    Energies are divided by the number of atoms. Works on JAX and on numpy arrays.
    """
    reference = getattr(batch.labels, name)
    predicted = getattr(prediction, name)
    if predicted is None:  # stress where there is no volume
        predicted = 0 * reference
    known = (getattr(batch.known, name) & batch.real)[:, None]
    if name in _PER_ATOM:
        known = known & batch.system.atom_mask
    if name == "energy":
        atoms = batch.system.atom_mask.sum(axis=1).astype(reference.dtype)
        predicted, reference = predicted / atoms, reference / atoms
    shape = (len(reference), known.shape[1], -1)
    return predicted.reshape(shape), reference.reshape(shape), known


def barron(square: Float[Array, "..."], *, alpha: float, scale: float) -> Float[Array, "..."]:
    """The general robust loss (Barron, CVPR 2019) of x^2, times 2 c^2, so that it is x^2 for small errors.

    rho = 2 c^2 |a - 2| / a (((x / c)^2 / |a - 2| + 1)^(a / 2) - 1); x^2 for a = 2, a logarithm for a = 0. The smaller
    alpha, the less outliers count: 1 grows linearly, -2 stays below a bound.
    """
    if alpha == 2:
        return square
    c2 = scale**2
    if alpha == 0:
        return 2 * c2 * jnp.log1p(square / (2 * c2))
    b = abs(alpha - 2)
    return 2 * c2 * b / alpha * jnp.expm1(alpha / 2 * jnp.log1p(square / (b * c2)))


def total(weights: Mapping[str, float], terms: Mapping[str, Any]) -> Any:
    """L from the sums of all labels; labels that nothing is known of count zero."""
    return sum(weights[name] * term.penalty / _at_least_one(term.count) for name, term in terms.items())


def _at_least_one(count: Any) -> Any:
    return jnp.maximum(count, 1) if isinstance(count, Array) else max(count, 1)
