"""What a model sees of a system at one time."""

from __future__ import annotations

import equinox as eqx
from jaxtyping import Array, Float

from helio.coarse.topology import Topology


class Moment(eqx.Module):
    """One system, padded; or B of them, each array with a leading axis. Lengths are in the unit of the data."""

    features: Float[Array, "G F"]  # what the groups are made of (`Embedding`)
    topology: Topology
    positions: Float[Array, "G 3"]  # newest centres, unwrapped
    steps: Float[Array, "h G 3"]  # that led there, h = H - 1, the newest last
    box: Float[Array, " 3"] | None  # edges; None where there are no boundaries
