"""What the engine asks of a potential."""

from __future__ import annotations

from typing import Protocol

from helio.neighbors import NeighborList, NeighborPlans, Neighbors, Plan
from helio.prediction import Prediction
from helio.system import System


class Potential(Protocol):
    """What gives lists and forces: a `ForceField`, or anything like it."""

    def plan(
        self, system: System, *, short_skin: float, long_skin: float, spare: float, all_within: bool
    ) -> NeighborPlans:
        """Sizes of the lists for systems like this one of host arrays, as `ForceField.plan`."""
        ...

    def make_list(self, system: System, plan: Plan) -> NeighborList:
        """One of the lists, in compiled code, as `ForceField.make_list`."""
        ...

    def placed(self, pairs: NeighborList) -> NeighborList:
        """The list on the devices on which `make_list` leaves it."""
        ...

    def __call__(self, system: System, neighbors: Neighbors) -> Prediction:
        """The prediction, in compiled code."""
        ...
