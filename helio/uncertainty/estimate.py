"""Standard deviations of what a model says about a system."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from helio.errors import HelioError
from helio.force_field import ForceField
from helio.force_field.arrangement import deformed
from helio.neighbors import Neighbors
from helio.rows import ALL_ROWS, Rows
from helio.system import System
from helio.uncertainty.features import energy_features
from helio.uncertainty.weak_spots import resemblance


class UncertaintyEstimate(eqx.Module):
    """Standard deviations; zero for padding atoms."""

    energy: Float[Array, ""]  # eV
    atomic_energies: Float[Array, " N"]  # eV, of each alone: errors of atoms are correlated, so they do not just add up
    forces: Float[Array, "N 3"]  # eV/A, of each component
    # How far the surroundings of each atom are on the side of those in which the model is known to fail, by kind: above
    # zero they are of that kind; `WeakSpots`.
    resemblance: Float[Array, "N W"]

    @property
    def of_atoms(self) -> Float[Array, " N"]:
        """How long the error of the force on each atom probably is, eV/A: the root of the components' mean squares."""
        return jnp.sqrt(jnp.sum(self.forces**2, axis=-1))


def estimate_uncertainty(
    force_field: ForceField, system: System, neighbors: Neighbors, rows: Rows = ALL_ROWS
) -> UncertaintyEstimate:
    """How uncertain energies and forces of the model are; JAX arrays of one precision. Use it inside `jax.jit`.

    sigma_E^2 = |L^T sum_i f_i|^2,  sigma_i^2 = |L^T f_i|^2,  sigma_F^2 = 1/M sum_m (d/dr sum_i f_i . dw_m)^2

    with L and dw_m of `Uncertainty`. One pass through the network, and one backward pass for each member. Deviations
    are from the model itself, not from the members' mean.

    Args:
        force_field: a model with an uncertainty.
        system: the whole system.
        neighbors: its lists, of the rows that are here.
        rows: which these are.

    Raises:
        HelioError: the model has no uncertainty.
    """
    uncertainty = force_field.uncertainty
    if uncertainty is None:
        raise HelioError("the model does not say how uncertain it is: make one that does with helio calibrate")
    order = neighbors.order
    listed = system if order is None else system.taken(order)

    def features(positions: Array) -> Array:
        return energy_features(force_field, deformed(listed, positions, None), neighbors, rows)

    own, pull_back = jax.vjp(features, listed.positions)

    def forces(member: Array) -> Array:
        return rows.sum(pull_back(jnp.broadcast_to(member[None, :], own.shape))[0])

    # One member after the other: all at once would hold every quantity of pairs M times.
    squares = jax.lax.map(lambda member: forces(member) ** 2, uncertainty.members)
    of_atoms = rows.gather(_length(own @ uncertainty.factor))
    of_forces = jnp.sqrt(jnp.mean(squares, axis=0))
    resembles = rows.gather(resemblance(force_field, own, listed, neighbors, rows))
    if order is not None:
        of_atoms, of_forces, resembles = (
            jnp.zeros((len(system), *values.shape[1:]), values.dtype).at[order].set(values, mode="drop")
            for values in (of_atoms, of_forces, resembles)
        )
    energy = _length(rows.sum(own.sum(axis=0)) @ uncertainty.factor)
    return UncertaintyEstimate(energy, of_atoms, of_forces, resembles)


def _length(vectors: Float[Array, "... F"]) -> Float[Array, "..."]:
    return jnp.sqrt(jnp.sum(vectors**2, axis=-1))
