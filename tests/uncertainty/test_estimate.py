"""What uncertainties are the derivatives of, and what they do not depend on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from helio import System
from helio.force_field import ForceField
from helio.rows import ALL_ROWS
from helio.uncertainty import Rigidity, UncertaintyEstimate, estimate_uncertainty
from tests.uncertainty.conftest import block, rattled, tiny_force_field

pytestmark = pytest.mark.usefixtures("float64")


def uncertain(members: int) -> ForceField:
    """With the rigidity of data that are drawn."""
    root = np.random.default_rng(0).normal(size=(8, 8))
    made = Rigidity.of(root @ root.T, relative_ridge=0.1)
    return replace(tiny_force_field(), uncertainty=made.uncertainty(members=members))


def moved(system: System, positions: np.ndarray) -> System:
    return eqx.tree_at(lambda s: s.positions, system, positions)


def test_forces_are_derivatives_of_the_members_energies() -> None:
    model, system = uncertain(3), rattled("H2O", 7)
    members = model.uncertainty.members  # pyright: ignore
    neighbors = jax.tree.map(jnp.asarray, model.neighbors(system, skin=0.1))

    @jax.jit
    @jax.vmap
    def energies(positions: Any) -> Any:
        """Those of the members, less that of the model."""
        arrays = moved(system.astype("float64"), positions)

        def of(change: Any) -> Any:
            kernel = model.energy_head.layers.second.kernel + change[:, None]
            changed = eqx.tree_at(lambda m: m.energy_head.layers.second.kernel, model, kernel)
            return changed._energies(arrays, neighbors, rows=ALL_ROWS).energy

        return jax.vmap(of)(members) - of(jnp.zeros_like(members[0]))

    step = 1e-4 * np.eye(9).reshape(9, 3, 3)
    high, low = (np.asarray(energies(jnp.asarray(system.positions + shift))) for shift in (step, -step))
    squares = np.mean(((high - low) / 2e-4) ** 2, axis=1).reshape(3, 3)
    estimate = jax.jit(estimate_uncertainty)(model, system.astype("float64"), neighbors)
    # Differences of energies are good to 1e-6 of the smallest of these forces, 4e-6 eV/A.
    np.testing.assert_allclose(estimate.forces**2, squares, rtol=1e-5)


def test_rotation_permutation_padding_and_two_molecules_far_apart() -> None:
    model, system = uncertain(8), rattled("H2O", 3)
    turn = Rotation.random(rng=np.random.default_rng(1)).as_matrix()
    order = np.array([2, 0, 1])
    changed = (system.positions[order], system.atomic_numbers[order], system.masses[order])
    mixed = eqx.tree_at(lambda s: (s.positions, s.atomic_numbers, s.masses), system, changed)
    away = moved(system, system.positions + np.array([30.0, 0, 0]))
    twice = System.from_ase(system.to_ase() + away.to_ase())
    systems = [system, moved(system, system.positions @ turn.T), mixed, twice]
    estimates = jax.jit(jax.vmap(lambda s, n: estimate_uncertainty(model, s, n)))(*block(model, systems, 7))
    one, turned, permuted, both = (unstacked(estimates, number) for number in range(4))

    assert np.all(one.of_atoms[3:] == 0) and np.all(one.atomic_energies[3:] == 0)
    assert float(turned.energy) == pytest.approx(float(one.energy), rel=1e-9)
    np.testing.assert_allclose(turned.of_atoms, one.of_atoms, rtol=1e-8)
    assert float(permuted.energy) == pytest.approx(float(one.energy), rel=1e-10)
    np.testing.assert_allclose(permuted.of_atoms[:3], one.of_atoms[order], rtol=1e-9)
    np.testing.assert_allclose(permuted.atomic_energies[:3], one.atomic_energies[order], rtol=1e-9)
    assert float(both.energy) == pytest.approx(2 * float(one.energy), rel=1e-9)  # the same error twice
    np.testing.assert_allclose(both.of_atoms[:6], np.tile(one.of_atoms[:3], 2), rtol=1e-8)


def unstacked(estimates: UncertaintyEstimate, number: int) -> UncertaintyEstimate:
    return jax.tree.map(lambda leaf: np.asarray(leaf[number]), estimates)
