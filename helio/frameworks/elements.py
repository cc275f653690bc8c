"""Which elements count as metals, and the radii that bonds are judged by."""

from __future__ import annotations

import numpy as np
from ase.data import atomic_numbers, covalent_radii

# All others are metals: half-metals bond like their light neighbours in the blocks of frameworks.
_NOT_METALS = "H He B C N O F Ne Si P S Cl Ar Ge As Se Br Kr Te I Xe At Rn"
NOT_METALS = frozenset(atomic_numbers[symbol] for symbol in _NOT_METALS.split())


def is_metal(numbers: np.ndarray) -> np.ndarray:
    """Whether each atomic number (n,) is that of a metal."""
    return ~np.isin(numbers, list(NOT_METALS))


def radii(numbers: np.ndarray) -> np.ndarray:
    """Covalent radii, A (Cordero et al., Dalton Trans. 2008, 2832, as in ASE)."""
    return covalent_radii[np.asarray(numbers)]
