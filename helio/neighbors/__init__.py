"""Neighbour lists: who is within reach of whom.

In: positions, cell, periodic directions and cutoffs. Out: `Neighbors`, padded matrices with one row per atom. Lists
are full: if j stands in row i, i stands in row j with the opposite shift. Lists are made for a cutoff plus a skin;
what uses them measures distances anew and cuts off itself. `host_list` makes a list of any size from scratch;
`device_list` makes the same one inside compiled code, in sizes that `plan_list` has chosen. May import
`helio.errors`, `helio.rows` and numerical libraries only.
"""

from helio.neighbors.bins import cell_order
from helio.neighbors.device import device_list
from helio.neighbors.host import check_extent, host_list, host_neighbors, round_up
from helio.neighbors.padded import HalfPairs, NeighborList, Neighbors, half_pairs, trimmed
from helio.neighbors.plan import Plan, most_pairs, plan_list
from helio.neighbors.plans import NeighborPlans
from helio.neighbors.reciprocal import reciprocal_vectors
from helio.neighbors.widening import Sizes, sizes, widened

__all__ = [
    "HalfPairs",
    "NeighborList",
    "NeighborPlans",
    "Neighbors",
    "Plan",
    "Sizes",
    "cell_order",
    "check_extent",
    "device_list",
    "half_pairs",
    "host_list",
    "host_neighbors",
    "most_pairs",
    "plan_list",
    "reciprocal_vectors",
    "round_up",
    "sizes",
    "trimmed",
    "widened",
]
