"""Whether a force field can describe a system; errors at the border, before anything is compiled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase.data import chemical_symbols

from helio.errors import HelioError
from helio.long_range import check_long_range
from helio.neighbors import host_list
from helio.system import System

# Closer than any bond (H2 at its repulsive turning point in hot dynamics: ~0.55 A): two atoms at one place.
SHORTEST_DISTANCE = 0.4  # A


def check_system(
    system: System,
    *,
    supported_elements: Sequence[int],
    long_range_cutoff: float,
    electrostatics: str,
    dispersion_tail: str,
) -> None:
    """Raise `HelioError` for unsupported elements, overlapping atoms, or options that do not fit the cell."""
    unknown = sorted(set(np.asarray(system.atomic_numbers).tolist()) - {0, *supported_elements})
    if unknown:
        supported = " ".join(chemical_symbols[z] for z in supported_elements)
        raise HelioError(
            f"the model does not know {', '.join(chemical_symbols[z] for z in unknown)}: it was trained for "
            f"{supported}. Remove these atoms or use a model trained for them (--model)"
        )
    check_long_range(electrostatics, dispersion_tail, fully_periodic=all(system.pbc))
    if not long_range_cutoff > 0:
        raise HelioError(f"the long-range cutoff must be positive, not {long_range_cutoff}")
    _check_overlap(system)


def _check_overlap(system: System) -> None:
    close = host_list(system.positions, system.cell, system.pbc, cutoff=SHORTEST_DISTANCE)
    rows = np.flatnonzero((np.asarray(close.index) < len(system)).any(axis=1))
    if len(rows):
        i, j = int(rows[0]), int(np.asarray(close.index)[rows[0], 0])
        raise HelioError(
            f"{len(rows)} atoms overlap (closer than {SHORTEST_DISTANCE} A), for example atoms {i} and {j}: "
            "check the structure for duplicates, alternate locations or a cell that is too small"
        )
