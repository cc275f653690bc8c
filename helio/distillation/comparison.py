"""What a student lost and gained: its errors against the teacher's labels by class of structure, and its speed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array

from helio.datasets.store import Store
from helio.distillation.teacher import evaluate
from helio.evaluate.metrics import ErrorSums
from helio.force_field import ForceField
from helio.neighbors import Neighbors
from helio.precision import numerics
from helio.system import System

# What is compared, and its unit; energies per atom.
QUANTITIES = {"energy": "eV/atom", "forces": "eV/A", "dipole": "e A", "charges": "e", "hirshfeld_ratios": ""}
# Structures that are evaluated at once, so that sets of any size fit into memory.
_AT_ONCE = 512
# Rounds of timing; the least time counts, as other programs only ever add to it.
_ROUNDS = 9


@dataclass
class ClassErrors:
    """Errors of a student on the structures of one source."""

    structures: int = 0
    sums: dict[str, ErrorSums] = field(default_factory=lambda: dict.fromkeys(QUANTITIES, ErrorSums()))
    mean_force: float = 0.0  # eV/A, mean absolute component of the teacher's, which errors may be held against


@dataclass(frozen=True)
class Speed:
    """Times of one evaluation of energy and forces, one after the other in the same run."""

    atoms: int
    periodic: bool
    teacher_ms: float
    student_ms: float

    @property
    def ratio(self) -> float:
        """How many times faster the student is."""
        return self.teacher_ms / self.student_ms


@dataclass(frozen=True)
class Comparison:
    """All of it."""

    classes: dict[str, ClassErrors]
    speeds: list[Speed]
    parameters: tuple[int, int]  # of the teacher and the student

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as for JSON."""
        return {
            "classes": {
                name: {"structures": found.structures, "mean_force": found.mean_force}
                | {quantity: sums.to_dict() for quantity, sums in found.sums.items()}
                for name, found in self.classes.items()
            },
            "speeds": [vars(speed) | {"ratio": speed.ratio} for speed in self.speeds],
            "parameters": {"teacher": self.parameters[0], "student": self.parameters[1]},
        }


def compare(teacher: ForceField, student: ForceField, store: Store, *, most: int | None = None) -> Comparison:
    """Hold a student against the labels of a store that the teacher made.

    Args:
        teacher: for its speed.
        student: of any size.
        store: of structures that the student has not seen.
        most: so many structures of each source at most; by default all.
    """
    chosen = _chosen(store, most)
    classes: dict[str, ClassErrors] = {}
    for first in range(0, len(chosen), _AT_ONCE):
        numbers = chosen[first : first + _AT_ONCE]
        for number, found in zip(numbers, evaluate(student, [store.system(int(n)) for n in numbers]), strict=True):
            name = store.sources[int(store.rows("source")[number])]
            _include(classes.setdefault(name, ClassErrors()), found.prediction, store.labels(int(number)))
    speeds = [speed_of(teacher, student, store.system(number)) for number in _typical(store, chosen)]
    return Comparison(classes, speeds, (_size(teacher), _size(student)))


def speed_of(teacher: ForceField, student: ForceField, system: System) -> Speed:
    """Both models' times for one system, measured in turn, with lists that are there already."""
    best = [np.inf, np.inf]
    with numerics("float32"):
        ready = []
        for model in (teacher, student):
            own = model.astype("float32")
            lists = jax.tree.map(jax.numpy.asarray, own.neighbors(system))
            ready.append((own, system.astype("float32"), lists))
            _forces(*ready[-1]).block_until_ready()
        for _ in range(_ROUNDS):
            for place, arguments in enumerate(ready):
                began = time.perf_counter()
                _forces(*arguments).block_until_ready()
                best[place] = min(best[place], 1e3 * (time.perf_counter() - began))
    return Speed(len(system), any(system.pbc), *best)


@eqx.filter_jit
def _forces(model: ForceField, system: System, neighbors: Neighbors) -> Array:
    return model(system, neighbors).forces


def _chosen(store: Store, most: int | None) -> np.ndarray:
    """Numbers of the structures, evenly taken from each source."""
    source, found = store.rows("source"), []
    for place in range(len(store.sources)):
        members = np.flatnonzero(source == place)
        count = len(members) if most is None else min(most, len(members))
        found.append(members[np.linspace(0, len(members) - 1, count).astype(int)] if count else members)
    return np.sort(np.concatenate(found))


def _typical(store: Store, chosen: np.ndarray) -> list[int]:
    """The structure of median size, and the largest, of those that are periodic and of those that are not."""
    found: list[int] = []
    periodic = np.any(store.rows("periodic")[chosen], axis=1)
    for kind in (False, True):
        members = chosen[periodic == kind]
        members = members[np.argsort(store.atoms[members], kind="stable")]
        places = sorted({len(members) // 2, len(members) - 1}) if len(members) else []
        found += [int(members[place]) for place in places]
    return found


def _include(errors: ClassErrors, predicted: Any, labels: dict[str, np.ndarray]) -> None:
    atoms = len(predicted.charges)
    for quantity in QUANTITIES:
        if quantity in labels:
            difference = np.asarray(getattr(predicted, quantity), np.float64) - labels[quantity]
            scale = atoms if quantity == "energy" else 1
            errors.sums[quantity] = errors.sums[quantity].including(difference / scale)
    if "forces" in labels:
        mean = float(np.abs(labels["forces"]).mean())
        errors.mean_force += (mean - errors.mean_force) / (errors.structures + 1)
    errors.structures += 1


def _size(model: ForceField) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(eqx.tree_at(lambda m: m.tables, model, None, is_leaf=_is_none)))


def _is_none(leaf: Any) -> bool:
    return leaf is None
