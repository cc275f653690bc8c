"""Interaction energies of pairs of molecules, as in S66x8 (Rezac, Riley, Hobza, JCTC 2011, 7, 2427).

    E_int = E(complex) - E(both molecules, 10,000 A apart)

Both systems hold the same atoms, total charge and spin, so that nothing but the interaction differs; the partial
charges of each molecule sum to its own charge. Each structure gives in its `info`: `selection_a` and `selection_b`,
the atoms of the molecules counted from 1 ("1-3", "4", "1-3,7-9"); `charge_a` and `charge_b` (0 if absent); and the
reference, `reference_Eint` or `benchmark_Eint`. The relative distance of the molecules is `scaling`, or the end of a
name such as "Water-Water_0.90"; `group` names the kind of interaction.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from helio.electrons import CHARGE_KEYS
from helio.errors import HelioError
from helio.evaluate.batches import predict_many
from helio.evaluate.metrics import ErrorSums
from helio.force_field import ForceField
from helio.precision import Precision
from helio.system import System
from helio.units import ENERGY_UNITS, KCAL_PER_MOL

if TYPE_CHECKING:
    from ase import Atoms

SEPARATION = 10_000.0  # A
REFERENCE_KEYS = ("reference_Eint", "benchmark_Eint")
# The end of a name that is a distance: a number without a decimal point counts dimers.
_DISTANCE = re.compile(r".+_(\d+\.\d+)")


@dataclass(frozen=True)
class Dimer:
    """One complex and its interaction energies in kcal/mol."""

    index: int
    name: str
    distance: float | None  # relative to the equilibrium distance, where the name tells it
    reference: float | None
    predicted: float = float("nan")
    group: str | None = None


@dataclass(frozen=True)
class DimerErrors:
    """Errors over some dimers in kcal/mol; the mean absolute percentage error leaves out references of zero."""

    sums: ErrorSums
    relative: ErrorSums
    mean: float | None  # mean of prediction - reference

    @classmethod
    def over(cls, dimers: Iterable[Dimer]) -> DimerErrors:
        """Errors of the dimers that have a reference."""
        pairs = np.array([(d.reference, d.predicted) for d in dimers if d.reference is not None]).reshape(-1, 2)
        errors = pairs[:, 1] - pairs[:, 0]
        nonzero = pairs[:, 0] != 0
        return cls(
            sums=ErrorSums().including(errors),
            relative=ErrorSums().including(100 * errors[nonzero] / pairs[nonzero, 0]),
            mean=float(errors.mean()) if len(errors) else None,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values: count, mae, rmse and mean error in kcal/mol, mape in percent."""
        return {**self.sums.to_dict(), "mean": self.mean, "mape": self.relative.mae}


