"""One network for several levels of theory, with heads of its own for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from helio.force_field import ForceField


class ManyLevels(eqx.Module):
    """A force field whose heads (energy, charges, Hirshfeld ratios) have a leading axis: one column per level.

    What the network learns of structures is shared; what a level of theory makes of it is its own. `at` gives the
    force field of one level, which is a model like any other.
    """

    trunk: ForceField  # its heads are None
    heads: Any  # energy, charge and Hirshfeld head, each leaf with a leading axis of levels

    @classmethod
    def of(cls, force_field: ForceField, count: int) -> ManyLevels:
        """The same heads for `count` levels, to begin with."""
        heads = jax.tree.map(lambda leaf: jnp.repeat(leaf[None], count, axis=0), _heads(force_field))
        return cls(eqx.tree_at(_heads, force_field, (None, None, None)), heads)

    @classmethod
    def joined(cls, models: Sequence[ForceField]) -> ManyLevels:
        """The models that `at` gave, together again."""
        heads = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(_heads(model) for model in models))
        return cls(eqx.tree_at(_heads, models[0], (None, None, None)), heads)

    def at(self, level: int | Int[Array, ""]) -> ForceField:
        """The force field of a level, by its number."""
        heads = jax.tree.map(lambda leaf: leaf[level], self.heads)
        return eqx.tree_at(_heads, self.trunk, heads, is_leaf=lambda leaf: leaf is None)


def _heads(force_field: ForceField) -> tuple[Any, Any, Any]:
    return force_field.energy_head, force_field.charge_head, force_field.hirshfeld_head
