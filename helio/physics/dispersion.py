"""Dispersion from quantum Drude oscillators (vdW-QDO; Khabibrakhmanov et al., JCTC 2023, 19, 7895; SO3LR, JACS 2025).

| symbol | variable |
|---|---|
| alpha_i, C6_i | polarizability, c6 (Hartree atomic units) |
| R_vdW | radius |
| p | damping (bohr) |
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from helio.units import BOHR, FINE_STRUCTURE, HARTREE

# Fit of the oscillator length over the van der Waals radius, coefficients of R^0 to R^3 (vdW-QDO).
_LENGTH_FIT = (-0.00433008, 0.24428889, 0.04125273, -0.00078893)
# Smaller Hirshfeld ratios count as this one: the radius goes with the seventh root of the polarizability, whose slope
# has no bound at zero, and C6 becomes 0/0, so that one atom of a model in training would make every weight NaN. No atom
# in a molecule comes near it; the published model goes down to 0.03, for a hydrogen in water. With much less, second
# derivatives underflow in float32.
SMALLEST_RATIO = 1e-3
_RADIUS = FINE_STRUCTURE ** (-4 / 21)
DAMPING = 2 * 2.54  # bohr; the radius without `scale`, over the seventh root of the polarizability


def pair_energy(
    distance: Float[Array, "..."],
    polarizability_i: Float[Array, "..."],
    polarizability_j: Float[Array, "..."],
    c6_i: Float[Array, "..."],
    c6_j: Float[Array, "..."],
    *,
    scale: float,
) -> Float[Array, "..."]:
    """-[C6/(r^6+p^6) + C8/(r^8+p^8) + C10/(r^10+p^10)] in eV.

    `distance` in A; polarizabilities and C6 of the atoms in the molecule in Hartree atomic units; `scale` multiplies
    the damping radius. Powers are those of 1/r and p/r, which stay finite at large distances in float32.
    """
    mean = (polarizability_i + polarizability_j) / 2
    product = polarizability_i * polarizability_j
    c6 = 2 * c6_i * c6_j * product / (polarizability_j**2 * c6_i + polarizability_i**2 * c6_j)

    seventh_root = jnp.exp(jnp.log(mean) / 7)
    radius = _RADIUS * seventh_root
    a0, a1, a2, a3 = _LENGTH_FIT
    length = a0 + radius * (a1 + radius * (a2 + radius * a3))
    inverse_g = 2 * length**2
    c8 = 5 * c6 * inverse_g
    c10 = 245 / 8 * c6 * inverse_g**2

    damping = scale * DAMPING * seventh_root
    u = (BOHR / distance) ** 2
    t = u * damping**2
    t3 = t * t * t
    u3 = u * u * u
    t4 = t3 * t
    terms = c6 / (1 + t3) + u * (c8 / (1 + t4) + u * c10 / (1 + t4 * t))
    return -HARTREE * u3 * terms


def length_over_seventh_root() -> tuple[float, float, float, float]:
    """The oscillator length in bohr as a polynomial in alpha^(1/7): coefficients of the powers 0 to 3."""
    a0, a1, a2, a3 = (a * _RADIUS**power for power, a in enumerate(_LENGTH_FIT))
    return a0, a1, a2, a3


def atoms_in_molecules(
    free_polarizability: Float[Array, " N"], free_c6: Float[Array, " N"], ratios: Float[Array, " N"]
) -> tuple[Float[Array, " N"], Float[Array, " N"]]:
    """The Tkatchenko-Scheffler scaling: alpha = alpha_free h and C6 = C6_free h^2 (PRL 2009, 102, 073005).

    Ratios below `SMALLEST_RATIO` count as that.
    """
    ratios = jnp.maximum(ratios, SMALLEST_RATIO)
    return free_polarizability * ratios, free_c6 * ratios**2
