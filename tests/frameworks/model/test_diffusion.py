"""Batches, noise on the torus, units, and the loss."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helio.errors import HelioError
from helio.frameworks.model.data import FrameworkBatches, framework_arrays, padded_sizes
from helio.frameworks.model.diffusion import DiffusionLoss, GenerativeModel, displaced
from helio.frameworks.model.scaling import fit_scales
from helio.frameworks.model.schedules import Schedule
from helio.frameworks.model.torus import cell_matrix
from helio.precision import numerics
from tests.frameworks.model.toy import toy_framework, toy_library

LIBRARY = toy_library()
FRAMEWORKS = [toy_framework(LIBRARY, metal, linker) for metal in range(3) for linker in range(3)]
FRAMEWORKS.append(toy_framework(LIBRARY, 0, 0, doubled=True))
NAMES = ("void_fraction", "co2_uptake")
ARRAYS = framework_arrays(FRAMEWORKS, LIBRARY, NAMES)
EMBEDDINGS = np.random.default_rng(0).normal(size=(len(LIBRARY), 4))
SCALES = fit_scales(ARRAYS.parameters, ARRAYS.count, EMBEDDINGS[ARRAYS.blocks[ARRAYS.mask]], ARRAYS.labels, NAMES)
SCHEDULE = Schedule(20, 0.01, 1.0)


def batches(**changes) -> FrameworkBatches:
    values: dict[str, Any] = {"latent": 3, "noise_steps": 20, "per_batch": 4, "draws": 2, "most_shapes": 2, "seed": 1}
    return FrameworkBatches(ARRAYS, EMBEDDINGS, SCALES, **(values | changes))


def test_noise_on_the_torus_is_the_nearest_image_and_has_no_mean() -> None:
    cell = cell_matrix((9, 10, 12, 80, 95, 100))
    random = np.random.default_rng(3)
    places, noise, mask = random.random((5, 3)), random.normal(size=(5, 3)), np.arange(5) < 4
    unit = abs(np.linalg.det(cell)) ** (1 / 3)
    with numerics("float64"):
        moved, displacement = displaced(
            jnp.asarray(places), jnp.asarray(cell), jnp.asarray(mask), jnp.asarray(0.01), jnp.asarray(noise)
        )
    expected = 0.01 * (noise - noise[:4].mean(axis=0))
    assert np.asarray(displacement)[:4] == pytest.approx(expected[:4], abs=1e-12)
    back = (np.asarray(moved) - 0.01 * unit * noise @ np.linalg.inv(cell) - places) % 1
    assert np.minimum(back, 1 - back) == pytest.approx(np.zeros((5, 3)), abs=1e-10)


def test_units_go_in_and_come_out() -> None:
    lattice = SCALES.lattice_in(ARRAYS.parameters, ARRAYS.count)
    assert lattice.mean(axis=0) == pytest.approx(np.zeros(6), abs=1e-9)
    assert lattice[:, 0].std() == pytest.approx(1)
    assert SCALES.lattice_out(lattice, ARRAYS.count) == pytest.approx(ARRAYS.parameters)
    known = np.isfinite(ARRAYS.labels)
    assert known[:, 0].all() and not known[:, 1].all()
    assert SCALES.labels_out(SCALES.labels_in(ARRAYS.labels))[known] == pytest.approx(ARRAYS.labels[known])
    assert SCALES.labels_out(SCALES.labels_in(np.array([0.5, -3.0]))).tolist() == pytest.approx([0.5, -3.0])


def test_batches_depend_on_their_number_alone() -> None:
    whole = batches()
    stream = iter(whole)
    first = [next(stream) for _ in range(7)]
    assert whole.epoch == 7 // whole.batches_per_epoch
    resumed = batches()
    resumed.restore({"batch": 4})
    later = iter(resumed)
    for expected in first[4:]:
        found = next(later)
        assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(expected), jax.tree.leaves(found), strict=True))
    seen = np.concatenate([batch.index[batch.real] for batch in first[: whole.batches_per_epoch]])
    assert sorted(seen.tolist()) == list(range(len(ARRAYS)))


def test_few_sizes_that_pad_least() -> None:
    counts = np.array([4] * 5 + [5] * 2 + [9] * 3 + [15])
    assert padded_sizes(counts, 2) == (9, 15)  # 10 * 81 + 225 pairs; with 5 first 7 * 25 + 4 * 225
    assert padded_sizes(counts, 1) == (15,) and padded_sizes(counts, 9) == (4, 5, 9, 15)


def test_too_many_blocks_are_refused() -> None:
    one = toy_framework(LIBRARY, 0, 0)
    many = toy_framework(LIBRARY, 0, 0, name="large")
    for name in ("centers", "blocks", "rotations"):
        object.__setattr__(many, name, np.concatenate([getattr(one, name)] * 6))
    with pytest.raises(HelioError, match="large has 24 building blocks in its cell; models take 20 at most"):
        framework_arrays([many], LIBRARY, NAMES)


@pytest.fixture(scope="module")
def model() -> GenerativeModel:
    return GenerativeModel(
        channels=4, latent=3, labels=2, features=8, pair=6, reach=3, layers=1, encoder_layers=1,
        rng=np.random.default_rng(2),
    )  # fmt: skip


def test_loss_counts_what_is_real_and_known(model: GenerativeModel) -> None:
    loss = DiffusionLoss(SCHEDULE)
    batch = next(iter(batches(per_batch=16, once=True, most_shapes=1)))  # ten frameworks and six of padding
    found = jax.jit(loss)(model, batch)
    blocks = sum(len(framework) for framework in FRAMEWORKS)
    assert float(found["places"].count) == float(found["embeddings"].count) == 2 * blocks
    assert float(found["count"].count) == float(found["divergence"].count) == len(FRAMEWORKS)
    assert float(found["lattice"].count) == 6 * len(FRAMEWORKS)
    assert float(found["labels"].count) == np.isfinite(ARRAYS.labels).sum()
    assert all(np.isfinite(float(term.penalty)) for term in found.values())

    one = jax.tree.map(lambda leaf: leaf[0], batch)
    moved = loss.residuals(model, one)
    assert moved.displacement.shape[0] == 2
    assert not np.allclose(moved.displacement[0], moved.displacement[1])  # each draw has noise and a level of its own
    mean, log_variance = model.encode(
        one.embedding, model.pairs(one.fractional, one.cell, one.mask), one.lattice, one.mask, one.count
    )
    variance = np.exp(np.asarray(log_variance))
    divergence = 0.5 * np.sum(np.asarray(mean) ** 2 + variance - 1 - np.log(variance))
    assert float(moved.divergence) == pytest.approx(divergence, rel=1e-4)
    assert float(loss.weights["divergence"]) == 0.01
    assert DiffusionLoss(SCHEDULE, places_weight=3.0).weights["places"] == 3.0
