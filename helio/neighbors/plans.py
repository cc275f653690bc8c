"""The plans of both lists of a system, from which they are made on the device."""

from __future__ import annotations

import math
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from helio.errors import excerpt
from helio.neighbors.bins import Periodic, cell_order
from helio.neighbors.padded import NeighborList, Neighbors
from helio.neighbors.plan import Plan


class NeighborPlans(eqx.Module):
    """Sizes of both lists, how far they reach beyond the cutoffs, and what else `Neighbors` holds."""

    short: Plan = eqx.field(static=True)
    long: Plan = eqx.field(static=True)
    short_skin: float = eqx.field(static=True)  # A
    long_skin: float = eqx.field(static=True)  # A
    short_within: int = eqx.field(static=True)  # `Neighbors.short_within`, on one device
    rows: int = eqx.field(static=True, default=0)  # of lists in the order of space; 0: rows are in that of the atoms
    mesh: tuple[int, int, int] | None = eqx.field(static=True, default=None)
    reciprocal: Int[Array, "V 3"] | None = None

    def joined(self, short: NeighborList, long: NeighborList, order: Int[Array, " M"] | None = None) -> Neighbors:
        """What a potential takes, from the two lists and the order of their rows."""
        return Neighbors(short, long, order, reciprocal=self.reciprocal, short_within=self.short_within, mesh=self.mesh)

    def order(
        self, positions: Float[Array, "N 3"], cell: Float[Array, "3 3"], pbc: Periodic, atom_mask: Bool[Array, " N"]
    ) -> Int[Array, " M"] | None:
        """The atom that stands in each row, along the bins of the short list; N where a row has none."""
        if not self.rows:
            return None
        order = cell_order(positions, cell, pbc, bins=self.short.bins, atom_mask=atom_mask)
        return jnp.pad(order, (0, self.rows - len(order)), constant_values=len(order))

    def to_json(self) -> dict[str, Any]:
        """Plain values, for a checkpoint."""
        values = {name: value for name, value in vars(self).items() if name not in ("short", "long", "reciprocal")}
        reciprocal = None if self.reciprocal is None else np.asarray(self.reciprocal).tolist()
        return values | {"short": self.short._asdict(), "long": self.long._asdict(), "reciprocal": reciprocal}

    @classmethod
    def from_json(cls, values: dict[str, Any], *, like: NeighborPlans) -> NeighborPlans:
        """The plans that `to_json` wrote.

        Args:
            values: from a file.
            like: plans of the same atoms, which tell what sizes can be.

        Raises:
            KeyError, TypeError or ValueError: values are missing, or cannot be plans of these atoms.
        """
        reciprocal, mesh = values["reciprocal"], values["mesh"]
        return cls(
            short=_plan(values["short"], like.short),
            long=_plan(values["long"], like.long),
            short_skin=_length(values["short_skin"]),
            long_skin=_length(values["long_skin"]),
            short_within=_size(values["short_within"], like.short_within),
            rows=_size(values["rows"], like.rows),
            mesh=None if mesh is None else _triple(mesh, like.mesh or (0, 0, 0)),
            reciprocal=None if reciprocal is None else jnp.asarray(reciprocal, jnp.int32).reshape(-1, 3),
        )

    def at_least(self, other: NeighborPlans) -> NeighborPlans:
        """These plans with no size smaller than in `other`, where both divide space into the same bins."""
        return NeighborPlans(
            short=_larger(self.short, other.short),
            long=_larger(self.long, other.long),
            short_skin=self.short_skin,
            long_skin=self.long_skin,
            short_within=max(self.short_within, other.short_within),
            rows=max(self.rows, other.rows),
            mesh=self.mesh,
            reciprocal=self.reciprocal,
        )


# Sizes grow while a run gets denser, but not by more than this; small ones by up to `_SMALL` more.
_GROWTH, _SMALL = 100, 1000


def _plan(values: dict[str, Any], like: Plan) -> Plan:
    half = values["half_pairs"]
    return Plan(
        cutoff=_length(values["cutoff"]),
        bins=_triple(values["bins"], like.bins),
        reach=_triple(values["reach"], like.reach),
        bin_capacity=_size(values["bin_capacity"], like.bin_capacity),
        candidates=_size(values["candidates"], like.candidates),
        columns=_size(values["columns"], like.columns),
        half_pairs=None if half is None else _size(half, like.half_pairs or 0),
        rows=_size(values["rows"], like.rows),
    )


def _triple(values: Any, like: tuple[int, int, int]) -> tuple[int, int, int]:
    a, b, c = (_size(value, size) for value, size in zip(values, like, strict=True))
    return a, b, c


def _size(value: Any, like: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _GROWTH * like + _SMALL:
        raise ValueError(f"the size {excerpt(value)} of a neighbor list, which is about {like}, cannot be")
    return value


def _length(value: Any) -> float:
    if not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"the length {excerpt(value)} of a neighbor list cannot be")
    return float(value)


def _larger(new: Plan, old: Plan) -> Plan:
    if (new.bins, new.reach) != (old.bins, old.reach):
        old = old._replace(bin_capacity=0, candidates=0)
    return new._replace(
        bin_capacity=max(new.bin_capacity, old.bin_capacity),
        candidates=max(new.candidates, old.candidates),
        columns=max(new.columns, old.columns),
        half_pairs=None if new.half_pairs is None else max(new.half_pairs, old.half_pairs or 0),
    )
