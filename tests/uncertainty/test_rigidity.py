"""Curvature and rigidity against matrices made by differentiating the model in its weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import numpy as np
import pytest

from helio import System
from helio.force_field import ForceField
from helio.uncertainty import Curvature, Rigidity, Slopes, estimate_uncertainty, rank_correlation, slopes
from helio.uncertainty.rigidity import LABELS
from tests.uncertainty.conftest import block, rattled, tiny_force_field

ROWS = 6


def derivatives(force_field: ForceField, systems: System, lists: Any) -> list[tuple[np.ndarray, ...]]:
    """dE_i/dw (N, F), dE/dw (F,) and dF/dw (3N, F) of whole force fields, by `jax.jacobian`, for each system."""

    @jax.jit
    @jax.jacobian
    def outputs(weights: Any, system: System, neighbors: Any) -> tuple[Any, Any, Any]:
        changed = eqx.tree_at(lambda m: m.energy_head.layers.second.kernel, force_field, weights[:, None])
        found = changed(system, neighbors)
        return found.atomic_energies, found.energy, found.forces.reshape(-1)

    weights = force_field.energy_head.layers.second.kernel[:, 0]
    singles = [jax.tree.map(lambda leaf, i=i: leaf[i], (systems, lists)) for i in range(len(systems.positions))]
    return [tuple(np.asarray(part) for part in outputs(weights, *single)) for single in singles]


@pytest.mark.usefixtures("float64")
def test_sums_and_variance_are_those_of_dense_matrices() -> None:
    force_field = tiny_force_field()
    arrays = block(force_field, [rattled("H2O", 0), rattled("CH4", 1), rattled("CH3OH", 2)], ROWS)
    dense, atoms = derivatives(force_field, *arrays), np.array([3, 5, 6])
    made = slopes(force_field, *arrays, key=jax.random.PRNGKey(0), probes=3000)
    for number, (own, _, forces) in enumerate(dense):
        np.testing.assert_allclose(made.atomic_energies[number], own, rtol=1e-9, atol=1e-12)
        signs = np.asarray(made.signs[number, :5]).reshape(5, -1)
        assert set(np.unique(signs)) == {-1.0, 1.0} | ({0.0} if atoms[number] < ROWS else set())
        np.testing.assert_allclose(made.forces[number, :5], signs @ forces, rtol=1e-7, atol=1e-10)

    known: dict[str, np.ndarray] = {label: np.array([True, True, False]) for label in LABELS}
    found = Curvature.empty(8).including(made, atoms, known)
    assert found.counts == {"energy": 2, "forces": 24, "atomic_energies": 8}
    expected = {
        "energy": sum(np.outer(e, e) / n**2 for (_, e, _), n in zip(dense[:2], atoms[:2], strict=True)),
        "atomic_energies": sum(a.T @ a for a, _, _ in dense[:2]),
        "forces": sum(f.T @ f for _, _, f in dense[:2]),
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

    own, energy, forces = dense[2]
    model = replace(force_field, uncertainty=rigidity.uncertainty(members=8, energy_scale=3.0, force_scale=0.5))
    estimate = jax.jit(estimate_uncertainty)(model, *jax.tree.map(lambda leaf: leaf[2], arrays))
    # With as many members as weights the ensemble is the whole distribution.
    np.testing.assert_allclose(estimate.energy**2, 9 * energy @ inverse @ energy, rtol=1e-8)
    np.testing.assert_allclose(estimate.atomic_energies**2, 9 * np.diag(own @ inverse @ own.T), rtol=1e-8)
    expected_forces = 0.25 * np.diag(forces @ inverse @ forces.T).reshape(-1, 3)
    np.testing.assert_allclose(estimate.forces**2, expected_forces, rtol=1e-7)
    np.testing.assert_allclose(estimate.of_atoms**2, expected_forces.sum(axis=1), rtol=1e-7)


@pytest.mark.usefixtures("float64")
def test_uncertainties_rank_the_true_errors_outside_the_data() -> None:
    """A last layer is fitted to two molecules of water; the truth is one that differs in every direction."""
    force_field = tiny_force_field(features=32)
    names = ["H2O", "H2O", "H2O", "H2O", "CH4", "NH3", "CH3OH", "H2CO", "HCN", "CO2", "SH2", "CH3Cl"]
    systems = [rattled(name, number) for number, name in enumerate(names)]
    made = slopes(force_field, *block(force_field, systems, ROWS), key=jax.random.PRNGKey(1), probes=12)
    atoms = np.array([len(system) for system in systems])
    fitted = np.arange(len(names)) < 2
    known = {"energy": fitted, "forces": fitted, "atomic_energies": ~fitted & fitted}
    curvature = Curvature.empty(32).including(made, atoms, known).weighted({"energy": 1.0, "forces": 1.0})
    rigidity = Rigidity.of(curvature, relative_ridge=1e-5)

    change = np.random.default_rng(0).normal(size=(32, 20))  # of 20 truths
    # What least squares with the ridge s^2 leaves of the change: s^2 P times it.
    left = rigidity.ridge * rigidity.factor @ rigidity.factor.T @ change
    along = np.asarray(made.forces)
    errors = np.sqrt(np.mean((along @ left) ** 2, axis=(1, 2)))
    deviations = np.sqrt(np.mean((along @ rigidity.factor) ** 2, axis=1).sum(axis=1))
    assert rank_correlation(errors, deviations) > 0.8
    for values in (errors, deviations):
        assert values[4:].mean() > 1.5 * values[:2].mean()


def test_labels_that_are_not_known_do_not_count() -> None:
    rng = np.random.default_rng(0)
    made = Slopes(rng.normal(size=(2, 5, 4)), rng.normal(size=(2, 3, 4)), np.ones((2, 3, 5, 3)))
    known = {"energy": np.array([True, False]), "forces": np.array([False, True]), "atomic_energies": np.zeros(2, bool)}
    found = Curvature.empty(4).including(made, np.array([3, 5]), known)
    assert found.counts == {"energy": 1, "forces": 15, "atomic_energies": 0}
    total = made.atomic_energies[0].sum(axis=0) / 3
    np.testing.assert_allclose(found.sums["energy"], np.outer(total, total))
    np.testing.assert_allclose(found.sums["forces"], made.forces[1].T @ made.forces[1] / 3)
    assert not found.sums["atomic_energies"].any()
    assert np.all(found.weighted({"energy": 2.0}) == 2 * found.sums["energy"])


def test_the_most_likely_ridge_is_that_of_the_errors() -> None:
    """Errors of weights that are drawn with a known ridge, where the data leave half of the directions free."""
    rng = np.random.default_rng(4)
    root = rng.normal(size=(16, 8))
    curvature = root @ root.T
    along = rng.normal(size=(4000, 16))
    for ridge in (0.1, 1.0):
        truth = Rigidity.of(curvature, relative_ridge=ridge)
        errors = np.sum(along * (rng.normal(size=(4000, 16)) @ truth.factor.T), axis=1)
        found = Rigidity.most_likely(curvature, along, 5 * errors)
        assert found.ridge == pytest.approx(truth.ridge)


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
