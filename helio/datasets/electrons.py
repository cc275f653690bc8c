"""Charge and spin of a labelled structure, under all the names of `helio.electrons`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from helio.electrons import electrons_of
from helio.errors import HelioError

if TYPE_CHECKING:
    from ase import Atoms

_UNSTATED = "by default"


@dataclass(frozen=True)
class StatedElectrons:
    """Charge in e and unpaired electrons; None where nothing tells them, or they make no sense (`problem`)."""

    charge: float | None = None
    unpaired_electrons: float | None = None
    problem: str | None = None


def stated_electrons(atoms: Atoms, charge: float | None = None) -> StatedElectrons:
    """Charge and spin that `atoms` state; `charge` is that of structures that state none, and decides on their spin."""
    try:
        electrons = electrons_of(atoms, check_parity=False)
        told = electrons.charge_source != _UNSTATED
        if not told and charge is not None:
            electrons = electrons_of(atoms, charge=charge, check_parity=False)
    except HelioError as error:
        return StatedElectrons(problem=str(error))
    unpaired = None if electrons.unpaired_source == _UNSTATED else float(electrons.unpaired)
    return StatedElectrons(float(electrons.charge) if told else None, unpaired)


def electrons_in(numbers: np.ndarray, info: Mapping[str, Any], charge: float | None = None) -> StatedElectrons:
    """The same for atomic numbers and values by the names of `helio.electrons.KEYS`."""
    from ase import Atoms

    return stated_electrons(Atoms(numbers, info=dict(info)), charge)
