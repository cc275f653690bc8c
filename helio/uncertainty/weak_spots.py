"""Where a structure resembles those in which a model is known to fail."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from helio.force_field import ForceField
from helio.neighbors import Neighbors
from helio.rows import ALL_ROWS, Rows
from helio.system import System


def resemblance(
    force_field: ForceField,
    features: Float[Array, "n F"],
    system: System,
    neighbors: Neighbors,
    rows: Rows = ALL_ROWS,
) -> Float[Array, "n W"]:
    """d_w . <f_i> - t_w of `WeakSpots` for each atom: above zero where it is of kind w, -inf for hydrogen and padding.

    Args:
        force_field: a model with an uncertainty; W is zero where this has no weak spots.
        features: energy features of the rows that are here, eV.
        system: in the order of the rows of the lists.
        neighbors: its lists.
        rows: which are here.
    """
    spots = None if force_field.uncertainty is None else force_field.uncertainty.weak_spots
    if spots is None:
        return jnp.zeros((len(features), 0), features.dtype)
    means = local_mean(features @ spots.directions.T, system, neighbors, force_field.settings.cutoff, rows)
    heavy = rows.own(system.atomic_numbers) > 1
    return jnp.where(heavy[:, None], means - jnp.asarray(spots.thresholds, means.dtype), -jnp.inf)


def local_mean(
    values: Float[Array, "n W"], system: System, neighbors: Neighbors, cutoff: float, rows: Rows = ALL_ROWS
) -> Float[Array, "n W"]:
    """The mean over each atom and all atoms closer than the cutoff (A), of the rows that are here."""
    listed, positions = neighbors.short, jnp.asarray(system.positions)
    own = rows.own(positions)
    vectors = positions.at[listed.index].get(mode="fill", fill_value=0) - own[:, None]
    if listed.shift is not None:
        vectors = vectors + listed.shift.astype(own.dtype) @ system.cell
    inside = (listed.index < len(positions)) & (jnp.sum(vectors**2, axis=-1) < cutoff**2)

    def added(total: Array, column: tuple[Array, Array]) -> tuple[Array, None]:
        index, mask = column
        return total + jnp.where(mask[:, None], whole.at[index].get(mode="fill", fill_value=0), 0), None

    # One column of the list after the other: all at once would hold N K W numbers.
    whole = rows.gather(values)
    total, _ = jax.lax.scan(added, values, (listed.index.T, inside.T))
    return total / (1 + inside.sum(axis=1, keepdims=True)).astype(values.dtype)
