"""One network for several levels of theory, with heads of its own for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from helio.force_field.force_field import ForceField
from helio.force_field.settings import ForceFieldSettings


class ManyLevels(eqx.Module):
    """A force field whose heads (energy, charges, Hirshfeld ratios) have a leading axis: one column per level.

    What the network learns of structures is shared; what a level of theory makes of it is its own. `at` gives the
    force field of one level, which is a model like any other. There is no uncertainty: it belongs to the head of one
    level and the weights that it was made with.
    """

    trunk: ForceField  # its heads are None
    heads: Any  # energy, charge and Hirshfeld head, each leaf with a leading axis of levels
    names: tuple[str, ...] = eqx.field(static=True)  # of the levels, by number

    @classmethod
    def of(cls, models: Mapping[str, ForceField]) -> ManyLevels:
        """The heads of several models, by level, on the network of the first."""
        first = replace(next(iter(models.values())), uncertainty=None)
        heads = jax.tree.map(lambda *leaves: jnp.stack(leaves), *map(_heads, models.values()))
        return cls(eqx.tree_at(_heads, first, (None, None, None)), heads, tuple(models))

    @property
    def settings(self) -> ForceFieldSettings:
        """Those of every level."""
        return self.trunk.settings

    def at(self, level: int | Int[Array, ""]) -> ForceField:
        """The force field of a level, by its number."""
        return self._with(jax.tree.map(lambda leaf: leaf[level], self.heads))

    def for_levels(self, names: Sequence[str], *, others: str | None = None) -> ManyLevels:
        """The same for levels in this order; those that are not here have the heads of `others`, or of the first."""
        begun = self.at(0 if others is None else self.names.index(others))
        return ManyLevels.of({name: self.at(self.names.index(name)) if name in self.names else begun for name in names})

    def stacked(self) -> ForceField:
        """All columns under the names that a force field has for its heads; as a model file holds them."""
        return self._with(self.heads)

    def _with(self, heads: Any) -> ForceField:
        return eqx.tree_at(_heads, self.trunk, heads, is_leaf=lambda leaf: leaf is None)


def _heads(force_field: ForceField) -> tuple[Any, Any, Any]:
    return force_field.energy_head, force_field.charge_head, force_field.hirshfeld_head
