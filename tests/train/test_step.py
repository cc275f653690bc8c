"""Steps of training: updates, averages, batches that are skipped, several devices."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from helio.train.devices import make_mesh
from helio.train.loss import total
from helio.train.optimiser import learning_rate, make_optimiser
from helio.train.step import make_measure, make_step, start_state
from tests.train.toy import ToyLoader, ToyLoss, toy_model


def trained(steps: int, *, accumulate: int = 1, broken: tuple[int, ...] = ()) -> tuple[Any, list[Any]]:
    optimiser = make_optimiser(
        "adam", learning_rate(0.05, decay="constant"), toy_model(), clip_norm=1.0, accumulate=accumulate
    )
    step = make_step(ToyLoss(), optimiser, mesh=make_mesh(1), averaging=0.9)
    state, reports = start_state(toy_model(), optimiser), []
    for _, batch in zip(range(steps), ToyLoader(broken=broken), strict=False):
        state, found = step(state, batch)
        reports.append(jax.device_get(found))
    return state, reports


def test_steps_are_those_of_plain_optax_and_the_average_follows() -> None:
    state, reports = trained(7)
    plain = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(0.05))
    model: Any = toy_model()
    average = model
    inner, loss = plain.init(model), ToyLoss()
    for number, batch in zip(range(7), ToyLoader(), strict=False):
        value, gradient = jax.value_and_grad(lambda m, b=batch: total(loss.weights, loss(m, b)))(model)
        assert reports[number].loss == pytest.approx(float(value), rel=1e-6)
        with jax.numpy_dtype_promotion("standard"):
            updates, inner = plain.update(gradient, inner, model)
        model = optax.apply_updates(model, updates)
        keep = min(0.9, (2 + number) / (11 + number))
        average = jax.tree.map(lambda a, m, keep=keep: keep * a + (1 - keep) * m, average, model)
    np.testing.assert_allclose(state.model["w"], model["w"], rtol=2e-6)
    np.testing.assert_allclose(state.average["w"], average["w"], rtol=2e-6)


def test_batch_with_nan_is_skipped_and_reported() -> None:
    state, reports = trained(6, broken=(2,))
    assert [bool(found.finite) for found in reports] == [True, True, False, True, True, True]
    assert int(state.skipped) == 1 and int(state.step) == 6 and reports[-1].updates == 5
    assert np.isfinite(state.model["w"]).all() and np.isfinite(state.average["w"]).all()
    before, _ = trained(2)
    after, _ = trained(3, broken=(2,))
    for kind in ("model", "average"):
        np.testing.assert_array_equal(getattr(before, kind)["w"], getattr(after, kind)["w"])


def test_accumulated_gradient_is_the_mean_of_its_batches() -> None:
    _, reports = trained(4, accumulate=2)
    assert [int(found.updates) for found in reports] == [0, 1, 1, 2]
    batches = [batch for _, batch in zip(range(2), ToyLoader(), strict=False)]
    loss, model = ToyLoss(), toy_model()
    gradients = [jax.grad(lambda m, b=b: total(loss.weights, loss(m, b)))(model)["w"] for b in batches]
    half, _ = trained(2, accumulate=2)
    moments = [leaf for leaf in jax.tree.leaves(half.optimiser.inner_opt_state) if leaf.shape == (3,)]
    mean = (gradients[0] + gradients[1]) / 2
    clipped = mean / jnp.maximum(1.0, jnp.linalg.norm(mean))
    np.testing.assert_allclose(moments[0], 0.1 * clipped, rtol=1e-5)  # Adam's first moment after one update


def test_measure_sums_what_the_step_sums() -> None:
    _, reports = trained(1)
    batch = next(iter(ToyLoader()))
    sums = make_measure(ToyLoss(), mesh=make_mesh(1))(toy_model(), batch)
    np.testing.assert_allclose(sums["fit"].square, reports[0].terms["fit"].square, rtol=1e-6)
    assert float(sums["fit"].count) == 6


def test_learning_rates_rise_and_fall() -> None:
    rate = learning_rate(1e-3, decay="exponential", decay_rate=0.85, decay_updates=100, warmup_updates=10)
    assert float(rate(5)) == pytest.approx(5e-4)
    assert float(rate(110)) == pytest.approx(8.5e-4)
    cosine = learning_rate(1e-3, decay="cosine", decay_updates=100, final=1e-5)
    assert [float(cosine(n)) for n in (0, 50, 100, 500)] == pytest.approx([1e-3, 5.05e-4, 1e-5, 1e-5])


def test_weight_decay_leaves_biases_and_tables_alone(tiny_force_field) -> None:
    optimiser = make_optimiser("adamw", learning_rate(1.0, decay="constant"), tiny_force_field, weight_decay=0.5)
    zero = jax.tree.map(jnp.zeros_like, tiny_force_field)
    with jax.numpy_dtype_promotion("standard"):
        change: Any = optimiser.update(zero, optimiser.init(tiny_force_field), tiny_force_field)[0]
    kernel, model = change.energy_head.layers.first.kernel, tiny_force_field
    np.testing.assert_allclose(kernel, -0.5 * model.energy_head.layers.first.kernel, rtol=1e-6)
    assert float(jnp.abs(change.network.layers[0].query[0].blocks).max()) > 0
    for leaf in (change.network.embedding.element, change.energy_head.scale, change.network.layers[0].norm_attention):
        assert all(float(jnp.abs(x).max()) == 0 for x in jax.tree.leaves(leaf))


_ON_DEVICES = """
import json
import sys
from dataclasses import replace

