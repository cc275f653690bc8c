"""Do the numbers of a set mean what was declared? Checks that find wrong units and signs.

| check | what it compares | finds |
|---|---|---|
| distances | each atom's closest neighbour with the sum of the covalent radii | positions in bohr or nm |
| total energies | energy with that of the free atoms, E(Z) = -0.7687 Z^(7/3) + Z^2 / 2 - 0.2699 Z^(5/3) hartree (Schwinger, Phys. Rev. A 22, 1827 (1980)), within 5 %: all-electron energies | energies in another unit |
| work | energy differences of structures of one molecule with -(F_1 + F_2) / 2 (r_2 - r_1), exact for springs | forces in another unit, gradients |
| bond stiffness | how the force on H along its bond changes with the length, with C-H, N-H and O-H bonds | the same, where energies are missing |
| dipoles | with sum q_i r_i where charges are known; the size of small neutral molecules' | dipoles in debye or atomic units |
| charges, ratios, stress | their sums and sizes | volumes for ratios, GPa for eV/A^3 |

A check that has too little to compare, or finds no correlation, says nothing.
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from ase.data import covalent_radii

from helio.datasets.structure import LabelledStructure
from helio.datasets.units import LENGTH_UNITS, STRESS_UNITS, Units
from helio.units import DIPOLE_UNITS, ENERGY_UNITS, FORCE_UNITS, HARTREE

LIMIT = 3_000  # structures that are looked at in each file
_LEAST = 6  # values that a comparison needs
# Curvature of the energy along a bond to H in eV/A^2: force constants of 5.0, 6.5 and 7.6 mdyn/A.
_STIFFNESS = {6: 31.0, 7: 40.0, 8: 47.0}
_LARGEST_NEUTRAL = 0.7  # |dipole| / sqrt(N) in e A: zwitterions reach 0.55, water in debye 1.1
_SHORT_WAY = 0.2  # A, that atoms move between two structures whose energies are compared
_HEAVIEST_ALL_ELECTRON = 36


class Plausibility:
    """Collects what the checks compare, over the structures of one file."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._units = Units()
        self._seen = 0
        self._values: dict[str, list[tuple[float, float]]] = {}
        self._last: LabelledStructure | None = None

    def add(self, structure: LabelledStructure, closest: float) -> None:
        """Look at a structure, whose two closest atoms are `closest` apart (A)."""
        self._seen += 1
        if self._seen > LIMIT:
            return
        self._units = structure.units
        labels, charge = structure.labels, structure.charge or 0.0
        self._distances(structure)
        if "energy" in labels and structure.atomic_numbers.max() <= _HEAVIEST_ALL_ELECTRON:
            self._note("energy", float(free_atoms(structure.atomic_numbers)), float(labels["energy"]))
        if "forces" in labels:
            self._work(structure)
            self._stretching(structure)
        if "dipole" in labels and abs(charge) < 0.5 and not any(structure.pbc):
            size = float(np.linalg.norm(labels["dipole"]))
            self._note("dipole size", np.sqrt(len(structure.atomic_numbers)), size)
            if "charges" in labels:
                for expected, value in zip(labels["charges"] @ structure.positions, labels["dipole"], strict=True):
                    self._note("dipole", float(expected), float(value))
        if "charges" in labels:
            self._note("charge", charge, float(labels["charges"].sum()))
        if "hirshfeld_ratios" in labels:
            self._note("ratios", 1.0, float(np.median(labels["hirshfeld_ratios"])))
        if "stress" in labels:
            self._note("stress", 1.0, float(np.abs(labels["stress"]).max()))
        self._last = structure

    def problem(self) -> str | None:
        """What is wrong, in one sentence; None where nothing is."""
        checks: tuple[Callable[[], str | None], ...] = (
            self._lengths_wrong,
            self._energies_wrong,
            self._forces_wrong,
            self._dipoles_wrong,
            self._others_wrong,
        )
        return next((problem for check in checks if (problem := check()) is not None), None)

    def _note(self, name: str, expected: float, value: float) -> None:
        self._values.setdefault(name, []).append((expected, value))

    def _pairs(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        values = np.array(self._values.get(name, np.empty((0, 2))))
        return values[:, 0], values[:, 1]

    def _distances(self, structure: LabelledStructure) -> None:
        numbers, positions = structure.atomic_numbers, structure.positions
        if not 1 < len(numbers) <= 300 or any(structure.pbc):
            return
        distances = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
        np.fill_diagonal(distances, np.inf)
        ends = distances.argmin(axis=1)
        lengths = covalent_radii[numbers] + covalent_radii[numbers[ends]]
        self._note("length", 1.0, float(np.median(distances.min(axis=1) / lengths)))

    def _work(self, structure: LabelledStructure) -> None:
        last = self._last
        both = structure.labels.keys() & (last.labels.keys() if last else set())
        if last is None or not {"energy", "forces"} <= both or not _comparable(structure, last):
            return
        moved = structure.positions - last.positions
        if np.abs(moved).max() > _SHORT_WAY:
            return
        work = -float(np.sum((structure.labels["forces"] + last.labels["forces"]) / 2 * moved))
        self._note("work", work, float(structure.labels["energy"] - last.labels["energy"]))

    def _stretching(self, structure: LabelledStructure) -> None:
        last = self._last
        if last is None or "forces" not in last.labels or not _comparable(structure, last):
            return
        numbers = structure.atomic_numbers
        heavy = np.flatnonzero(np.isin(numbers, list(_STIFFNESS)))
        for atom in np.flatnonzero(numbers == 1)[:40] if len(heavy) else ():
            distances = np.linalg.norm(structure.positions[atom] - structure.positions[heavy], axis=1)
            end = int(heavy[distances.argmin()])
            (length, force), (before, force_before) = (_along(one, atom, end) for one in (structure, last))
            if 0.8 < length < 1.3 and 0.8 < before < 1.3 and abs(length - before) > 0.005:
                self._note(f"bond {numbers[end]}", length - before, force - force_before)

    def _lengths_wrong(self) -> str | None:
        _, ratios = self._pairs("length")
        if len(ratios) == 0 or 0.65 < (found := float(np.median(ratios))) < 1.6:
            return None
        hint = _unit_hint(found, LENGTH_UNITS, self._units.length, 0.7, 1.4)
        unit = self._units.length
        return f"neighbouring atoms are {found:.2g} bond lengths apart: the unit of length is not {unit}{hint}"

    def _energies_wrong(self) -> str | None:
        expected, energies = self._pairs("energy")
        if len(energies) == 0:
            return None
        ratio = float(np.median(energies / expected))
        names = {name: value for name, value in ENERGY_UNITS.items() if name != self._units.energy}
        for name, value in names.items():
            if abs(ratio * value / ENERGY_UNITS[self._units.energy] - 1) < 0.05:
                return (
                    f"the energies are {ratio:.3g} times those of the free atoms: "
                    f"their unit is not {self._units.energy}, it seems to be {name}"
                )
        return None

    def _forces_wrong(self) -> str | None:
        work, difference = self._pairs("work")
        slope = _slope(work, difference, 0.9)
        if slope is not None and not 0.7 < slope < 1.4:
            return self._forces_are(1 / slope, "what the differences of the energies ask for")
        ratios = []
        for heavy, stiffness in _STIFFNESS.items():
            lengths, forces = self._pairs(f"bond {heavy}")
            if (found := _slope(lengths, forces, 0.8)) is not None:
                ratios.append(-found / stiffness)
        if slope is None and ratios and not 0.65 < (found := float(np.median(ratios))) < 1.5:
            return self._forces_are(found, "what the bonds to hydrogen ask for")
        return None

    def _forces_are(self, times: float, expected: str) -> str:
        start = f"the forces are {abs(times):.3g} times {expected}"
        if times < 0:
            start += " and have the opposite sign: they are gradients (--gradients)"
            if 0.7 < -times < 1.4:
                return start.replace(f"{abs(times):.3g} times ", "")
        hint = _unit_hint(abs(times), FORCE_UNITS, self._units.force_unit, 0.7, 1.4)
        return f"{start}: their unit is not {self._units.force_unit}{hint}"

    def _dipoles_wrong(self) -> str | None:
        expected, dipoles = self._pairs("dipole")
        slope = _slope(expected, dipoles, 0.8)
        unit = self._units.dipole
        if slope is not None and not 0.6 < slope < 1.75:
            hint = _unit_hint(slope, DIPOLE_UNITS, unit, 0.7, 1.4)
            return f"the dipoles are {slope:.3g} times those of the charges: their unit is not {unit}{hint}"
        roots, sizes = self._pairs("dipole size")
        if slope is None and len(sizes) and (found := float(np.median(sizes / roots))) > _LARGEST_NEUTRAL:
            return (
                f"the dipoles of neutral molecules of {np.median(roots) ** 2:.0f} atoms are "
                f"{found * np.median(roots):.3g} e A: their unit is not {unit}, it may be debye"
            )
        return None

    def _others_wrong(self) -> str | None:
        total, charges = self._pairs("charge")
        if len(charges) and (found := float(np.median(np.abs(charges - total)))) > 0.3:
            return (
                f"the atoms' charges miss the total charge by {found:.2g} e: they are no charges in e, "
                "or the total charge is wrong"
            )
        _, ratios = self._pairs("ratios")
        if len(ratios) and not 0.2 < (found := float(np.median(ratios))) < 2.5:
            return f"the Hirshfeld ratios are about {found:.3g}: they must be volumes over those of the free atoms"
        _, stress = self._pairs("stress")
        if len(stress) and (found := float(np.median(stress))) > 0.5:
            hint = _unit_hint(found / 0.02, STRESS_UNITS, self._units.stress, 0.05, 20)
            return f"the stress is about {found:.3g} eV/A^3: its unit is not {self._units.stress}{hint}"
        return None


def free_atoms(numbers: np.ndarray) -> float:
    """Energy of free atoms in eV, within 1 % from carbon on (8 % for hydrogen)."""
    z = np.asarray(numbers, np.float64)
    return float(np.sum(-0.768745 * z ** (7 / 3) + 0.5 * z**2 - 0.2699 * z ** (5 / 3)) * HARTREE)


def _comparable(structure: LabelledStructure, other: LabelledStructure) -> bool:
    """Whether both are the same molecule, not periodic."""
    if any(structure.pbc) or any(other.pbc):
        return False
    return np.array_equal(structure.atomic_numbers, other.atomic_numbers)


def _along(structure: LabelledStructure, atom: int, end: int) -> tuple[float, float]:
    """Length of the bond from `end` to `atom` in A, and the force on `atom` along it in eV/A."""
    bond = structure.positions[atom] - structure.positions[end]
    length = float(np.linalg.norm(bond))
    return length, float(structure.labels["forces"][atom] @ bond) / length


def _slope(expected: np.ndarray, values: np.ndarray, correlation: float) -> float | None:
    """Slope of values against what is expected, through zero; None where they are too few or do not go together."""
    if len(values) < _LEAST:
        return None
    products = float(expected @ values)
    norms = float(np.sqrt((expected @ expected) * (values @ values)))
    if norms == 0 or abs(products) / norms < correlation:
        return None
    return float(np.sign(products) * np.sqrt((values @ values) / (expected @ expected)))


def _unit_hint(times: float, units: Mapping[str, float], declared: str, low: float, high: float) -> str:
    """Which unit would bring a value that is so many times too large into the range, as the end of a sentence."""
    fits = {
        name: abs(np.log(times * value / units[declared]))
        for name, value in units.items()
        if name != declared and low < times * value / units[declared] < high
    }
    return f", it seems to be {min(fits, key=lambda name: fits[name])}" if fits else ""
