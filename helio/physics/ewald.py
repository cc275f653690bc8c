"""The exact periodic sum of erf(r/sigma)/r over all images.

erf(r/sigma)/r is the smooth part of an Ewald split, so the whole lattice sum lives in reciprocal space:

    E = k_e (2 pi / Vol) sum_(k != 0) exp(-k^2 sigma^2 / 4) / k^2 |S(k)|^2 - k_e sum_i q_i^2 / (sqrt(pi) sigma)

A charged cell gets a uniform neutralising background with the same interaction: it cancels the k = 0 term, which is
left out.

| symbol | variable |
|---|---|
| k | wave_vectors (1/A), one of each pair +-k |
| S(k) | real, imaginary (sums over atoms of q cos, q sin) |
"""

from __future__ import annotations

import math

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from helio.cells import determinant, inverse
from helio.rows import ALL_ROWS, Rows
from helio.units import COULOMB

TOLERANCE = 1e-14  # exp(-k^2 sigma^2 / 4) of the terms that are left out


def longest_wave_vector(sigma: float) -> float:
    """Length in 1/A beyond which terms are left out."""
    return 2 * math.sqrt(-math.log(TOLERANCE)) / sigma


def atomic_energies(
    positions: Float[Array, "N 3"],
    charges: Float[Array, " N"],
    cell: Float[Array, "3 3"],
    triples: Int[Array, "V 3"],
    sigma: float,
    rows: Rows = ALL_ROWS,
) -> Float[Array, " N"]:
    """Electrostatic energy per atom in eV: half the charge times the potential of all others.

    Args:
        positions: in A.
        charges: in e; padding atoms have zero.
        cell: row vectors in A.
        triples: reciprocal lattice, one of each pair (`helio.neighbors.reciprocal_vectors`).
        sigma: smearing in A.
        rows: whose atoms these are; the sums S(k) go over all devices.
    """
    volume, reciprocal = jnp.abs(determinant(cell)), inverse(cell)
    wave_vectors = 2 * math.pi * triples.astype(cell.dtype) @ reciprocal.T
    square = jnp.sum(wave_vectors**2, axis=1)
    weight = jnp.exp(-square * sigma**2 / 4) / square
    # Whole turns are taken off before cos and sin, for precision in float32.
    turns = (positions @ reciprocal) @ triples.astype(cell.dtype).T
    phase = 2 * math.pi * (turns - jnp.round(turns))
    cosine, sine = jnp.cos(phase), jnp.sin(phase)
    real, imaginary = rows.sum((charges @ cosine, charges @ sine))
    potential = cosine @ (weight * real) + sine @ (weight * imaginary)
    # Twice for the pairs +-k, half for the pairs of atoms.
    periodic = COULOMB * 4 * math.pi / volume * charges * potential
    return periodic - COULOMB * charges**2 / (math.sqrt(math.pi) * sigma)
