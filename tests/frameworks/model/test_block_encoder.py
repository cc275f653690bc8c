"""Graphs of blocks, their embeddings, and the contrast against a written-out sum."""

from __future__ import annotations

import math
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import special_ortho_group

from helio.frameworks.block import Block, make_block
from helio.frameworks.library import Library
from helio.frameworks.model.block_encoder import BlockEncoder, contrasts
from helio.frameworks.model.block_graphs import block_batch, block_graph, capacity
from helio.frameworks.model.data import BlockBatches
from helio.frameworks.model.embedding import embed_library, nearest_blocks
from tests.frameworks.model.toy import toy_library

LIBRARY = toy_library()


def reordered(block: Block, random: np.random.Generator) -> Block:
    """The same block, turned, with its atoms and connections in another order."""
    atoms, ends = random.permutation(len(block)), random.permutation(len(block.connections))
    place = np.argsort(atoms)
    turn = special_ortho_group.rvs(3, random_state=random)
    return make_block(
        block.numbers[atoms], block.positions[atoms] @ turn, place[block.bonds], block.connections[ends] @ turn,
        place[block.docking[ends]], node=block.node,
    )  # fmt: skip


def test_graph_has_pairs_one_and_two_bonds_apart() -> None:
    graph = block_graph(LIBRARY[5])  # three carbons in a row between two connections: X C C C X
    pairs = {tuple(edge): apart for edge, apart in zip(graph.edges.tolist(), graph.bonds_apart, strict=True)}
    order = [3, 0, 1, 2, 4]
    expected = {(order[i], order[j]): abs(i - j) for i in range(5) for j in range(5) if 0 < abs(i - j) <= 2}
    assert pairs == expected
    assert graph.numbers.tolist() == [6, 6, 6, 0, 0] and (graph.atoms, graph.connections) == (3, 2)


def test_contrast_is_the_written_out_sum() -> None:
    random = np.random.default_rng(0)
    p = random.normal(size=(6, 4))
    p /= np.linalg.norm(p, axis=1, keepdims=True)
    label, real = [0, 0, 1, 2, 2, 5], [True] * 5 + [False]
    found = contrasts(jnp.asarray(p, jnp.float32), jnp.array(label), jnp.array(real))
    for i in range(5):
        s = [math.exp(float(p[i] @ p[j]) / 0.1) for j in range(5)]
        others = sum(s[j] for j in range(5) if label[j] != label[i])
        same = sum(s[j] for j in range(5) if label[j] == label[i])
        assert float(found[i]) == pytest.approx(math.log(others) - math.log(same), rel=1e-5)
    assert float(found[5]) == 0
    alone = contrasts(jnp.asarray(p[:2], jnp.float32), jnp.array([3, 3]), jnp.array([True, True]))
    assert alone.tolist() == [0, 0]  # nothing to differ from


@pytest.fixture(scope="module")
def encoder() -> BlockEncoder:
    return BlockEncoder(features=8, channels=6, layers=2, rng=np.random.default_rng(1))


def test_embedding_does_not_depend_on_order_place_or_turn(encoder: BlockEncoder) -> None:
    random = np.random.default_rng(2)
    other = Library(tuple(reordered(block, random) for block in LIBRARY.blocks), LIBRARY.names)
    one, two = embed_library(encoder, LIBRARY), embed_library(encoder, other)
    assert two == pytest.approx(one, abs=2e-5)
    apart = np.linalg.norm(one[:, None] - one[None], axis=-1) + 9 * np.eye(len(one))
    assert apart.min() > 1e-3


def test_blocks_are_found_by_their_own_embeddings(encoder: BlockEncoder) -> None:
    embeddings = embed_library(encoder, LIBRARY)
    assert nearest_blocks(embeddings + 1e-4, embeddings).tolist() == list(range(len(LIBRARY)))


def test_a_linker_differs_from_the_same_atoms_as_a_node(encoder: BlockEncoder) -> None:
    linker = LIBRARY[5]
    both = embed_library(encoder, Library((linker, replace(linker, node=True)), ("linker", "node")))
    assert np.abs(both[0] - both[1]).max() > 1e-3


def test_batches_fit_whatever_blocks_are_drawn_and_depend_on_their_number_alone() -> None:
    graphs = [block_graph(block) for block in LIBRARY.blocks]
    batches = BlockBatches(graphs, LIBRARY.classes, per_batch=3, jitter=0.05, seed=4)
    stream = iter(batches)
    drawn = [next(stream) for _ in range(8)]
    assert {batch.numbers.shape for batch in drawn} == {(capacity(graphs, 3, copies=2)[0],)}
    again = batches.batch(5)
    assert np.array_equal(again.distance, drawn[5].distance) and np.array_equal(again.index, drawn[5].index)
    assert batches.state() == {"batch": 8}
    first, second = (block_batch([graphs[5]], size=(9, 20), labels=np.zeros(1), index=np.zeros(1)) for _ in range(2))
    assert np.array_equal(first.distance, second.distance)  # without jitter
    half = len(drawn[0].label) // 2
    assert np.array_equal(drawn[0].label[:half], drawn[0].label[half:])  # two views of each