import jax
import numpy as np

from helio.force_field import ForceField
from helio.train.devices import make_mesh, place_blocks, replicated
from helio.train.loss import Loss
from helio.train.optimiser import learning_rate, make_optimiser
from helio.train.step import make_step, start_state
from tests.train.conftest import TINY, batch_of, molecule
from tests.train.toy import ToyLoader, ToyLoss, toy_model

force_field = ForceField.initialise(TINY, 3)


def systems(number):
    rng = np.random.default_rng(number)
    return [molecule(rng, 3 + i % 2) for i in range(7)]


if sys.argv[1] == "toy":
    loss, model, batches = ToyLoss(), toy_model(), [batch for batch, _ in zip(ToyLoader(), range(4))]
else:
    loss, model = Loss({"forces": 10.0, "dipole": 1.0, "hirshfeld_ratios": 1.0}), force_field
    batches = [batch_of(force_field, systems(i), seed=i, rows=4, structures=8, wider=2) for i in range(4)]

found = {}
for devices in (1, 4):
    mesh = make_mesh(devices)
    optimiser = make_optimiser("amsgrad", learning_rate(1e-3), model)
    step = make_step(loss, optimiser, mesh=mesh, averaging=0.9)
    state = replicated(start_state(model, optimiser), mesh)
    losses = []
    for batch in batches:
        batch = place_blocks(batch, mesh, "float32")
        assert len(batch.real.sharding.device_set) == devices
        state, report = step(state, batch)
        losses.append(float(report.loss))
    found[devices] = losses, [np.asarray(leaf, np.float64).ravel().tolist() for leaf in jax.tree.leaves(state.model)]
print(json.dumps(found))
"""


@pytest.mark.parametrize("model", ["toy", pytest.param("force field", marks=pytest.mark.slow)])
def test_one_and_four_devices_give_the_same_curve(model: str) -> None:
    flags = "--xla_force_host_platform_device_count=4 --xla_backend_optimization_level=0"
    done = subprocess.run(
        [sys.executable, "-c", _ON_DEVICES, model],
        env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (one, weights), (four, weights_too) = json.loads(done.stdout.splitlines()[-1]).values()
    assert len(set(one)) == 4
    np.testing.assert_allclose(one, four, rtol=2e-6)
    for leaf, other in zip(weights, weights_too, strict=True):
        np.testing.assert_allclose(leaf, other, rtol=1e-5, atol=2e-5)
