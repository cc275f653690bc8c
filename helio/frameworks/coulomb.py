"""The Coulomb interaction of every pair of atoms in a periodic crystal, as a matrix.

    K_ij = sum over n of 1 / |r_j - r_i + n|        (without n = 0 where i = j)

with n running over all lattice vectors, made finite by a uniform background of opposite charge (Ewald, Ann. Phys. 369,
253 (1921)): the energy of charges q is k/2 q K q, and what the background adds vanishes where they sum to zero.
`helio.physics` sums energies of given charges, in programs compiled for a size; here the charges are sought, once for
each crystal, and every crystal has another size.

| symbol | variable |
|---|---|
| α | splitting |
| K_ij | the returned matrix |
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import erfc

from helio.neighbors import reciprocal_vectors

Term = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]  # of atoms i and j and their distance

CUTOFF = 12.0  # A, of pairs that are summed one by one
_DEPTH = 4.5  # where both sums end: erfc(4.5) = 2e-10
_CHUNK = 2048  # wave vectors at once: 2 x 8 bytes of each for every atom


def coulomb_matrix(cell: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """K (N, N), 1/A, of a cell (3, 3) with rows for vectors and Cartesian positions (N, 3), A."""
    splitting = _DEPTH / CUTOFF
    volume = abs(np.linalg.det(cell))
    found = pair_sum(cell, positions, lambda i, j, r: erfc(splitting * r) / r)
    found += _reciprocal_sum(cell, positions, splitting)
    found -= np.pi / (splitting**2 * volume)
    np.fill_diagonal(found, found.diagonal() - 2 * splitting / np.sqrt(np.pi))
    return found


def pair_sum(cell: np.ndarray, positions: np.ndarray, term: Term) -> np.ndarray:
    """Sum of `term(i, j, distance)` over all images of atom j within the cutoff of atom i, (N, N)."""
    import vesin

    options = {"points": positions, "box": cell, "periodic": True}
    i, j, distance = vesin.NeighborList(cutoff=CUTOFF, full_list=True).compute(**options, quantities="ijd")
    i, j, count = i.astype(np.int64), j.astype(np.int64), len(positions)
    return np.bincount(i * count + j, weights=term(i, j, distance), minlength=count**2).reshape(count, count)


def _reciprocal_sum(cell: np.ndarray, positions: np.ndarray, splitting: float) -> np.ndarray:
    """4 pi / V sum over k of exp(-k^2 / 4 alpha^2) / k^2 cos(k . (r_j - r_i))."""
    triples = reciprocal_vectors(cell, longest=2 * splitting * _DEPTH)
    waves = 2 * np.pi * triples @ np.linalg.inv(cell).T
    squares = (waves**2).sum(axis=1)
    # One of each pair k, -k is listed: twice.
    weights = 8 * np.pi / abs(np.linalg.det(cell)) * np.exp(-squares / (4 * splitting**2)) / squares
    found = np.zeros((len(positions), len(positions)))
    for start in range(0, len(waves), _CHUNK):
        phases = positions @ waves[start : start + _CHUNK].T
        cosines, sines, part = np.cos(phases), np.sin(phases), weights[start : start + _CHUNK]
        found += (cosines * part) @ cosines.T + (sines * part) @ sines.T
    return found