@dataclass(frozen=True)
class DimerEvaluation:
    """Interaction energies of a set of dimers and their errors."""

    dimers: list[Dimer]
    unusable: list[tuple[str, str]] = field(default_factory=list)  # names of dimers that were left out, and why

    @property
    def total(self) -> DimerErrors:
        """Errors over all dimers."""
        return DimerErrors.over(self.dimers)

    @property
    def by_distance(self) -> dict[float, DimerErrors]:
        """Errors at each relative distance."""
        distances = sorted({dimer.distance for dimer in self.dimers if dimer.distance is not None})
        return {d: DimerErrors.over(dimer for dimer in self.dimers if dimer.distance == d) for d in distances}

    @property
    def by_group(self) -> dict[str, DimerErrors]:
        """Errors of each group."""
        groups = sorted({dimer.group for dimer in self.dimers if dimer.group is not None})
        return {name: DimerErrors.over(dimer for dimer in self.dimers if dimer.group == name) for name in groups}

    @property
    def unlabelled(self) -> int:
        """Dimers without a reference."""
        return sum(dimer.reference is None for dimer in self.dimers)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as for JSON."""
        return {
            "unit": "kcal/mol",
            "total": self.total.to_dict(),
            "by_distance": {f"{d:g}": errors.to_dict() for d, errors in self.by_distance.items()},
            "by_group": {name: errors.to_dict() for name, errors in self.by_group.items()},
            "unlabelled": self.unlabelled,
            "unusable": [{"name": name, "reason": reason} for name, reason in self.unusable],
            "dimers": [vars(dimer) for dimer in self.dimers],
        }


def evaluate_dimers(
    force_field: ForceField,
    frames: Iterable[tuple[int, Atoms]],
    *,
    reference_key: str | None = None,
    reference_unit: str = "kcal/mol",
    precision: Precision = "float64",
    atoms_per_block: int = 512,
    skip_unusable: bool = False,
    advance: Callable[[int], None] = lambda done: None,
) -> DimerEvaluation:
    """Interaction energies of all dimers, given as their numbers and `Atoms`; arguments as in `evaluate_structures`.

    The reference stands under `reference_key`, by default the first of `REFERENCE_KEYS` that a dimer has.

    Give the force field a long-range cutoff of at least the size of the complexes, 1000 A for the published figures;
    without one, charged molecules still feel each other at 10,000 A (0.03 kcal/mol).

    Raises:
        HelioError: a structure without selections, selections that do not divide the atoms between them, a complex
            that the model cannot describe.
    """
    if reference_unit not in ENERGY_UNITS:
        raise HelioError(f"unknown energy unit {reference_unit!r}; choose among {', '.join(ENERGY_UNITS)}")
    scale = ENERGY_UNITS[reference_unit] / KCAL_PER_MOL
    dimers: dict[int, Dimer] = {}
    unusable: list[tuple[str, str]] = []

    def systems() -> Iterator[tuple[tuple[int, str], System]]:
        for index, atoms in frames:
            try:
                complex_, apart = dimer_systems(atoms)
                force_field.check(complex_)
                dimers[index] = _dimer(index, atoms, reference_key, scale)
            except HelioError as error:
                name = str(atoms.info.get("name", "no name"))
                if not skip_unusable:
                    raise HelioError(f"dimer {index} ({name}): {error}") from error
                unusable.append((f"dimer {index} ({name})", str(error)))
                advance(1)
                continue
            yield (index, "complex"), complex_
            yield (index, "apart"), apart

    energies: dict[int, dict[str, float]] = {}
    for (index, state), prediction in predict_many(
        force_field, systems(), precision=precision, atoms_per_block=atoms_per_block
    ):
        found = energies.setdefault(index, {})
        found[state] = float(prediction.energy)
        if len(found) == 2:
            predicted = (found["complex"] - found["apart"]) / KCAL_PER_MOL
            dimers[index] = replace(dimers[index], predicted=predicted)
            del energies[index]
            advance(1)
    return DimerEvaluation([dimers[index] for index in sorted(dimers)], unusable)


def dimer_systems(atoms: Atoms) -> tuple[System, System]:
    """The complex, and the same system with the second molecule moved 10,000 A away; host arrays."""
    if atoms.pbc.any():
        raise HelioError("a dimer must not be periodic")
    first, second = (_selected(atoms, f"selection_{letter}") for letter in "ab")
    fragments = np.full(len(atoms), -1)
    fragments[first] = 0
    fragments[second] = 1
    if np.intersect1d(first, second).size or (fragments < 0).any():
        raise HelioError("selection_a and selection_b must divide all atoms between them")
    charges = [_number(atoms.info.get(f"charge_{letter}", 0), f"charge_{letter}") for letter in "ab"]
    moved = atoms.copy()
    moved.positions[second, 0] += SEPARATION
    total = None if any(key in atoms.info for key in CHARGE_KEYS) else sum(charges)
    near, far = (
        System.from_ase(one, charge=total, fragments=fragments.tolist(), fragment_charges=charges)
        for one in (atoms, moved)
    )
    return near, far


def _selected(atoms: Atoms, key: str) -> np.ndarray:
    """Indices (from 0) of a selection such as "1-3,7" (from 1)."""
    if key not in atoms.info:
        raise HelioError(f"{key} is missing: dimers need selection_a and selection_b, the atoms of each molecule")
    selection = atoms.info[key]
    parts = [str(part) for part in np.ravel(selection)] if not isinstance(selection, str) else selection.split(",")
    chosen: list[int] = []
    try:
        for part in parts:
            first, _, last = part.strip().partition("-")
            chosen.extend(range(int(first) - 1, int(last or first)))
    except ValueError:
        raise HelioError(f"{key} must look like 1-3 or 1-3,7, not {selection!r}") from None
    if not chosen or min(chosen) < 0 or max(chosen) >= len(atoms):
        raise HelioError(f"{key} = {selection!r} does not fit {len(atoms)} atoms, counted from 1")
    return np.array(chosen)


def _dimer(index: int, atoms: Atoms, key: str | None, scale: float) -> Dimer:
    keys = REFERENCE_KEYS if key is None else (key,)
    key, reference = next(((name, atoms.info[name]) for name in keys if name in atoms.info), (keys[0], None))
    if reference is not None:
        reference = _number(reference, key) * scale
    group = atoms.info.get("group")
    return Dimer(
        index,
        str(atoms.info.get("name", f"dimer {index}")),
        _relative_distance(atoms),
        reference,
        group=None if group is None else str(group),
    )


def _relative_distance(atoms: Atoms) -> float | None:
    """The scaling that a dimer states, or the decimal number after the last underscore of its name."""
    if atoms.info.get("scaling") is not None:
        return _number(atoms.info["scaling"], "scaling")
    name = atoms.info.get("name")
    match = _DISTANCE.fullmatch(name) if isinstance(name, str) else None  # a numeric name is a number, no distance
    return None if match is None else float(match[1])


def _number(value: Any, key: str) -> float:
    try:
        number = float(np.asarray(value).item())
    except (TypeError, ValueError):
        raise HelioError(f"{key} is not a number: {str(value)[:80]!r}") from None
    if not np.isfinite(number):
        raise HelioError(f"{key} is not a finite number: {number}")
    return number
