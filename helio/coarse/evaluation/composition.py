"""Numbers that describe a fine system by its topology alone, for regressions without simulation."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from helio.coarse.system import FineSystem


def composition(system: FineSystem, types: int) -> np.ndarray:
    """Features (F,): log of the number of beads, shares of types, and shares of pairs one and two bonds apart.

    `types` is how many types there are in all data.
    """
    count = len(system)
    shares = np.bincount(system.types, minlength=types) / count
    i, j = system.bonds.T
    bonded = csr_array((np.ones(2 * len(i)), (np.r_[i, j], np.r_[j, i])), shape=(count, count))
    rows, columns = csr_array(bonded @ bonded).nonzero()
    apart = rows < columns
    pairs = [_pair_shares(system.types[a], system.types[b], types) for a, b in ((i, j), (rows[apart], columns[apart]))]
    return np.concatenate([[np.log(count)], shares, *pairs])


def _pair_shares(first: np.ndarray, second: np.ndarray, types: int) -> np.ndarray:
    """Shares of the kinds of pairs, (types (types + 1) / 2,)."""
    table = np.zeros((types, types))
    np.add.at(table, (np.minimum(first, second), np.maximum(first, second)), 1)
    return table[np.triu_indices(types)] / max(1, len(first))
