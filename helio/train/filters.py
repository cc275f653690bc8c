"""Which structures of a set are kept."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from helio.datasets.structure import LabelledStructure
from helio.errors import HelioError
from helio.neighbors import check_extent


@dataclass(frozen=True)
class FilterSettings:
    """What is left out."""

    min_distance: float = 0.5  # A; structures with two atoms closer
    max_force: float | None = 50.0  # eV/A; structures with a larger force on an atom
    elements: tuple[int, ...] | None = None  # structures with other elements, where these are given
    max_atoms: int | None = None
    keep_duplicates: bool = False

    def __post_init__(self) -> None:
        """Check the limits."""
        if not 0 <= self.min_distance < np.inf:
            raise HelioError(f"the least distance must be a number of A from 0, not {self.min_distance}")
        if self.max_force is not None and not 0 < self.max_force < np.inf:
            raise HelioError(f"the largest force must be positive, in eV/A, or left out; not {self.max_force}")
        if self.max_atoms is not None and self.max_atoms < 1:
            raise HelioError(f"the most atoms must be at least 1, not {self.max_atoms}")


def reason_against(structure: LabelledStructure, closest: float, settings: FilterSettings) -> str | None:
    """Why a structure, whose two closest atoms are `closest` apart (A), is left out; None where it is kept."""
    numbers = structure.atomic_numbers
    if settings.elements is not None and not np.isin(numbers, settings.elements).all():
        return "other elements"
    if settings.max_atoms is not None and len(numbers) > settings.max_atoms:
        return f"more than {settings.max_atoms} atoms"
    if not _electrons_fit(structure):
        return "charge and spin contradict the number of electrons"
    if closest < settings.min_distance:
        return f"atoms closer than {settings.min_distance:g} A"
    forces = structure.labels.get("forces")
    if settings.max_force is not None and forces is not None and len(forces):
        if np.linalg.norm(forces, axis=1).max() > settings.max_force:
            return f"forces above {settings.max_force:g} eV/A"
    return None


def reason_before_geometry(structure: LabelledStructure) -> str | None:
    """Why a structure cannot be used at all; None where its geometry makes sense."""
    numbers = structure.atomic_numbers
    if len(numbers) == 0:
        return "no atoms"
    if not np.isfinite(structure.positions).all():
        return "positions that are not finite"
    try:
        check_extent(structure.positions, structure.pbc)
    except HelioError:
        return "atoms too far apart"
    if numbers.min() < 1 or numbers.max() > 118:
        return "unknown elements"
    cell = structure.cell[np.asarray(structure.pbc)]
    if len(cell) and not np.isfinite(cell).all():
        return "a cell that is not finite"
    if len(cell) and np.linalg.matrix_rank(cell, tol=1e-6) < len(cell):
        return "a cell without volume"
    return None


def digest(structure: LabelledStructure) -> bytes:
    """Equal for structures of the same atoms at the same places (to 1e-4 A), charge, spin, level and kinds of labels.

    Atoms in another order, and structures that were moved or turned, count as different.
    """
    state = blake2b(digest_size=10)
    state.update(structure.atomic_numbers.astype(np.int64).tobytes())
    for lengths in (structure.positions, structure.cell):
        state.update((np.round(np.asarray(lengths, np.float64), 4) + 0.0).tobytes())  # + 0 turns -0 into 0
    charge, unpaired = float(structure.charge or 0), float(structure.unpaired_electrons or 0)
    state.update(repr((structure.pbc, charge, unpaired, structure.level, sorted(structure.labels))).encode())
    return state.digest()


def _electrons_fit(structure: LabelledStructure) -> bool:
    electrons = int(structure.atomic_numbers.sum()) - (structure.charge or 0)
    unpaired = structure.unpaired_electrons
    if not np.isfinite(electrons) or electrons < 0 or electrons != round(electrons):
        return False
    return unpaired is None or (0 <= unpaired <= electrons and (electrons - unpaired) % 2 == 0)
