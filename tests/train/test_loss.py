"""The loss against numbers by hand, finite differences and other paddings."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helio.force_field import ForceField
from helio.neighbors import Neighbors
from helio.precision import numerics
from helio.prediction import Prediction
from helio.system import System
from helio.train.batches import Batch
from helio.train.loss import LABELS, PUBLISHED_WEIGHTS, Loss, Term, barron, total
from tests.train.conftest import batch_of, crystal, molecule

WEIGHTS = dict(zip(LABELS, (0.3, 10.0, 50.0, 1.0, 0.7, 2.0, 0.4), strict=True))
# One program for all tests: what is left out is left out of the sum over labels.
_terms = jax.jit(lambda force_field, batch: Loss(WEIGHTS)(force_field, batch))


def terms_of(force_field: ForceField, batch: Batch) -> dict[str, Term]:
    """The terms of all labels in float64."""
    with numerics("float64"):
        return jax.device_get(_terms(force_field.astype("float64"), batch.astype("float64")))


def value(weights: dict[str, float], force_field: ForceField, batch: Batch) -> float:
    """The loss in float64."""
    terms = terms_of(force_field, batch)
    return float(total(weights, {name: terms[name] for name in weights}))


@jax.jit
def _predict(force_field: ForceField, system: System, neighbors: Neighbors) -> Prediction:
    return jax.vmap(force_field)(system, neighbors)


@pytest.fixture(scope="module")
def molecules() -> list:
    rng = np.random.default_rng(0)
    return [molecule(rng, 5), molecule(rng, 3)]


def test_means_are_over_the_known_components_of_the_batch(tiny_force_field, molecules) -> None:
    batch = batch_of(tiny_force_field, molecules)
    batch = eqx.tree_at(lambda b: b.known.dipole, batch, np.array([False, True]))
    with numerics("float64"):
        placed = batch.astype("float64")
        predicted = jax.device_get(_predict(tiny_force_field.astype("float64"), placed.system, placed.neighbors))
    forces = (predicted.forces - batch.labels.forces)[np.asarray(batch.system.atomic_numbers) > 0]
    energies = (predicted.energy - batch.labels.energy) / [5, 3]
    dipole = predicted.dipole[1] - batch.labels.dipole[1]

    assert value({"forces": 10.0}, tiny_force_field, batch) == pytest.approx(10 * np.mean(forces**2), rel=1e-12)
    assert value({"energy": 2.0}, tiny_force_field, batch) == pytest.approx(2 * np.mean(energies**2), rel=1e-12)
    assert value({"dipole": 1.0}, tiny_force_field, batch) == pytest.approx(np.mean(dipole**2), rel=1e-12)
    term = terms_of(tiny_force_field, batch)["forces"]
    assert term.absolute / term.count == pytest.approx(np.abs(forces).mean(), rel=1e-12)


@pytest.mark.parametrize(("make", "alpha"), [pytest.param(molecule, 2.0, marks=pytest.mark.slow), (crystal, 0.5)])
def test_gradient_equals_finite_differences(tiny_force_field, make, alpha: float) -> None:
    rng = np.random.default_rng(1)
    force_field = tiny_force_field.with_options(long_range_cutoff=4.0 if make is crystal else None)
    batch = batch_of(force_field, [make(rng, 5), make(rng, 4)])
    loss = Loss(WEIGHTS, alpha=alpha, scales={"forces": 0.3}, long_range_cutoff=4.0)
    with numerics("float64"):
        model, placed = force_field.astype("float64"), batch.astype("float64")
        direction = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape)), model)

        @jax.jit
        @jax.value_and_grad
        def along(step: jax.Array) -> jax.Array:
            moved = jax.tree.map(lambda leaf, d: leaf + step * d, model, direction)
            return total(WEIGHTS, loss(moved, placed))

        h = 1e-4
        slope = float(along(jnp.zeros(()))[1])
        values = [float(along(jnp.asarray(k * h))[0]) for k in (-2, -1, 1, 2)]
    numerical = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * h)
    assert slope == pytest.approx(numerical, rel=1e-7)


def test_padding_never_changes_the_loss(tiny_force_field, molecules) -> None:
    weights = {name: weight for name, weight in WEIGHTS.items() if name != "stress"}
    tight = value(weights, tiny_force_field, batch_of(tiny_force_field, molecules))
    paddings: tuple[dict[str, Any], ...] = ({"rows": 9, "wider": 6}, {"structures": 5})
    for padding in paddings:
        padded = batch_of(tiny_force_field, molecules, **padding)
        assert value(weights, tiny_force_field, padded) == pytest.approx(tight, rel=1e-12)


def test_what_is_not_known_counts_nothing(tiny_force_field, molecules) -> None:
    batch = batch_of(tiny_force_field, molecules, known=("forces",))
    wild = eqx.tree_at(lambda b: (b.labels.dipole, b.labels.charges), batch, replace_fn=lambda x: x + np.nan)
    forces = value({"forces": 10.0}, tiny_force_field, batch)
    assert value(WEIGHTS, tiny_force_field, wild) == forces > 0
    assert value({"energy": 1.0}, tiny_force_field, batch) == 0


def test_weights_of_structures_scale_the_loss(tiny_force_field, molecules) -> None:
    batch = batch_of(tiny_force_field, molecules)
    weighted = [eqx.tree_at(lambda b: b.weight, batch, np.array(weight)) for weight in ([0.5, 0.5], [1, 0.0], [0.0, 1])]
    whole = value(PUBLISHED_WEIGHTS, tiny_force_field, batch)
    half, first, second = (value(PUBLISHED_WEIGHTS, tiny_force_field, one) for one in weighted)
    assert half == pytest.approx(whole / 2, rel=1e-12)
    assert first + second == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize("alpha", [2.0, 1.0, 0.5, 0.0, -2.0])
def test_robust_loss_is_a_square_for_small_errors_and_less_for_large_ones(alpha: float) -> None:
    with numerics("float64"):
        small, large = jnp.asarray(1e-6), jnp.asarray(1e6)
        assert float(barron(small, alpha=alpha, scale=0.5)) == pytest.approx(1e-6, rel=1e-5)
        grown = float(barron(large, alpha=alpha, scale=0.5))
        # Barron (2019), eqs. 8-11, times 2 c^2.
        x = 1e3 / 0.5
        expected = {
            2.0: x**2 / 2,
            1.0: np.sqrt(x**2 + 1) - 1,
            0.5: 3 * ((x**2 / 1.5 + 1) ** 0.25 - 1),
            0.0: np.log(x**2 / 2 + 1),
            -2.0: 2 * x**2 / (x**2 + 4),
        }[alpha]
        assert grown == pytest.approx(2 * 0.25 * expected, rel=1e-9)
        slope = jax.grad(lambda s: barron(s, alpha=alpha, scale=0.5))(jnp.zeros(()))
        assert float(slope) == pytest.approx(1)
