"""Whether a crystal is a valid framework: checks of our own, each with its reason. They are not MOFChecker's.

| check | fails where |
|---|---|
| `composition` | carbon, hydrogen or, of a metal-organic framework, a metal is missing |
| `overlap` | two atoms without a bond are closer than 0.7 of the sum of their covalent radii |
| `bonds` | a bond is torn or pressed together |
| `coordination` | H, C, N, O or a halogen has too few or too many bonds, or a carbon atom with two is bent |
| `connectivity` | it is not one net in three dimensions (of layers: two), or a fragment is loose |
| `valence` | linkers are left with radicals, missing hydrogen, or charges far from any metal |
| `pore` | no sphere of 2.4 A can go through |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from ase.data import chemical_symbols

from helio.errors import counted
from helio.frameworks.connectivity import nets
from helio.frameworks.contacts import least_contact
from helio.frameworks.crystal import Crystal
from helio.frameworks.elements import is_metal, radii
from helio.frameworks.valence import loose_valences

SMALLEST_PORE = 2.4  # A, pore limiting diameter; a little less than the kinetic diameter of helium
_LEAST_CONTACT = 0.7
_LONGEST, _LONGEST_METAL = 0.4, 0.7  # A beyond the sum of the covalent radii
_SHORTEST = 0.6  # of that sum
_COORDINATION = {1: (1, 1), 6: (2, 4), 7: (1, 4), 8: (1, 4)}
_HALOGENS = (9, 17, 35, 53)  # one bond to a light atom at most; they may bridge metals
_LEAST_ANGLE = 150.0  # degrees, of a carbon atom with two bonds: below, a hydrogen atom is missing


@dataclass(frozen=True)
class Demands:
    """What is asked of a framework."""

    metal: bool = True  # False for covalent organic frameworks
    dimensions: int = 3  # 2 lets layers pass
    smallest_pore: float = SMALLEST_PORE  # A


@dataclass(frozen=True)
class Check:
    """The outcome of one check; `reason` is empty where it is passed."""

    name: str
    reason: str

    @property
    def passed(self) -> bool:
        """Whether it is."""
        return not self.reason


def check(crystal: Crystal, pore_limiting_diameter: float, demands: Demands | None = None) -> list[Check]:
    """All checks of a crystal, in the order of the table above.

    Args:
        crystal: with bonds.
        pore_limiting_diameter: in A, as `pores.pore_labels` gives it.
        demands: what is asked.
    """
    demands = demands or Demands()
    found = [Check(name, function(crystal, demands)) for name, function in _CHECKS.items()]
    narrow = pore_limiting_diameter < demands.smallest_pore
    reason = f"the widest sphere to go through has {pore_limiting_diameter:.2f} A, not {demands.smallest_pore:g} A"
    return [*found, Check("pore", reason if narrow else "")]


def _composition(crystal: Crystal, demands: Demands) -> str:
    present = set(crystal.numbers.tolist())
    missing = [word for number, word in ((6, "carbon"), (1, "hydrogen")) if number not in present]
    if demands.metal and not is_metal(crystal.numbers).any():
        missing.append("metal")
    return f"no {' and no '.join(missing)}" if missing else ""


def _overlap(crystal: Crystal, demands: Demands) -> str:
    least = least_contact(crystal)
    return f"two atoms without a bond are at {least:.2f} of a bond's length" if least < _LEAST_CONTACT else ""


def _bonds(crystal: Crystal, demands: Demands) -> str:
    lengths = np.linalg.norm(crystal.bond_vectors, axis=1)
    usual = radii(crystal.numbers)[crystal.bonds].sum(axis=1)
    beyond = np.where(is_metal(crystal.numbers)[crystal.bonds].any(axis=1), _LONGEST_METAL, _LONGEST)
    bad = np.flatnonzero((lengths > usual + beyond) | (lengths < _SHORTEST * usual))
    if not len(bad):
        return ""
    worst = bad[np.abs(lengths[bad] - usual[bad]).argmax()]
    first, second = (chemical_symbols[number] for number in crystal.numbers[crystal.bonds[worst]])
    return f"{counted(len(bad), 'bond')} of wrong length, such as {first}-{second} of {lengths[worst]:.2f} A"


def _coordination(crystal: Crystal, demands: Demands) -> str:
    degrees = np.bincount(crystal.bonds.ravel(), minlength=len(crystal))
    for number, (fewest, most) in _COORDINATION.items():
        own = degrees[crystal.numbers == number]
        wrong = own[(own < fewest) | (own > most)]
        if len(wrong):
            return f"{chemical_symbols[number]} with {counted(int(wrong[0]), 'bond')}"
    light = crystal.bonds[~is_metal(crystal.numbers)[crystal.bonds].any(axis=1)]
    to_light = np.bincount(light.ravel(), minlength=len(crystal))
    for atom in np.flatnonzero(np.isin(crystal.numbers, _HALOGENS) & ((degrees == 0) | (to_light > 1))):
        return f"{chemical_symbols[crystal.numbers[atom]]} with {counted(int(degrees[atom]), 'bond')}"
    bent = [atom for atom in np.flatnonzero((crystal.numbers == 6) & (degrees == 2)) if _angle(crystal, int(atom)) < _LEAST_ANGLE]  # fmt: skip  # noqa: E501
    return f"{counted(len(bent), 'carbon atom')} with two bonds that is bent" if bent else ""


def _angle(crystal: Crystal, atom: int) -> float:
    """Between the two bonds of an atom, degrees."""
    vectors = crystal.bond_vectors
    out, back = vectors[crystal.bonds[:, 0] == atom], -vectors[crystal.bonds[:, 1] == atom]
    first, second = np.concatenate([out, back])
    cosine = first @ second / (np.linalg.norm(first) * np.linalg.norm(second))
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def _connectivity(crystal: Crystal, demands: Demands) -> str:
    found = nets(crystal)
    loose = [size for size, dimensions in found if dimensions == 0]
    if loose:
        return f"{counted(len(loose), 'loose fragment')}, the largest of {counted(max(loose), 'atom')}"
    least = min(dimensions for _, dimensions in found)
    if least < demands.dimensions:
        return f"a net goes on in {counted(least, 'dimension')}, not {demands.dimensions}"
    if demands.dimensions == 3 and len(found) > 1:
        return f"{len(found)} nets that are not bonded to each other"
    return ""


def _valence(crystal: Crystal, demands: Demands) -> str:
    loose = loose_valences(crystal)
    return f"{counted(loose, 'valence')} left over: radicals, missing hydrogen or charges" if loose else ""


_CHECKS: dict[str, Callable[[Crystal, Demands], str]] = {
    "composition": _composition,
    "overlap": _overlap,
    "bonds": _bonds,
    "coordination": _coordination,
    "connectivity": _connectivity,
    "valence": _valence,
}
