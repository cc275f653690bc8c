"""The SO3krates network (Frank et al., Nat. Commun. 2024): from elements and pair vectors to features and heads.

In: atomic numbers, charge, spin, a padded short list and its pair vectors in A. Out: invariant features (N, F) and
Euclidean variables (N, M), from which the heads make atomic energies, charges and Hirshfeld ratios. Masks are those
of the list (free places) and of the atoms (Z = 0). On several devices arrays over atoms are the rows that a device
owns (`helio.rows`). May import `helio.kernels`, `helio.neighbors`, the measured pairs and the cutoff function of
`helio.physics`, and numerical libraries.
"""

from helio.network.heads import ChargeHead, EnergyHead, HirshfeldHead
from helio.network.so3krates import SO3krates

__all__ = ["ChargeHead", "EnergyHead", "HirshfeldHead", "SO3krates"]
