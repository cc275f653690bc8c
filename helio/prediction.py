"""What a force field says about a system."""

from __future__ import annotations

import equinox as eqx
from jaxtyping import Array, Float


class Prediction(eqx.Module):
    """Energy and its derivatives, and the per-atom quantities behind them.

    Energies leave out the free-atom energies: only differences have a meaning. Rows of padding atoms are zero.
    `stress` is (1/V) dE/dstrain, symmetric, tension positive; for a system that is not periodic in all three
    directions it is None.
    """

    energy: Float[Array, ""]  # eV
    energy_terms: dict[str, Float[Array, ""]]  # eV: network, zbl, electrostatics, dispersion
    atomic_energies: Float[Array, " N"]  # eV, sum to the energy; half of each pair term
    forces: Float[Array, "N 3"]  # eV/A
    stress: Float[Array, "3 3"] | None  # eV/A^3
    charges: Float[Array, " N"]  # e
    hirshfeld_ratios: Float[Array, " N"]  # effective over free atomic volume
    dipole: Float[Array, " 3"]  # e A; for a charged system relative to the coordinate origin
