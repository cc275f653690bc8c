"""Neighbour lists: who is within reach of whom.

In: positions, cell, periodic directions and cutoffs. Out: `Neighbors`, padded matrices with one row per atom. Lists
are full: if j stands in row i, i stands in row j with the opposite shift. Lists are made for a cutoff plus a skin;
what uses them measures distances anew and cuts off itself. May import `helio.errors` and numerical libraries only.
"""

from helio.neighbors.host import host_list, host_neighbors
from helio.neighbors.padded import NeighborList, Neighbors, pair_vectors
from helio.neighbors.reciprocal import reciprocal_vectors

__all__ = ["NeighborList", "Neighbors", "host_list", "host_neighbors", "pair_vectors", "reciprocal_vectors"]
