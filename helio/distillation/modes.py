"""Structures displaced along the normal modes of a molecule.

| symbol | variable |
|---|---|
| H | `hessian`, by central differences of the forces |
| M^(-1/2) H M^(-1/2) = sum of lambda_k v_k v_k | `stiffness`, `modes` |
| q_k ~ N(0, k_B T / lambda_k) | `amplitudes` |
| r = r0 + M^(-1/2) sum of q_k v_k | |

The classical distribution of a harmonic molecule. Where a start is no minimum, lambda is the absolute value, and no
less than that of `_SOFTEST`, so that flat and unstable directions move by a length that makes sense.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from helio.distillation.recipe import Sampling
from helio.distillation.teacher import evaluate
from helio.force_field import ForceField
from helio.system import System
from helio.units import BOLTZMANN, FS

# A; the error of the Hessian in float32 is smallest near it.
_DISPLACEMENT = 0.01
# Angular frequency of a vibration of 200 per cm, squared, in eV/(A^2 amu).
_SOFTEST = (2 * np.pi * 200 * 2.99792458e10 * 1e-15 / FS) ** 2


def displaced(
    teacher: ForceField,
    sampling: Sampling,
    starts: Sequence[System],
    temperatures: Sequence[float],
    seeds: Sequence[int],
) -> list[list[System]]:
    """Samples of each start at its temperature (K), each with its own random numbers."""
    hessians = _hessians(teacher, starts)
    return [
        _samples(start, hessian, temperature, sampling.samples, np.random.default_rng(seed))
        for start, hessian, temperature, seed in zip(starts, hessians, temperatures, seeds, strict=True)
    ]


def _hessians(teacher: ForceField, starts: Sequence[System]) -> list[Float[np.ndarray, "D D"]]:
    moved = [_at(start, start.positions + shift) for start in starts for shift in _shifts(len(start))]
    forces = iter(evaluate(teacher, moved))
    hessians = []
    for start in starts:
        rows = np.array([next(forces).prediction.forces.ravel() for _ in range(6 * len(start))], np.float64)
        hessian = (rows[1::2] - rows[0::2]) / (2 * _DISPLACEMENT)
        hessians.append((hessian + hessian.T) / 2)
    return hessians


def _shifts(atoms: int) -> Float[np.ndarray, "S N 3"]:
    """Forth and back along each coordinate: minus the gradient falls where the energy rises."""
    along = _DISPLACEMENT * np.eye(3 * atoms).reshape(-1, atoms, 3)
    return np.stack([along, -along], axis=1).reshape(-1, atoms, 3)


def _samples(
    start: System, hessian: Float[np.ndarray, "D D"], temperature: float, count: int, rng: np.random.Generator
) -> list[System]:
    root = np.repeat(np.sqrt(start.masses), 3)
    stiffness, modes = np.linalg.eigh(hessian / root[:, None] / root[None, :])
    moving = np.argsort(np.abs(stiffness))[_still(start) :]
    softness = 1 / np.maximum(np.abs(stiffness[moving]), _SOFTEST)
    amplitudes = rng.normal(size=(count, len(moving))) * np.sqrt(BOLTZMANN * temperature * softness)
    shifts = (amplitudes @ modes[:, moving].T) / root
    return [_at(start, start.positions + shift.reshape(-1, 3)) for shift in shifts]


def _still(start: System) -> int:
    """Motions as a whole."""
    return 3 if any(start.pbc) else min(6, 3 * len(start) - 1)


def _at(start: System, positions: Float[np.ndarray, "N 3"]) -> System:
    return replace(start, positions=positions)
