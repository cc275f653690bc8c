"""Polarizabilities and C6 coefficients of free atoms."""

from __future__ import annotations

import numpy as np

# Tkatchenko and Scheffler, PRL 2009, 102, 073005 (Hartree atomic units): polarizability, C6.
_FREE_ATOMS = {
    1: (4.5, 6.5),
    6: (12.0, 46.6),
    7: (7.4, 24.2),
    8: (5.4, 15.6),
    9: (3.8, 9.52),
    15: (25.0, 185.0),
    16: (19.6, 134.0),
    17: (15.0, 94.6),
}


def free_atom_table(size: int = 119) -> np.ndarray:
    """Rows Z of polarizability and C6, (size, 2); elements without a value and padding (Z = 0) hold ones."""
    table = np.ones((size, 2))
    for number, values in _FREE_ATOMS.items():
        table[number] = values
    return table


def elements_with_values() -> frozenset[int]:
    """Atomic numbers of the elements in the table."""
    return frozenset(_FREE_ATOMS)
