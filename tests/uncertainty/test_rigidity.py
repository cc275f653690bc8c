"""Curvature and rigidity against matrices made by differentiating the model in its weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helio import System
from helio.force_field import ForceField
from helio.uncertainty import Curvature, Rigidity, energy_features, estimate_uncertainty, slopes
from tests.uncertainty.conftest import block, curvature_of, rattled, tiny_force_field

pytestmark = pytest.mark.usefixtures("float64")


def derivatives(force_field: ForceField, system: System) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """dE_i/dw (N, F), dE/dw (F,) and dF/dw (3N, F) of the whole force field, by `jax.jacobian`."""
    neighbors = jax.tree.map(jnp.asarray, force_field.neighbors(system))
    arrays = system.astype("float64")

    def outputs(weights: Any) -> tuple[Any, Any, Any]:
        changed = eqx.tree_at(lambda m: m.energy_head.layers.second.kernel, force_field, weights[:, None])
        found = changed(arrays, neighbors)
        return found.atomic_energies, found.energy, found.forces.reshape(-1)

    weights = force_field.energy_head.layers.second.kernel[:, 0]
    return tuple(np.asarray(part) for part in jax.jit(jax.jacobian(outputs))(weights))  # pyright: ignore


def test_sums_and_variance_are_those_of_dense_matrices() -> None:
    force_field, systems = tiny_force_field(), [rattled("H2O", 0), rattled("CH4", 1)]
    dense = [derivatives(force_field, system) for system in systems]
    found = curvature_of(force_field, systems, 6, probes=4000)
    assert found.counts == {"energy": 2, "forces": 24, "atomic_energies": 8}
    expected = {
        "energy": sum(np.outer(e, e) / len(a) ** 2 for a, e, _ in dense),
        "atomic_energies": sum(a.T @ a for a, _, _ in dense),
        "forces": sum(f.T @ f for _, _, f in dense),
    }
    for name, tolerance in {"energy": 1e-12, "atomic_energies": 1e-12, "forces": 0.1}.items():
        scale = np.abs(expected[name]).max()
        np.testing.assert_allclose(found.sums[name], expected[name], atol=tolerance * scale, err_msg=name)

    exact = Curvature(expected, found.counts).weighted({"energy": 2.0, "forces": 1.0})
    by_hand = 2 * expected["energy"] / 2 + expected["forces"] / 24
    np.testing.assert_allclose(exact, by_hand, rtol=1e-12)
    rigidity = Rigidity.of(exact, relative_ridge=1e-3)
    inverse = np.linalg.inv(by_hand + 1e-3 * np.trace(by_hand) / 8 * np.eye(8))
    np.testing.assert_allclose(rigidity.factor @ rigidity.factor.T, inverse, rtol=1e-8)

    other = rattled("CH3OH", 2)
    atoms, energy, forces = derivatives(force_field, other)
    model = replace(force_field, uncertainty=rigidity.uncertainty(members=8, energy_scale=3.0, force_scale=0.5))
    estimate = jax.jit(estimate_uncertainty)(
        model, other.astype("float64"), jax.tree.map(jnp.asarray, model.neighbors(other))
    )
    # With as many members as weights the ensemble is the whole distribution.
    np.testing.assert_allclose(estimate.energy**2, 9 * energy @ inverse @ energy, rtol=1e-8)
    np.testing.assert_allclose(estimate.atomic_energies**2, 9 * np.diag(atoms @ inverse @ atoms.T), rtol=1e-8)
    expected_forces = 0.25 * np.diag(forces @ inverse @ forces.T).reshape(-1, 3)
    np.testing.assert_allclose(estimate.forces**2, expected_forces, rtol=1e-7)
    np.testing.assert_allclose(estimate.of_atoms**2, expected_forces.sum(axis=1), rtol=1e-7)

    made = slopes(model, *block(model, [other], 8), key=jax.random.PRNGKey(0), probes=3)
    np.testing.assert_allclose(made.atomic_energies[0, :6], atoms, rtol=1e-9, atol=1e-12)
    assert np.all(made.atomic_energies[0, 6:] == 0) and np.all(made.signs[0, :, 6:] == 0)
    signs = np.asarray(made.signs[0, :, :6]).reshape(3, -1)
    assert set(signs.ravel()) == {1.0, -1.0}
    np.testing.assert_allclose(made.forces[0], signs @ forces, rtol=1e-7, atol=1e-10)


def test_labels_that_are_not_known_do_not_count() -> None:
    force_field, systems = tiny_force_field(), [rattled("H2O", 0), rattled("CH4", 1)]
    made = slopes(force_field, *block(force_field, systems, 6), key=jax.random.PRNGKey(0), probes=2)
    known = {"energy": np.array([True, False]), "forces": np.array([False, True]), "atomic_energies": np.zeros(2, bool)}
    found = Curvature.empty(8).including(made, np.array([3, 5]), known)
    assert found.counts == {"energy": 1, "forces": 15, "atomic_energies": 0}
    total = np.asarray(made.atomic_energies[0]).sum(axis=0) / 3
    np.testing.assert_allclose(found.sums["energy"], np.outer(total, total))
    assert not found.sums["atomic_energies"].any() and found.sums["forces"].any()


def test_the_most_likely_ridge_is_that_of_the_errors() -> None:
    """Errors of weights that are drawn with a known ridge, where the data leave half of the directions free."""
    rng = np.random.default_rng(4)
    root = rng.normal(size=(16, 8))
    curvature = root @ root.T
    along = rng.normal(size=(4000, 16))
    for ridge in (1e-6, 1e-1):
        truth = Rigidity.of(curvature, relative_ridge=ridge)
        errors = np.sum(along * (rng.normal(size=(4000, 16)) @ truth.factor.T), axis=1)
        found = Rigidity.most_likely(curvature, along, 5 * errors)
        assert found.ridge == pytest.approx(truth.ridge)


def test_features_times_weights_are_the_energies_of_the_network() -> None:
    force_field, system = tiny_force_field(), rattled("CH3OH", 0)
    neighbors, arrays = jax.tree.map(jnp.asarray, force_field.neighbors(system, rows=8)), system.padded(8)
    features = energy_features(force_field, arrays.astype("float64"), neighbors)
    assert np.all(features[6:] == 0)
    head = force_field.energy_head
    offset = float(head.offset[arrays.atomic_numbers].sum())
    found = float((features @ head.layers.second.kernel).sum()) + offset
    prediction = force_field(arrays.astype("float64"), neighbors)
    assert found == pytest.approx(float(prediction.energy_terms["network"]), rel=1e-12)


def test_the_ensemble_approaches_the_whole_distribution() -> None:
    rng = np.random.default_rng(0)
    root = rng.normal(size=(32, 32))
    rigidity = Rigidity.of(root @ root.T, relative_ridge=1e-3)
    covariance = rigidity.factor @ rigidity.factor.T
    direction = rng.normal(size=32)
    exact = direction @ covariance @ direction

    def spread(members: int, seed: int) -> float:
        made = np.asarray(rigidity.uncertainty(members=members, seed=seed).members)
        assert made.shape == (min(members, 32), 32)
        return float(np.mean((made @ direction) ** 2))

    few, many = (np.array([spread(members, seed) for seed in range(400)]) for members in (4, 16))
    assert few.mean() == pytest.approx(exact, rel=0.1) and many.mean() == pytest.approx(exact, rel=0.05)
    assert many.std() < 0.5 * few.std()
    assert spread(32, 1) == pytest.approx(exact, rel=1e-10) and spread(99, 1) == pytest.approx(exact, rel=1e-10)
