"""What is read off the final features: atomic energies, partial charges, Hirshfeld ratios."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from helio.network.dense import NUM_ELEMENTS, TwoLayers, element_table, look_up
from helio.rows import ALL_ROWS, Rows

NUM_PROPERTY_ELEMENTS = 100  # rows of the tables of the charge and Hirshfeld heads


class EnergyHead(eqx.Module):
    """E_i = s_Z (w . silu(W x + b)) + o_Z in eV."""

    layers: TwoLayers
    scale: Float[Array, " Z"]
    offset: Float[Array, " Z"]

    def __init__(self, features: int, *, rng: np.random.Generator):
        """Draw the layers; scales start at one, offsets at zero."""
        self.layers = TwoLayers(features, features, 1, rng=rng, final_bias=False)
        self.scale = jnp.ones(NUM_ELEMENTS, jnp.float32)
        self.offset = jnp.zeros(NUM_ELEMENTS, jnp.float32)

    def __call__(self, x: Float[Array, "N F"], atomic_numbers: Int[Array, " N"]) -> Float[Array, " N"]:
        """Atomic energies."""
        return look_up(self.scale, atomic_numbers) * self.layers(x)[:, 0] + look_up(self.offset, atomic_numbers)

    def features(self, x: Float[Array, "N F"], atomic_numbers: Int[Array, " N"]) -> Float[Array, "N F"]:
        """Derivatives of the atomic energies in the weights w of the last layer, s_Z silu(W x + b)."""
        return look_up(self.scale, atomic_numbers)[:, None] * jax.nn.silu(self.layers.first(x))


class ChargeHead(eqx.Module):
    """q_i = t_i + (Q - sum_j t_j) / N with t_i = w . silu(W x + b) + b0 + e_Z, in e.

    Sums, Q and N are those of the system, or of each fragment where charges are given per fragment.
    """

    layers: TwoLayers
    offset: Float[Array, " Z"]

    def __init__(self, features: int, *, rng: np.random.Generator):
        """Draw the layers; offsets start at zero."""
        self.layers = TwoLayers(features, features, 1, rng=rng)
        self.offset = jnp.zeros(NUM_PROPERTY_ELEMENTS, jnp.float32)

    def __call__(
        self,
        x: Float[Array, "N F"],
        atomic_numbers: Int[Array, " N"],
        atom_mask: Bool[Array, " N"],
        groups: Int[Array, " N"],
        group_charges: Float[Array, " G"],
        rows: Rows = ALL_ROWS,
    ) -> Float[Array, " N"]:
        """Partial charges; zero for padding. Sums go over the rows of all devices."""
        raw = jnp.where(atom_mask, self.layers(x)[:, 0] + look_up(self.offset, atomic_numbers), 0)
        # One column per group: a product is cheaper than a segment sum into few bins.
        member = (groups[:, None] == jnp.arange(len(group_charges), dtype=groups.dtype)) & atom_mask[:, None]
        member = member.astype(raw.dtype)
        size, total = rows.sum((member.sum(axis=0), raw @ member))
        correction = (group_charges - total) / jnp.maximum(size, 1)
        return raw + member @ correction


class HirshfeldHead(eqx.Module):
    """h_i = | s_Z + a_Z . k_i / sqrt(D) | with k = dense(silu(dense(x))) of width D."""

    layers: TwoLayers
    offset: Float[Array, " Z"]
    direction: Float[Array, "Z D"]

    def __init__(self, features: int, width: int, *, rng: np.random.Generator):
        """Draw the layers and tables; ratios start near one."""
        self.layers = TwoLayers(features, width, width, rng=rng)
        self.offset = jnp.ones(NUM_PROPERTY_ELEMENTS, jnp.float32)
        self.direction = element_table(NUM_PROPERTY_ELEMENTS, width, rng=rng)

    def __call__(self, x: Float[Array, "N F"], atomic_numbers: Int[Array, " N"]) -> Float[Array, " N"]:
        """Ratios of the effective to the free atomic volume."""
        direction = look_up(self.direction, atomic_numbers)
        projection = jnp.sum(direction * self.layers(x), axis=-1) / direction.shape[-1] ** 0.5
        return jnp.abs(look_up(self.offset, atomic_numbers) + projection)
