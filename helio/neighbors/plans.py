"""The plans of both lists of a system, from which they are made on the device."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

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
    def from_json(cls, values: dict[str, Any]) -> NeighborPlans:
        """The plans that `to_json` wrote."""
        reciprocal = values["reciprocal"]
        return cls(**values | {
            "short": _plan(values["short"]),
            "long": _plan(values["long"]),
            "mesh": None if values["mesh"] is None else tuple(values["mesh"]),
            "reciprocal": None if reciprocal is None else jnp.asarray(reciprocal, jnp.int32),
        })  # fmt: skip

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


def _plan(values: dict[str, Any]) -> Plan:
    triples: dict[str, Any] = {name: tuple(values[name]) for name in ("bins", "reach")}
    return Plan(**values | triples)


def _larger(new: Plan, old: Plan) -> Plan:
    if (new.bins, new.reach) != (old.bins, old.reach):
        old = old._replace(bin_capacity=0, candidates=0)
    return new._replace(
        bin_capacity=max(new.bin_capacity, old.bin_capacity),
        candidates=max(new.candidates, old.candidates),
        columns=max(new.columns, old.columns),
        half_pairs=None if new.half_pairs is None else max(new.half_pairs, old.half_pairs or 0),
    )
