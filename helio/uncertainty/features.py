"""What the energy of an atom owes to each weight of the last layer."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from helio.force_field import ForceField
from helio.force_field.arrangement import network_pairs, own_part
from helio.neighbors import Neighbors
from helio.rows import ALL_ROWS, Rows
from helio.system import System


def energy_features(
    force_field: ForceField, system: System, neighbors: Neighbors, rows: Rows = ALL_ROWS
) -> Float[Array, "N F"]:
    """f_i = dE_i/dw in eV, of the rows of the lists that are here; zero for padding atoms.

    NaN where the lists have less room than the pairs within the cutoff need, as the energy is then.

    Args:
        force_field: the model.
        system: in the order of the rows of the lists (`Neighbors.order`).
        neighbors: its lists.
        rows: which are here.
    """
    own = own_part(system, rows)
    _, geometry, overflow = network_pairs(force_field.settings, force_field.tables, system, neighbors, rows)
    x = force_field.network(own.atomic_numbers, system.total_charge, system.unpaired_electrons, own.atom_mask, geometry)
    features = jnp.where(own.atom_mask[:, None], force_field.energy_head.features(x, own.atomic_numbers), 0)
    return jnp.where(overflow, jnp.nan, features)
