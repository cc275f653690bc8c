"""Which reciprocal lattice vectors an Ewald sum needs."""

from __future__ import annotations

import numpy as np


def reciprocal_vectors(cell: np.ndarray, *, longest: float) -> np.ndarray:
    """Integer triples n with |2 pi n @ inv(cell).T| <= `longest` (1/A), one of each pair +-n, without zero.

    Returns an int32 array (V, 3) in a fixed order. Cost: proportional to volume * longest^3.
    """
    reciprocal = 2 * np.pi * np.linalg.inv(cell).T  # row vectors b_1, b_2, b_3
    # |n_a| = |k . a| / 2 pi <= longest |a| / 2 pi
    reach = np.floor(longest * np.linalg.norm(cell, axis=1) / (2 * np.pi)).astype(int)
    axes = [np.arange(-n, n + 1) for n in reach]
    triples = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    # Lexicographically positive triples: one of each pair.
    signs = np.sign(triples)
    leading = np.where(signs[:, 0] != 0, signs[:, 0], np.where(signs[:, 1] != 0, signs[:, 1], signs[:, 2]))
    triples = triples[leading > 0]
    lengths = np.linalg.norm(triples @ reciprocal, axis=1)
    return triples[lengths <= longest].astype(np.int32)
