"""Who owns which rows of arrays over atoms: one device all of them, or each of several an equal block.

Inside a function that runs on every device of a mesh (`jax.shard_map`) an array over atoms holds the rows that the
device owns. `Rows` is how devices exchange them; on one device each of its operations hands back what it was given.

Derivatives: the transpose of `gather` is `scatter`, and that of `sum` is `sum`. So each device differentiates its own
share of a total, and the gradient with respect to something that all devices hold is the `sum` of what they find.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

Tree = TypeVar("Tree")


@dataclass(frozen=True)
class Rows:
    """The blocks of rows of `devices` devices along one axis of a mesh; without an axis, all rows are here."""

    axis: str | None = None
    devices: int = 1

    def first(self, own: int) -> int | Int[Array, ""]:
        """The number of this device's first row, where each device owns `own`."""
        return 0 if self.axis is None else lax.axis_index(self.axis).astype(jnp.int32) * jnp.int32(own)

    def own(self, values: Tree) -> Tree:
        """The own rows (M / devices, ...) of what every device holds whole (M, ...)."""
        if self.axis is None:
            return values

        def cut(value: Array) -> Array:
            size = len(value) // self.devices
            return lax.dynamic_slice_in_dim(value, self.first(size), size, 0)

        return jax.tree.map(cut, values)

    def gather(self, values: Tree) -> Tree:
        """All rows (M, ...) from the own rows of every device."""
        if self.axis is None:
            return values
        return jax.tree.map(lambda value: lax.all_gather(value, self.axis, axis=0, tiled=True), values)

    def scatter(self, partial: Float[Array, "M *F"]) -> Float[Array, "m *F"]:
        """The own rows of the sum over devices of what each has for all rows."""
        if self.axis is None:
            return partial
        return lax.psum_scatter(partial, self.axis, scatter_dimension=0, tiled=True)

    def sum(self, values: Tree) -> Tree:
        """The sum over devices."""
        return values if self.axis is None else jax.tree.map(lambda value: lax.psum(value, self.axis), values)

    def any(self, flag: Bool[Array, ""]) -> Bool[Array, ""]:
        """Whether a flag is up on any device."""
        return flag if self.axis is None else lax.pmax(flag.astype(jnp.int32), self.axis) > 0

    def placed(self, own: Float[Array, "m *F"]) -> Float[Array, "M *F"]:
        """The own rows among all, the rows of others being zero."""
        if self.axis is None:
            return own
        whole: Any = jnp.zeros((len(own) * self.devices, *own.shape[1:]), own.dtype)
        return lax.dynamic_update_slice_in_dim(whole, own, self.first(len(own)), 0)


ALL_ROWS = Rows()
