"""Messages are those of the plain formula, however pairs are stored."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from helio.coarse.network.graph_network import MLP, GraphNetwork, Pairs

RANDOM = np.random.default_rng(0)
NODES = jnp.asarray(RANDOM.normal(size=(4, 3)), jnp.float32)
EDGES = jnp.asarray(RANDOM.normal(size=(4, 4, 2)), jnp.float32)


def test_pair_network_is_that_of_the_joined_inputs() -> None:
    mlp = MLP(8, 16, 5, hidden_layers=2, rng=np.random.default_rng(1), norm=True)
    found = mlp.of_pairs(EDGES, NODES, Pairs(None, jnp.ones((4, 4), bool)))
    receiver = jnp.repeat(NODES[:, None], 4, axis=1)
    joined = jnp.concatenate([EDGES, receiver, jnp.swapaxes(receiver, 0, 1)], axis=-1)
    np.testing.assert_allclose(found, mlp(joined), rtol=1e-5, atol=1e-5)


def test_zero_output_at_first() -> None:
    mlp = MLP(3, 8, 2, hidden_layers=1, rng=np.random.default_rng(1), zero=True)
    assert np.array_equal(mlp(NODES), np.zeros((4, 2)))


def test_lists_give_what_all_pairs_give() -> None:
    network = GraphNetwork(3, 2, width=8, layers=2, hidden_layers=1, rng=np.random.default_rng(2))
    mask = jnp.asarray([[1, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 1]], bool)
    nodes, edges = network(NODES, EDGES, Pairs(None, mask))
    sender = jnp.asarray([[1, 0, 4], [2, 1, 0], [2, 1, 4], [3, 4, 4]], jnp.int32)
    listed = jnp.take_along_axis(EDGES, jnp.minimum(sender, 3)[:, :, None], axis=1)
    other, of_list = network(NODES, listed, Pairs(sender, sender < 4))
    np.testing.assert_allclose(other, nodes, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(of_list[1, 0], edges[1, 2], rtol=1e-5, atol=1e-5)


def test_padding_changes_nothing() -> None:
    network = GraphNetwork(3, 2, width=8, layers=2, hidden_layers=1, rng=np.random.default_rng(2))
    found = network(NODES, EDGES, Pairs(None, jnp.ones((4, 4), bool)))[0]
    wide = jnp.pad(EDGES, ((0, 2), (0, 2), (0, 0)), constant_values=7.0)
    mask = jnp.pad(jnp.ones((4, 4), bool), ((0, 2), (0, 2)))
    padded = network(jnp.pad(NODES, ((0, 2), (0, 0)), constant_values=9.0), wide, Pairs(None, mask))[0]
    np.testing.assert_allclose(padded[:4], found, rtol=1e-5, atol=1e-5)
