"""The initial features: element, total charge, unpaired electrons."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from helio.network.dense import NUM_ELEMENTS, Dense, element_table, look_up
from helio.rows import ALL_ROWS, Rows


class SystemPropertyEmbedding(eqx.Module):
    """Distribute a property of the whole system over its atoms (SpookyNet; Unke et al., Nat. Commun. 2021).

    With psi the total charge or the number of unpaired electrons, and s = 0 if psi >= 0 else 1:
    a_i = psi y_i / sum_j y_j with y_i = softplus(q_i . k_s / sqrt(F)); z = a_i v_s; e_i = z + W2 silu(W1 silu(z)).
    """

    query: Float[Array, "Z F"]
    key: Float[Array, "2 F"]
    value: Float[Array, "2 F"]
    first: Dense
    second: Dense

    def __init__(self, features: int, *, rng: np.random.Generator):
        """Draw the tables and layers."""
        self.query = element_table(NUM_ELEMENTS, features, rng=rng)
        self.key = element_table(2, features, rng=rng)
        self.value = element_table(2, features, rng=rng)
        self.first = Dense(features, features, rng=rng, bias=False)
        self.second = Dense(features, features, rng=rng, bias=False)

    def __call__(
        self,
        psi: Float[Array, ""],
        atomic_numbers: Int[Array, " N"],
        atom_mask: Bool[Array, " N"],
        rows: Rows = ALL_ROWS,
    ) -> Float[Array, "N F"]:
        """Embedding of every atom."""
        sign = jnp.where(psi >= 0, 0, 1)
        query = look_up(self.query, atomic_numbers)
        score = jax.nn.softplus(query @ self.key[sign] / query.shape[-1] ** 0.5)
        score = jnp.where(atom_mask, score, 0)
        total = rows.sum(score.sum())
        share = psi * score / jnp.where(total > 0, total, 1)  # a block of padding alone has no score
        z = share[:, None] * self.value[sign]
        return z + self.second(jax.nn.silu(self.first(jax.nn.silu(z))))


class Embedding(eqx.Module):
    """x_i = (element + charge + spin embedding) / sqrt(3)."""

    element: Float[Array, "Z F"]
    charge: SystemPropertyEmbedding
    spin: SystemPropertyEmbedding

    def __init__(self, features: int, *, rng: np.random.Generator):
        """Draw the three embeddings."""
        self.element = element_table(NUM_ELEMENTS, features, rng=rng)
        self.charge = SystemPropertyEmbedding(features, rng=rng)
        self.spin = SystemPropertyEmbedding(features, rng=rng)

    def __call__(
        self,
        atomic_numbers: Int[Array, " N"],
        total_charge: Float[Array, ""],
        unpaired_electrons: Float[Array, ""],
        atom_mask: Bool[Array, " N"],
        rows: Rows = ALL_ROWS,
    ) -> Float[Array, "N F"]:
        """Initial features; sums go over the rows of all devices."""
        element = look_up(self.element, atomic_numbers)
        charge = self.charge(total_charge, atomic_numbers, atom_mask, rows)
        spin = self.spin(unpaired_electrons, atomic_numbers, atom_mask, rows)
        return (element + charge + spin) / 3**0.5
