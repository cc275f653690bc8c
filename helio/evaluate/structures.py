"""Errors of all labels over a set of labelled structures.

Energies are compared within groups of one composition, charge and spin: a model's energies have no common zero, so
the mean difference of each group is taken off. A structure that is alone in its group has no relative energy and does
not enter. Where the energies of free atoms are known that the model leaves out, total energies can be compared.
Energies of atoms have no common zero either: the mean difference of each element is taken off. All other properties
are compared as they are, dipoles of charged systems relative to the coordinate origin; the stress where a structure is
periodic in three directions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from helio.datasets import LABELS, LabelledStructure, Units
from helio.errors import HelioError
from helio.evaluate.batches import predict_many
from helio.evaluate.metrics import ErrorSums, PairSample, SlopeSums, without_group_means
from helio.force_field import ForceField
from helio.precision import Precision
from helio.prediction import Prediction
from helio.system import System
from helio.units import FORCE_UNITS

PROPERTIES = tuple(LABELS)


@dataclass
class PropertyErrors:
    """Errors of one property: of all values, and of the atoms of each element where it is a property of atoms."""

    unit: str
    total: ErrorSums = field(default_factory=ErrorSums)
    by_element: dict[str, ErrorSums] = field(default_factory=dict)
    structures: int = 0  # with a label that entered
    unlabelled: int = 0
    not_finite: int = 0  # labels that are NaN or infinite, among the unlabelled
    found_as: Counter[str] = field(default_factory=Counter)  # names of the labels in the file
    sample: PairSample = field(default_factory=PairSample)
    slope: SlopeSums = field(default_factory=SlopeSums)  # of the stress

    def add_elements(self, atomic_numbers: np.ndarray, difference: np.ndarray) -> None:
        """Count the errors of atoms, (N,) or (N, 3), by their element."""
        for number in np.unique(atomic_numbers):
            element = chemical_symbols[number]
            sums = self.by_element.get(element, ErrorSums())
            self.by_element[element] = sums.including(difference[atomic_numbers == number])


@dataclass
class StructureErrors:
    """Errors of one structure; None without a label."""

    index: int
    formula: str
    atoms: int
    energy: float | None = None  # eV, prediction - reference relative to its group
    forces_mae: float | None = None  # eV/A
    forces_rmse: float | None = None
    dipole_mae: float | None = None  # e A
    hirshfeld_ratios_mae: float | None = None
    charges_mae: float | None = None  # e
    stress_mae: float | None = None  # eV/A^3


@dataclass
class Evaluation:
    """All that an evaluation found."""

    structures: list[StructureErrors]
    properties: dict[str, PropertyErrors]
    energy_per_atom: ErrorSums  # eV per atom
    alone: int  # structures with an energy label but no other of their composition, charge and spin
    unusable: list[tuple[int, str]]  # number and reason of each structure that the model cannot describe
    force_scale: float | None  # by which the predicted forces would best fit the reference
    total_energies: bool = False  # whether energies were compared as they are
    units: str | None = None  # that the labels were taken to have, and where they come from
    assumed_charge: int = 0  # structures whose file does not tell their charge
    unused: tuple[str, ...] = ()  # names in the file that were not used

    @property
    def labelled(self) -> bool:
        """Whether anything was compared."""
        return any(errors.total.count for errors in self.properties.values())

    def unit_hint(self) -> str | None:
        """What the labels' unit seems to be, where the forces differ by about the ratio of two units."""
        if self.force_scale is None:
            return None
        for name, value in FORCE_UNITS.items():
            if abs(self.force_scale * value - 1) < 0.1 and abs(value - 1) > 0.2:
                return f"the reference forces are {self.force_scale:.3g} times the predicted: are they in {name}?"
        return None

    def stress_line(self) -> str | None:
        """How the predicted stress follows the labels, and whether their sign is wrong; None where neither changes."""
        sums = self.properties["stress"].slope
        if sums.slope is None or sums.correlation is None:
            return None
        line = f"Stress, between structures: slope {sums.slope:.2f}, correlation {sums.correlation:.2f}."
        if not sums.opposite:
            return line
        names = ", ".join(self.properties["stress"].found_as)
        return (
            f"{line} Warning: it falls where {names} rises, so that the sign of the labels is opposite to Helio's (a "
            "tension is positive, as in ASE; a virial is minus the stress times the volume): change it before training"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as for JSON."""
        properties = {
            name: {
                "unit": errors.unit,
                **errors.total.to_dict(),
                "structures": errors.structures,
                "unlabelled": errors.unlabelled,
                "not_finite": errors.not_finite,
                "found_as": dict(errors.found_as),
                "by_element": {element: sums.to_dict() for element, sums in sorted(errors.by_element.items())},
            }
            for name, errors in self.properties.items()
        }
        properties["energy"]["per_atom"] = self.energy_per_atom.to_dict()
        properties["energy"]["alone_in_composition"] = self.alone
        stress = self.properties["stress"].slope
        properties["stress"] |= {"slope": stress.slope, "correlation": stress.correlation}
        return {
            "properties": properties,
            "unusable": [{"index": index, "reason": reason} for index, reason in self.unusable],
            "force_scale": self.force_scale,
            "units": self.units,
            "unused": list(self.unused),
            "structures": [vars(structure) for structure in self.structures],
        }


def evaluate_structures(
    force_field: ForceField,
    structures: Iterable[LabelledStructure],
    *,
    energy_of_atoms: Callable[[np.ndarray], float] | None = None,
    precision: Precision = "float32",
    atoms_per_block: int = 512,
    skip_unusable: bool = False,
    advance: Callable[[int], None] = lambda done: None,
) -> Evaluation:
    """Compare the model with the labels of the structures, which are read as they are needed.

    Args:
        force_field: with the cutoffs and electrostatics that are wanted.
        structures: as `helio.datasets.read_labelled` gives them.
        energy_of_atoms: adds what total energies have besides the model's, in eV, from atomic numbers; energies are
            then compared as they are.
        precision: of the arithmetic.
        atoms_per_block: how many atoms are predicted at once.
        skip_unusable: whether structures that make no sense, or that the model cannot describe, are counted and left
            out; else the first one is an error.
        advance: called with the number of structures that were finished since the last call.

    Raises:
        HelioError: a structure that cannot be used (unless skipped), a label of the wrong shape.
    """
    collected = _Collected(energy_of_atoms)

    def systems() -> Iterator[tuple[_Item, System]]:
        for structure in structures:
            collected.note(structure)
            try:
                system = system_of(structure)
                force_field.check(system)
            except HelioError as error:
                if not skip_unusable:
                    raise HelioError(f"structure {structure.number}: {error}") from error
                collected.unusable.append((structure.number, str(error)))
                advance(1)
                continue
            yield _Item(structure, _formula(structure.atomic_numbers), system), system

    predictions = predict_many(force_field, systems(), precision=precision, atoms_per_block=atoms_per_block)
    for item, prediction in predictions:
        collected.add(item, prediction)
        advance(1)
    return collected.finish()


def system_of(structure: LabelledStructure) -> System:
    """The system of a structure, neutral and of the lowest spin unless it tells.

    Raises:
        HelioError: the structure makes no sense.
    """
    if structure.problem is not None:
        raise HelioError(structure.problem)
    charge, unpaired = structure.charge or 0.0, structure.unpaired_electrons
    lowest = int(structure.atomic_numbers.sum() - charge) % 2
    return System.from_ase(
        structure.to_ase(), charge=charge, unpaired_electrons=lowest if unpaired is None else int(unpaired)
    )


def _formula(numbers: np.ndarray) -> str:
    from ase.formula import Formula

    return Formula.from_list([chemical_symbols[z] for z in numbers]).format("hill")


@dataclass(frozen=True)
class _Item:
    structure: LabelledStructure
    formula: str
    system: System


class _Collected:
    """Sums over the structures seen so far."""

    def __init__(self, energy_of_atoms: Callable[[np.ndarray], float] | None) -> None:
        self.energy_of_atoms = energy_of_atoms
        self.properties = {name: PropertyErrors(kind.unit) for name, kind in LABELS.items()}
        self.structures: list[StructureErrors] = []
        self.unusable: list[tuple[int, str]] = []
        self.unused: dict[str, None] = {}
        self.units: Units | None = None
        self.assumed_charge = 0
        # Of each structure with an energy: its place in `structures`, group, reference and predicted energy.
        self.energies: list[tuple[int, tuple[str, float, float], float, float]] = []
        # Atomic numbers, references and predictions of energies of atoms.
        self.atomic_energies: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self.force_products = np.zeros(2)  # sums of reference * prediction and of prediction^2

    def note(self, structure: LabelledStructure) -> None:
        """Statements of the file besides labels."""
        self.unused.update(dict.fromkeys(structure.unused))
        self.assumed_charge += structure.charge is None and structure.problem is None
        self.units = structure.units

    def add(self, item: _Item, prediction: Prediction) -> None:
        system, structure = item.system, item.structure
        entry = StructureErrors(structure.number, item.formula, len(system))
        for name in PROPERTIES:
            errors, reference = self.properties[name], structure.labels.get(name)
            predicted = getattr(prediction, name)
            if reference is None or predicted is None:
                errors.unlabelled += 1
                errors.not_finite += name in structure.not_finite
                continue
            errors.found_as[structure.found_as.get(name, name)] += 1
            if name == "energy":
                group = (item.formula, float(system.total_charge), float(system.unpaired_electrons))
                atoms = 0.0 if self.energy_of_atoms is None else self.energy_of_atoms(system.atomic_numbers)
                energy = float(prediction.energy) + atoms
                self.energies.append((len(self.structures), group, float(reference), energy))
            elif name == "atomic_energies":
                errors.structures += 1
                self.atomic_energies.append((system.atomic_numbers, reference, np.asarray(predicted, np.float64)))
            else:
                self._compare(name, entry, system, reference, np.asarray(predicted, np.float64))
        self.structures.append(entry)

    def _compare(
        self, name: str, entry: StructureErrors, system: System, reference: np.ndarray, predicted: np.ndarray
    ) -> None:
        errors, difference = self.properties[name], predicted - reference
        errors.structures += 1
        errors.total = errors.total.including(difference)
        errors.sample.add(reference, predicted)
        sums = ErrorSums().including(difference)
        setattr(entry, f"{name}_mae", sums.mae)
        if name == "forces":
            entry.forces_rmse = sums.rmse
            self.force_products += [(reference * predicted).sum(), (predicted**2).sum()]
        if name == "stress":
            errors.slope = errors.slope.including(reference, predicted)
        if LABELS[name].per_atom:
            errors.add_elements(system.atomic_numbers, difference)

    def _compare_atomic_energies(self) -> None:
        """Energies of atoms less their means for each element."""
        if not self.atomic_energies:
            return
        numbers, reference, predicted = map(np.concatenate, zip(*self.atomic_energies, strict=True))
        means = [np.zeros(numbers.max() + 1) for _ in range(2)]
        counts = np.maximum(np.bincount(numbers), 1)
        for mean, values in zip(means, (reference, predicted), strict=True):
            mean += np.bincount(numbers, values) / counts
        reference, predicted = reference - means[0][numbers], predicted - means[1][numbers]
        errors = self.properties["atomic_energies"]
        errors.total = errors.total.including(predicted - reference)
        errors.sample.add(reference, predicted)
        errors.add_elements(numbers, predicted - reference)

    def finish(self) -> Evaluation:
        self._compare_atomic_energies()
        errors, per_atom, alone = self.properties["energy"], ErrorSums(), 0
        if self.energies:
            places, groups, reference, predicted = zip(*self.energies, strict=True)
            reference, predicted = np.array(reference), np.array(predicted)
            if self.energy_of_atoms is None:
                reference = without_group_means(reference, groups)
                predicted = without_group_means(predicted, groups)
            paired = np.isfinite(reference)
            difference = predicted - reference
            atoms = np.array([self.structures[place].atoms for place in places])
            for place, value in zip(np.array(places)[paired], difference[paired], strict=True):
                self.structures[place].energy = float(value)
            errors.total = errors.total.including(difference[paired])
            errors.sample.add(reference[paired], predicted[paired])
            errors.structures = int(paired.sum())
            per_atom = per_atom.including((difference / atoms)[paired])
            alone = int((~paired).sum())
        overlap, square = self.force_products
        labels = [name for name, errors in self.properties.items() if errors.found_as]
        return Evaluation(
            structures=sorted(self.structures, key=lambda entry: entry.index),
            properties=self.properties,
            energy_per_atom=per_atom,
            alone=alone,
            unusable=self.unusable,
            force_scale=float(overlap / square) if square > 0 else None,
            total_energies=self.energy_of_atoms is not None,
            units=None if self.units is None else self.units.described(labels),
            assumed_charge=self.assumed_charge,
            unused=tuple(self.unused),
        )
