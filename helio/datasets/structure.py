"""A labelled structure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from helio.datasets.units import Units

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True)
class LabelledStructure:
    """One structure of a set, in A, e and eV, with the labels that it has."""

    atomic_numbers: np.ndarray  # (N,)
    positions: np.ndarray  # (N, 3) in A
    labels: Mapping[str, np.ndarray] = field(default_factory=dict)  # by the names of `LABELS`
    cell: np.ndarray = field(default_factory=lambda: np.zeros((3, 3)))  # A, row vectors
    pbc: tuple[bool, bool, bool] = (False, False, False)
    charge: float | None = None  # e; None where the file does not tell
    unpaired_electrons: float | None = None
    level: str | None = None  # of theory
    number: int = 0  # in its file
    source: str | None = None  # where it comes from, if that is not the file
    licence: str | None = None
    units: Units = field(default_factory=Units)  # that the file has been taken to have
    found_as: Mapping[str, str] = field(default_factory=dict)  # label -> its name in the file
    not_finite: tuple[str, ...] = ()  # labels that are NaN or infinite, which count as missing
    unused: tuple[str, ...] = ()  # names in the file that were not used
    attributes: Mapping[str, Any] = field(default_factory=dict)  # what else the file says, by its names there
    problem: str | None = None  # why it must not be used, such as a charge and a spin that contradict each other

    def to_ase(self) -> Atoms:
        """As ASE `Atoms` with what the file says in `info`, without labels."""
        from ase import Atoms

        return Atoms(self.atomic_numbers, self.positions, cell=self.cell, pbc=self.pbc, info=dict(self.attributes))
