"""Sums of pair terms over padded lists: the one place of masks, cutoffs and halves.

Every function returns energies per atom, (N,) in eV: the row's sum with half of each directed pair.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from helio.neighbors import NeighborList
from helio.physics import coulomb, dispersion
from helio.physics.switching import exponential_switch
from helio.physics.zbl import ZBL


def gather(values: Float[Array, " N"], index: Int[Array, "N K"]) -> Float[Array, "N K"]:
    """Values of the neighbours; free places repeat the last atom's and must be masked."""
    return values.at[index].get(mode="clip")


def pair_distances(
    vectors: Float[Array, "N K 3"], mask: Bool[Array, "N K"], cutoff: float
) -> tuple[Float[Array, "N K"], Bool[Array, "N K"]]:
    """Distances in A and which pairs lie within `cutoff`; all others get the cutoff (or 1 A) as a safe distance."""
    square = jnp.sum(vectors**2, axis=-1)
    inside = mask & (square < cutoff**2)
    safe = cutoff if cutoff < float("inf") else 1.0
    return jnp.sqrt(jnp.where(inside, square, safe**2)), inside


def half_row_sum(energies: Float[Array, "N K"], inside: Bool[Array, "N K"]) -> Float[Array, " N"]:
    """Half the sum over each row, of the pairs that count."""
    return jnp.sum(jnp.where(inside, energies, 0), axis=1) / 2


def zbl_energies(
    zbl: ZBL,
    atomic_numbers: Int[Array, " N"],
    neighbors: NeighborList,
    distance: Float[Array, "N K"],
    inside: Bool[Array, "N K"],
    *,
    cutoff: float,
    reach: float,
) -> Float[Array, " N"]:
    """Nuclear repulsion over the short list."""
    charges = jnp.maximum(atomic_numbers, 1).astype(distance.dtype)  # padding: any value with a finite power
    pairs = zbl(distance, charges[:, None], gather(charges, neighbors.index), cutoff=cutoff, reach=reach)
    return half_row_sum(pairs, inside)


def coulomb_energies(
    charges: Float[Array, " N"],
    neighbors: NeighborList,
    distance: Float[Array, "N K"],
    inside: Bool[Array, "N K"],
    *,
    sigma: float,
    cutoff: float | None,
) -> Float[Array, " N"]:
    """Electrostatics over the long list, shifted to zero at `cutoff`; without one, the bare interaction."""
    if cutoff is None:
        potential = coulomb.smeared_coulomb(distance, sigma)
    else:
        potential = coulomb.shifted_coulomb(distance, sigma, cutoff)
    return half_row_sum(coulomb.pair_energy(potential, charges[:, None], gather(charges, neighbors.index)), inside)


def dispersion_energies(
    polarizability: Float[Array, " N"],
    c6: Float[Array, " N"],
    neighbors: NeighborList,
    distance: Float[Array, "N K"],
    inside: Bool[Array, "N K"],
    *,
    scale: float,
    cutoff: float | None,
    switch_width: float,
) -> Float[Array, " N"]:
    """Dispersion over the long list, switched off over the last `switch_width` (A) before `cutoff`."""
    pairs = dispersion.pair_energy(
        distance,
        polarizability[:, None],
        gather(polarizability, neighbors.index),
        c6[:, None],
        gather(c6, neighbors.index),
        scale=scale,
    )
    if cutoff is not None:
        pairs = pairs * exponential_switch((distance - (cutoff - switch_width)) / switch_width)
    return half_row_sum(pairs, inside)
