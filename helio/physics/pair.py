"""Pair terms over lists: the one place of masks, cutoffs and the sharing of a pair's energy between its atoms.

Every pair is computed once. Energies are in eV, zero where there is no pair.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from helio.neighbors import HalfPairs
from helio.physics import coulomb, dispersion
from helio.physics.switching import exponential_switch
from helio.physics.zbl import ZBL
from helio.rows import ALL_ROWS, Rows


class MeasuredPairs(eqx.Module):
    """Pairs with their distances and which of them lie within a cutoff.

    On several devices each has some of the pairs, and of arrays over atoms the rows that it owns.
    """

    pairs: HalfPairs
    distance: Float[Array, " P"]  # A; a safe value where there is no pair within the cutoff
    inside: Bool[Array, " P"]
    rows: Rows = eqx.field(static=True, default=ALL_ROWS)

    def ends(self, values: Float[Array, "N *F"]) -> tuple[Float[Array, "P *F"], Float[Array, "P *F"]]:
        """Rows of the first and of the second atom; free places repeat the last atom's and must be masked."""
        values = self.rows.gather(values)
        return _rows(values, self.pairs.first), _rows(values, self.pairs.second)

    def add_to_ends(
        self, to_first: Float[Array, "P *F"], to_second: Float[Array, "P *F"], count: int
    ) -> Float[Array, "N *F"]:
        """Sum rows over the pairs of each of the `count` atoms."""
        total = jnp.zeros((count * self.rows.devices, *to_first.shape[1:]), to_first.dtype)
        total = total.at[self.pairs.first].add(to_first, mode="drop", indices_are_sorted=True)
        return self.rows.scatter(total.at[self.pairs.second].add(to_second, mode="drop"))


def _rows(values: Float[Array, "N *F"], index: Int[Array, " P"]) -> Float[Array, "P *F"]:
    # Indices made ready outside the gather keep it a plain copy of rows: fused into it, they cost more than the rows.
    ready = jax.lax.optimization_barrier(jnp.minimum(index, len(values) - 1).astype(jnp.uint32))
    return values.at[ready].get(mode="promise_in_bounds")


def measure(pairs: HalfPairs, cutoff: float, rows: Rows = ALL_ROWS) -> MeasuredPairs:
    """Distances in A, and which pairs lie within `cutoff`; all others get the cutoff (or 1 A) as a safe distance."""
    square = jnp.sum(pairs.vectors**2, axis=-1)
    inside = pairs.mask & (square < cutoff**2)
    safe = cutoff if cutoff < float("inf") else 1.0
    return MeasuredPairs(pairs, jnp.sqrt(jnp.where(inside, square, safe**2)), inside, rows)


def per_atom(energies: Float[Array, " P"], measured: MeasuredPairs, count: int) -> Float[Array, " N"]:
    """Share each pair's energy equally between its atoms."""
    return measured.add_to_ends(energies / 2, energies / 2, count)


def zbl_energies(
    zbl: ZBL, atomic_numbers: Int[Array, " N"], short: MeasuredPairs, *, cutoff: float, reach: float
) -> Float[Array, " P"]:
    """Nuclear repulsion over the short list."""
    charges = jnp.maximum(atomic_numbers, 1).astype(short.distance.dtype)  # padding: any value with a finite power
    energies = zbl(short.distance, *short.ends(charges), cutoff=cutoff, reach=reach)
    return jnp.where(short.inside, energies, 0)


def coulomb_energies(
    charges: Float[Array, " N"], long: MeasuredPairs, *, sigma: float, cutoff: float | None
) -> Float[Array, " P"]:
    """Electrostatics over the long list, shifted to zero at `cutoff`; without one, the bare interaction."""
    if cutoff is None:
        potential = coulomb.smeared_coulomb(long.distance, sigma)
    else:
        potential = coulomb.shifted_coulomb(long.distance, sigma, cutoff)
    return jnp.where(long.inside, coulomb.pair_energy(potential, *long.ends(charges)), 0)


def dispersion_energies(
    polarizability: Float[Array, " N"],
    c6: Float[Array, " N"],
    long: MeasuredPairs,
    *,
    scale: float,
    cutoff: float | None,
    switch_width: float,
) -> Float[Array, " P"]:
    """Dispersion over the long list, switched off over the last `switch_width` (A) before `cutoff`."""
    energies = dispersion.pair_energy(long.distance, *long.ends(polarizability), *long.ends(c6), scale=scale)
    if cutoff is not None:
        energies = energies * exponential_switch((long.distance - (cutoff - switch_width)) / switch_width)
    return jnp.where(long.inside, energies, 0)
