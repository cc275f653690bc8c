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


def wolf_self_energies(charges: Float[Array, " N"], sigma: float, cutoff: float) -> Float[Array, " N"]:
    """-(k_e / 2) V(R) q_i^2 in eV: takes off what the shift adds to a molecule (Wolf et al., JCP 110, 8254 (1999)).

    The shifts of the pairs of a neutral molecule within the cutoff add up to +(k_e / 2) V(R) sum_i q_i^2, which
    depends on its geometry through the charges. With this term its energy is that without a cutoff; that of a
    molecule of charge Q lies (k_e / 2) V(R) Q^2 lower, a constant.
    """
    return -COULOMB / 2 * math.erf(cutoff / sigma) / cutoff * charges**2


def pair_energy(
    potential: Float[Array, "..."], charge_i: Float[Array, "..."], charge_j: Float[Array, "..."]
) -> Float[Array, "..."]:
    """k_e q_i q_j V in eV."""
    return COULOMB * charge_i * charge_j * potential
