"""The exact periodic sum, against converged direct sums and the Madelung energy of a point charge."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erf

from helio.neighbors import reciprocal_vectors
from helio.physics import ewald
from helio.precision import numerics
from helio.units import COULOMB

CELL = np.array([[6.0, 0, 0], [1.0, 7.0, 0], [-0.5, 0.8, 5.5]])
SIGMA = 1.3
POSITIONS = np.random.default_rng(0).uniform(0, 5, (5, 3))


def lattice_energy(charges: np.ndarray, cell: np.ndarray, positions: np.ndarray, sigma: float = SIGMA) -> float:
    with numerics("float64"):
        triples = reciprocal_vectors(cell, longest=ewald.longest_wave_vector(sigma))
        energies = ewald.atomic_energies(
            jnp.asarray(positions), jnp.asarray(charges), jnp.asarray(cell), jnp.asarray(triples), sigma
        )
        return float(energies.sum())


def test_neutral_cell_equals_the_direct_sum():
    # Charges whose monopole, dipole and quadrupole vanish make the sum over cells converge absolutely:
    # four collinear charges 1, -3, 3, -1 have no moment below the octupole.
    line = np.array([0.4, 0.3, 0.2])
    positions = np.array([n * line for n in range(4)])
    charges = 0.3 * np.array([1.0, -3.0, 3.0, -1.0])
    reach = 24
    n = np.arange(-reach, reach + 1)
    images = np.stack(np.meshgrid(n, n, n, indexing="ij"), axis=-1).reshape(-1, 3) @ CELL
    energy = 0.0
    for i in range(4):
        for j in range(4):
            distance = np.linalg.norm(images + positions[j] - positions[i], axis=1)
            if i == j:
                distance = distance[distance > 1e-9]
            energy += 0.5 * COULOMB * charges[i] * charges[j] * np.sum(erf(distance / SIGMA) / distance)
    # What is left beyond the images is of order (size / reach)^5 or less.
    assert lattice_energy(charges, CELL, positions) == pytest.approx(energy, abs=2e-7)


def test_charged_cell_is_neutralised_by_a_uniform_background():
    # Madelung energy of a point charge in a cubic lattice with background: -2.837297 q^2 / 2L (Leslie and Gillan,
    # 1985). The erfc part that the smeared interaction lacks is negligible between images and -pi sigma^2/(2 L^3) in
    # the background.
    edge, sigma = 20.0, 1.0
    point = -2.8372974794806 / (2 * edge)
    smeared = COULOMB * (point + np.pi * sigma**2 / (2 * edge**3))
    assert lattice_energy(np.ones(1), edge * np.eye(3), np.zeros((1, 3)), sigma) == pytest.approx(smeared, abs=1e-8)


def test_independent_of_the_description_of_the_lattice():
    charges = np.array([0.5, -0.2, 0.4, -0.9, 0.2])
    energy = lattice_energy(charges, CELL, POSITIONS)
    sheared = CELL.copy()
    sheared[1] += 2 * CELL[0]
    assert lattice_energy(charges, sheared, POSITIONS + 3 * CELL[2]) == pytest.approx(energy, abs=1e-10)
