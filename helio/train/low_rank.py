"""Low-rank adaptation (LoRA; Hu et al., ICLR 2022): matrices of a model change by a product of two narrow ones.

W' = W + A B with A (a, r) drawn at random and B (r, b) zero at first, for every kernel W (..., a, b) of dense layers
and of heads of the attention. W stays as it is; so do biases, scales and tables of elements.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from helio.errors import HelioError
from helio.train.parts import name_of, part_of

MATRICES = ("kernel", "blocks")


class Change(eqx.Module):
    """A B."""

    narrow: Float[Array, "... a r"]
    wide: Float[Array, "... r b"]

    def matrix(self) -> Float[Array, "... a b"]:
        """The product."""
        return jnp.matmul(self.narrow, self.wide, precision=jax.lax.Precision.HIGHEST)


class LowRank(eqx.Module):
    """A model whose matrices change by products of low rank; `merged` is a model like any other."""

    base: Any  # ForceField or ManyLevels
    changes: dict[str, Change]  # by the name of the matrix

    @classmethod
    def of(cls, base: Any, rank: int, factors: Mapping[str, float], *, seed: int) -> LowRank:
        """Changes of zero for all matrices of the parts whose factor is not zero.

        The rank of a matrix that has a shorter side is that side.

        Raises:
            HelioError: these parts hold no matrix.
        """
        random, changes = np.random.default_rng(seed), {}
        for path, leaf in jax.tree_util.tree_flatten_with_path(base)[0]:
            name = name_of(path)
            if name.rpartition(".")[2] not in MATRICES or factors[part_of(name)] == 0:
                continue
            *lead, a, b = leaf.shape
            narrow = random.normal(size=(*lead, a, min(rank, a, b))) / a**0.5
            wide = np.zeros((*lead, min(rank, a, b), b))
            changes[name] = Change(jnp.asarray(narrow, leaf.dtype), jnp.asarray(wide, leaf.dtype))
        if not changes:
            chosen = ", ".join(part for part, factor in factors.items() if factor)
            raise HelioError(
                f"lora_rank needs matrices, and {chosen} has none: name other parts, or leave lora_rank out"
            )
        return cls(base, changes)

    def merged(self) -> Any:
        """The model with its changed matrices."""

        def changed(path: tuple[Any, ...], leaf: Array) -> Array:
            change = self.changes.get(name_of(path))
            return leaf if change is None else leaf + change.matrix()

        return jax.tree_util.tree_map_with_path(changed, self.base)

    def leaf_factors(self, factors: Mapping[str, float]) -> LowRank:
        """A tree like this one with the factor of the learning rate for every array: zero for the base."""
        rates = {name: Change(*2 * [factors[part_of(name)]]) for name in self.changes}  # pyright: ignore
        return LowRank(jax.tree.map(lambda _: 0.0, self.base), rates)


def merged(model: Any) -> Any:
    """The model itself, or the one that a `LowRank` stands for."""
    return model.merged() if isinstance(model, LowRank) else model
