"""How far the long-range pairs of a system reach, decided here for every use of a force field."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

PERIODIC = 12.0  # A, of SO3LR's published simulations (JACS 2025)
# All pairs of a molecule, by the published formula, which shifts electrostatics to zero at the cutoff: the authors'
# program evaluates molecules with this one.
ALL_PAIRS = 1000.0  # A


def automatic_cutoff(pbc: Iterable[bool | np.bool_]) -> float:
    """The long-range cutoff (A) of a system for which none is chosen: 12 A where it is periodic, else all pairs.

    Shifted electrostatics at 12 A and over all pairs are different potentials: energies of a crystal or a liquid and
    of its molecules alone are not comparable with this choice.
    """
    return PERIODIC if any(pbc) else ALL_PAIRS
