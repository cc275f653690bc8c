"""What uncertainties are the derivatives of, and what they do not depend on."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from helio import System
from helio.force_field import ForceField
from helio.uncertainty import estimate_uncertainty
from tests.uncertainty.conftest import rattled, tiny_force_field, with_uncertainty

pytestmark = pytest.mark.usefixtures("float64")
_estimate = jax.jit(estimate_uncertainty)


def estimate(force_field: ForceField, system: System, **options: Any) -> Any:
    neighbors = jax.tree.map(jnp.asarray, force_field.neighbors(system, **options))
    padded = system.padded(options.get("rows", len(system)))
    return _estimate(force_field, padded.astype("float64"), neighbors)


def moved(system: System, positions: np.ndarray) -> System:
    return eqx.tree_at(lambda s: s.positions, system, positions)


def test_forces_are_derivatives_of_the_members_energies() -> None:
    model, system = with_uncertainty(tiny_force_field(), members=3), rattled("H2O", 7)
    members = model.uncertainty.members  # pyright: ignore

    @jax.jit
    def energies(positions: Any, neighbors: Any) -> Any:
        arrays = moved(system, positions).astype("float64")

        def of(member: Any) -> Any:
            kernel = model.energy_head.layers.second.kernel
            return eqx.tree_at(lambda m: m.energy_head.layers.second.kernel, model, kernel + member[:, None])(
                arrays, neighbors
            ).energy

        return jnp.stack([of(member) for member in members]) - model(arrays, neighbors).energy

    neighbors, step = jax.tree.map(jnp.asarray, model.neighbors(system, skin=0.1)), 1e-4
    squares = np.zeros((3, 3))
    for atom, axis in np.ndindex(3, 3):
        shift = np.zeros((3, 3))
        shift[atom, axis] = step
        high, low = (np.asarray(energies(system.positions + sign * shift, neighbors)) for sign in (1, -1))
        squares[atom, axis] = np.mean(((high - low) / (2 * step)) ** 2)
    np.testing.assert_allclose(estimate(model, system).forces ** 2, squares, rtol=1e-6)


def test_rotation_permutation_padding_and_two_molecules_far_apart() -> None:
    model, system = with_uncertainty(tiny_force_field(), members=8), rattled("CH3OH", 3)
    one = estimate(model, system)
    turn = Rotation.random(rng=np.random.default_rng(1)).as_matrix()
    turned = estimate(model, moved(system, system.positions @ turn.T))
    assert float(turned.energy) == pytest.approx(float(one.energy), rel=1e-9)
    np.testing.assert_allclose(turned.of_atoms, one.of_atoms, rtol=1e-8)

    order = np.array([3, 1, 5, 0, 2, 4])
    arrays = (system.positions[order], system.atomic_numbers[order], system.masses[order])
    mixed = estimate(model, eqx.tree_at(lambda s: (s.positions, s.atomic_numbers, s.masses), system, arrays))
    assert float(mixed.energy) == pytest.approx(float(one.energy), rel=1e-10)
    np.testing.assert_allclose(mixed.of_atoms, np.asarray(one.of_atoms)[order], rtol=1e-9)
    np.testing.assert_allclose(mixed.atomic_energies, np.asarray(one.atomic_energies)[order], rtol=1e-9)

    padded = estimate(model, system, rows=9)
    np.testing.assert_allclose(padded.of_atoms, [*one.of_atoms, 0, 0, 0], rtol=1e-9)
    np.testing.assert_allclose(padded.atomic_energies, [*one.atomic_energies, 0, 0, 0], rtol=1e-9)

    twice = System.from_ase(system.to_ase() + moved(system, system.positions + np.array([30.0, 0, 0])).to_ase())
    both = estimate(model, twice)
    assert float(both.energy) == pytest.approx(2 * float(one.energy), rel=1e-9)  # the same error twice
    np.testing.assert_allclose(both.of_atoms, [*one.of_atoms, *one.of_atoms], rtol=1e-8)


def test_what_lies_outside_the_data_is_less_certain() -> None:
    """Fitted to water: water as it was seen, stretched water, and other molecules."""
    model = with_uncertainty(tiny_force_field(), members=8)
    seen = max(float(estimate(model, rattled("H2O", seed)).of_atoms.max()) for seed in range(4))
    water = rattled("H2O", 0)
    far = estimate(model, moved(water, 1.4 * water.positions))
    assert float(far.of_atoms.max()) > 3 * seen
    assert float(estimate(model, rattled("CH3SH", 0)).of_atoms.max()) > 3 * seen


def test_error_of_a_changed_model_ranks_as_its_uncertainty() -> None:
    """True errors are those of weights drawn from the distribution itself: some molecules are in the data, some not."""
    model = with_uncertainty(tiny_force_field(), members=8, ridge=1e-3)
    assert model.uncertainty is not None
    rng = np.random.default_rng(2)
    weights = np.asarray(model.uncertainty.factor) @ rng.normal(size=8)
    other = eqx.tree_at(
        lambda m: m.energy_head.layers.second.kernel,
        model,
        model.energy_head.layers.second.kernel + jnp.asarray(weights[:, None]),
    )
    call = jax.jit(lambda m, s, n: m(s, n).forces)
    errors, deviations = [], []
    for number, name in enumerate(["H2O", "CH4", "NH3", "CH3OH", "CH3SH", "HCN"] * 2):
        system = rattled(name, number, 0.02 * (1 + number))
        arrays, lists = system.padded(6).astype("float64"), jax.tree.map(jnp.asarray, model.neighbors(system, rows=6))
        difference = call(model, arrays, lists) - call(other, arrays, lists)
        errors.append(float(jnp.sqrt(jnp.mean(difference[: len(system)] ** 2))))
        deviations.append(float(jnp.sqrt(jnp.mean(_estimate(model, arrays, lists).forces[: len(system)] ** 2))))
    from helio.uncertainty import rank_correlation, scale_of

    assert rank_correlation(np.array(errors), np.array(deviations)) > 0.7
    assert 0.3 < scale_of(np.array(errors), np.array(deviations)) < 3
