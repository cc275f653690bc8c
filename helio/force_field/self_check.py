"""Stored energies and forces that every installation must reproduce.

A release of a compiler or a driver can compute wrong numbers without any message. Small cases are recomputed here and
compared with the numbers in `golden.json`: a built-in model in a triclinic cell, whose parameters come from a fixed
formula and need no download, and the published model on ethanol (numbers of the authors' implementation).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from ase import Atoms

from helio.force_field.force_field import ForceField
from helio.force_field.settings import ForceFieldSettings
from helio.neighbors import Neighbors
from helio.precision import Precision, numerics
from helio.prediction import Prediction
from helio.system import System

GOLDEN = Path(__file__).with_name("golden.json")

# Largest accepted errors: energy in eV, forces in eV/A. Round-off stays a factor of ten or more below them.
TOLERANCES: dict[Precision, tuple[float, float]] = {"float64": (1e-8, 1e-8), "float32": (2e-4, 2e-4)}

PRECISIONS = tuple(TOLERANCES)

BUILT_IN = ForceFieldSettings(num_layers=2, features=32, num_radial=16, spherical_hidden=16, hirshfeld_width=16)


@dataclass(frozen=True)
class GoldenCase:
    """A system, and the energy and forces that a model must give for it."""

    name: str
    system: System
    long_range_cutoff: float  # A
    energy: float  # eV
    forces: np.ndarray  # (N, 3) in eV/A


@dataclass(frozen=True)
class GoldenResult:
    """How far recomputed numbers are from the stored ones."""

    precision: Precision
    energy_error: float  # eV
    force_error: float  # eV/A, largest component

    @property
    def passed(self) -> bool:
        """Whether both errors are within the tolerances; numbers that are not finite are not."""
        energy, forces = TOLERANCES[self.precision]
        return self.energy_error <= energy and self.force_error <= forces


def golden_case(name: str) -> GoldenCase:
    """The stored case of the model `name`: "built-in" or "so3lr"."""
    stored: dict[str, Any] = json.loads(GOLDEN.read_text())[name]
    atoms = Atoms(numbers=stored["numbers"], positions=stored["positions"], cell=stored["cell"], pbc=stored["pbc"])
    return GoldenCase(
        name=name,
        system=System.from_ase(atoms),
        long_range_cutoff=stored["long_range_cutoff"],
        energy=stored["energy"],
        forces=np.array(stored["forces"]),
    )


def run_case(case: GoldenCase, force_field: ForceField, precision: Precision) -> GoldenResult:
    """Evaluate `case` on the default device in `precision` and compare."""
    prediction = evaluate_case(case, force_field, precision)
    return GoldenResult(
        precision=precision,
        energy_error=abs(float(prediction.energy) - case.energy),
        force_error=float(np.abs(np.asarray(prediction.forces, np.float64) - case.forces).max()),
    )


def evaluate_case(case: GoldenCase, force_field: ForceField, precision: Precision) -> Prediction:
    """What `force_field` says about the system of `case` (numpy arrays)."""
    force_field = force_field.with_options(long_range_cutoff=case.long_range_cutoff)
    with numerics(precision):
        neighbors = jax.tree.map(jnp.asarray, force_field.neighbors(case.system))
        prediction = _predict(force_field.astype(precision), case.system.astype(precision), neighbors)
        return jax.tree.map(np.asarray, prediction)


@eqx.filter_jit
def _predict(force_field: ForceField, system: System, neighbors: Neighbors) -> Prediction:
    return force_field(system, neighbors)


def built_in_force_field() -> ForceField:
    """A small model of the full functional form whose parameters are the same everywhere.

    Matrices and tables hold uniform numbers with variance 1 / rows, other parameters their initial value (three
    decimals of it, as the last digits depend on the release of JAX) and up to 0.1 more or less; all from the raw output
    of one PCG64 generator, which numpy never changes.
    """
    bits = np.random.PCG64(20250101)

    def fill(leaf: jax.Array) -> np.ndarray:
        raw = np.asarray(bits.random_raw(leaf.size)).reshape(leaf.shape)
        uniform = (raw >> np.uint64(11)) * 2.0**-52 - 1  # -1 to 1
        if leaf.ndim < 2:
            return (np.asarray(leaf, np.float64).round(3) + 0.1 * uniform).astype(np.float32)
        return (uniform * (3 / leaf.shape[-2]) ** 0.5).astype(np.float32)

    return jax.tree.map(fill, ForceField.initialise(BUILT_IN, 0))
