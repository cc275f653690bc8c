"""What a force field says about a system."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float


class Prediction(eqx.Module):
    """Energy and its derivatives, and the per-atom quantities behind them.

    Energies leave out the free-atom energies: only differences have a meaning. Rows of padding atoms are zero.
    `stress` is (1/V) dE/dstrain, symmetric, tension positive; for a system that is not periodic in all three
    directions it is None.
    """

    energy: Float[Array, ""]  # eV
    energy_terms: dict[str, Float[Array, ""]]  # eV: network, zbl, electrostatics, electrostatics_self, dispersion
    atomic_energies: Float[Array, " N"]  # eV, sum to the energy; half of each pair term
    forces: Float[Array, "N 3"]  # eV/A
    stress: Float[Array, "3 3"] | None  # eV/A^3
    charges: Float[Array, " N"]  # e
    hirshfeld_ratios: Float[Array, " N"]  # effective over free atomic volume
    dipole: Float[Array, " 3"]  # e A; for a charged system relative to the coordinate origin


def without_padding(prediction: Prediction, count: int) -> Prediction:
    """The prediction for the first `count` atoms, the real ones."""
    return eqx.tree_at(
        lambda p: (p.atomic_energies, p.forces, p.charges, p.hirshfeld_ratios),
        prediction,
        replace_fn=lambda leaf: leaf[:count],
    )


def moved_back(prediction: Prediction, taken: Float[np.ndarray, "N 3"], *, total_charge: float) -> Prediction:
    """The prediction for atoms before `taken` (A) was taken off their positions (host arrays): the dipole differs.

    d = sum_i q_i r_i moves by sum_i q_i t_i, whose mean part is the total charge times the mean of t_i: the sum of
    rounded charges, which is not quite the total charge, would be multiplied by the distance from the origin.
    """
    center = taken.mean(axis=0)
    moved = np.asarray(prediction.charges, np.float64) @ (taken - center) + float(total_charge) * center
    dipole: Any = (np.asarray(prediction.dipole, np.float64) + moved).astype(prediction.dipole.dtype)
    return eqx.tree_at(lambda p: p.dipole, prediction, dipole)
