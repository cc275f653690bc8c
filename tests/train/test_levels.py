"""Heads of several levels of theory on one network."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from helio.force_field.levels import ManyLevels
from helio.train.loss import Loss, predictions, total
from tests.train.conftest import batch_of, molecule


def test_each_structure_is_seen_at_its_level(tiny_force_field) -> None:
    rng = np.random.default_rng(0)
    batch = batch_of(tiny_force_field, [molecule(rng, 4), molecule(rng, 4), molecule(rng, 3)])
    batch = eqx.tree_at(lambda b: b.level, batch, np.array([1, 0, 1], np.int32)).astype("float32")
    model = ManyLevels.of(dict.fromkeys(("a", "b"), tiny_force_field))
    scales = jnp.asarray([[1.0], [2.0]], jnp.float32) * model.heads[0].scale
    model = eqx.tree_at(lambda m: m.heads[0].scale, model, scales)
    found = jax.jit(lambda m, b: predictions(m, b, long_range_cutoff=12.0))(model, batch)
    whole = jax.jit(lambda m, b: predictions(m, b, long_range_cutoff=12.0))
    for level, rows in ((0, [1]), (1, [0, 2])):
        alone = whole(model.at(level), batch)
        np.testing.assert_allclose(found.forces[np.array(rows)], alone.forces[np.array(rows)], rtol=1e-5, atol=1e-6)
    assert eqx.tree_equal(ManyLevels.of({"a": model.at(0), "b": model.at(1)}), model)

    loss = Loss({"forces": 1.0})
    only_first = eqx.tree_at(lambda b: b.weight, batch, jnp.asarray([0.0, 1.0, 0.0], jnp.float32))
    gradient = jax.jit(jax.grad(lambda m: total(loss.weights, loss(m, only_first))))(model)
    for leaf in jax.tree.leaves(gradient.heads[0]):
        assert not np.asarray(leaf[1]).any()  # another level's structures do not touch these
    assert np.abs(gradient.heads[0].layers.first.kernel[0]).max() > 0
    assert np.abs(gradient.trunk.network.layers[0].value.blocks).max() > 0
