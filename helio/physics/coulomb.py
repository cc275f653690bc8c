"""Electrostatics of smeared charges: erf(r/sigma)/r, shifted to zero at a cutoff (SO3LR, JACS 2025)."""

from __future__ import annotations

import math

import jax
from jaxtyping import Array, Float

from helio.physics.switching import exponential_switch
from helio.units import COULOMB

ONSET = 0.45  # the force shift sets in at this fraction of the cutoff (published model)


def smeared_coulomb(distance: Float[Array, "..."], sigma: float) -> Float[Array, "..."]:
    """V(r) = erf(r / sigma) / r in 1/A."""
    return jax.lax.erf(distance / sigma) / distance


def shifted_coulomb(distance: Float[Array, "..."], sigma: float, cutoff: float) -> Float[Array, "..."]:
    """V(r) shifted such that value and slope vanish at the cutoff R.

    f Vs + (1 - f) Vsf with Vs = V(r) - V(R), Vsf = Vs - V'(R) (r - R), and f an exponential switch from
    r = 0.45 R to R. Valid for r <= R.
    """
    value = math.erf(cutoff / sigma) / cutoff
    gaussian = 2 / (math.sqrt(math.pi) * sigma) * math.exp(-((cutoff / sigma) ** 2))
    slope = (gaussian - value) / cutoff
    switch = exponential_switch((distance / cutoff - ONSET) / (1 - ONSET))
    return smeared_coulomb(distance, sigma) - value - (1 - switch) * slope * (distance - cutoff)


def pair_energy(
    potential: Float[Array, "..."], charge_i: Float[Array, "..."], charge_j: Float[Array, "..."]
) -> Float[Array, "..."]:
    """k_e q_i q_j V in eV."""
    return COULOMB * charge_i * charge_j * potential
