"""Errors of energies, forces, dipoles and Hirshfeld ratios over a set of labelled structures.

Energies are compared within groups of one composition, charge and spin: a model's energies have no common zero, so
the mean difference of each group is taken off. A structure that is alone in its group has no relative energy and does
not enter. Where the energies of free atoms are known that the model leaves out, total energies can be compared. All
other properties are compared as they are, dipoles of charged systems relative to the coordinate origin.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import chemical_symbols

from helio.errors import HelioError
from helio.evaluate.batches import predict_many
from helio.evaluate.labels import PROPERTIES, LabelOptions, Labels, read_labels
from helio.evaluate.metrics import ErrorSums, PairSample, without_group_means
from helio.force_field import ForceField
from helio.precision import Precision
from helio.prediction import Prediction
from helio.system import System
from helio.units import FORCE_UNITS

if TYPE_CHECKING:
    from ase import Atoms

UNITS = {"energy": "eV", "forces": "eV/A", "dipole": "e A", "hirshfeld_ratios": ""}


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
        return {
            "properties": properties,
            "unusable": [{"index": index, "reason": reason} for index, reason in self.unusable],
            "force_scale": self.force_scale,
            "structures": [vars(structure) for structure in self.structures],
        }


def evaluate_structures(
    force_field: ForceField,
    frames: Iterable[tuple[int, Atoms]],
    *,
    labels: LabelOptions | None = None,
    energy_of_atoms: Callable[[np.ndarray], float] | None = None,
    precision: Precision = "float32",
    atoms_per_block: int = 512,
    skip_unusable: bool = False,
    advance: Callable[[int], None] = lambda done: None,
) -> Evaluation:
    """Compare a force field with the labels of many structures, which need not fit in memory together.

    Args:
        force_field: the model, with its long-range options.
        frames: structures with their numbers, as `helio.evaluate.frames.read_frames` gives them.
        labels: where labels stand and their units.
        energy_of_atoms: adds what total energies have besides the model's, in eV, from atomic numbers; energies are
            then compared as they are.
        precision: of the arithmetic.
        atoms_per_block: how many atoms are predicted at once.
        skip_unusable: whether structures that the model cannot describe are counted and left out; else the first one
            is an error.
        advance: called with the number of structures that were finished since the last call.

    Raises:
        HelioError: a structure that the model cannot describe (unless skipped), a label of the wrong shape.
    """
    collected = _Collected(energy_of_atoms)

    def systems() -> Iterator[tuple[_Item, System]]:
        for index, atoms in frames:
            found = _at(index, lambda atoms=atoms: read_labels(atoms, labels))
            try:
                system = _at(index, lambda atoms=atoms: _checked(force_field, atoms))
            except HelioError as error:
                if not skip_unusable:
                    raise
                collected.unusable.append((index, str(error)))
                advance(1)
                continue
            yield _Item(index, atoms.get_chemical_formula("hill"), system, found), system

    predictions = predict_many(force_field, systems(), precision=precision, atoms_per_block=atoms_per_block)
    for item, prediction in predictions:
        collected.add(item, prediction)
        advance(1)
    return collected.finish()


@dataclass(frozen=True)
class _Item:
    index: int
    formula: str
    system: System
    labels: Labels


class _Collected:
    """Sums over the structures seen so far."""

    def __init__(self, energy_of_atoms: Callable[[np.ndarray], float] | None) -> None:
        self.energy_of_atoms = energy_of_atoms
        self.properties = {name: PropertyErrors(UNITS[name]) for name in PROPERTIES}
        self.structures: list[StructureErrors] = []
        self.unusable: list[tuple[int, str]] = []
        # Of each structure with an energy: its place in `structures`, group, reference and predicted energy.
        self.energies: list[tuple[int, tuple[str, float, float], float, float]] = []
        self.force_products = np.zeros(2)  # sums of reference * prediction and of prediction^2

    def add(self, item: _Item, prediction: Prediction) -> None:
        system, labels = item.system, item.labels
        entry = StructureErrors(item.index, item.formula, len(system))
        for name in PROPERTIES:
            errors, reference = self.properties[name], getattr(labels, name)
            if reference is None:
                errors.unlabelled += 1
                errors.not_finite += name in labels.not_finite
                continue
            errors.found_as[labels.found_as[name]] += 1
            if name == "energy":
                group = (item.formula, float(system.total_charge), float(system.unpaired_electrons))
                atoms = 0.0 if self.energy_of_atoms is None else self.energy_of_atoms(system.atomic_numbers)
                self.energies.append((len(self.structures), group, reference, float(prediction.energy) + atoms))
            else:
                self._compare(name, entry, system, reference, np.asarray(getattr(prediction, name), np.float64))
        self.structures.append(entry)

    def _compare(
        self, name: str, entry: StructureErrors, system: System, reference: np.ndarray, predicted: np.ndarray
    ) -> None:
        errors, difference = self.properties[name], predicted - reference
        errors.structures += 1
        errors.total = errors.total.including(difference)
        errors.sample.add(reference, predicted)
        own = ErrorSums().including(difference)
        setattr(entry, f"{name}_mae", own.mae)
        if name == "forces":
            entry.forces_rmse = own.rmse
            self.force_products += [(reference * predicted).sum(), (predicted**2).sum()]
        if name != "dipole":
            for number in np.unique(system.atomic_numbers):
                element = chemical_symbols[number]
                sums = errors.by_element.get(element, ErrorSums())
                errors.by_element[element] = sums.including(difference[system.atomic_numbers == number])

    def finish(self) -> Evaluation:
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
        return Evaluation(
            structures=sorted(self.structures, key=lambda entry: entry.index),
            properties=self.properties,
            energy_per_atom=per_atom,
            alone=alone,
            unusable=self.unusable,
            force_scale=float(overlap / square) if square > 0 else None,
            total_energies=self.energy_of_atoms is not None,
        )


def _checked(force_field: ForceField, atoms: Atoms) -> System:
    system = System.from_ase(atoms)
    force_field.check(system)
    return system


def _at(index: int, action: Callable[[], Any]) -> Any:
    """Run `action`; an error of the user's says which structure it is about."""
    try:
        return action()
    except HelioError as error:
        raise HelioError(f"structure {index}: {error}") from error
