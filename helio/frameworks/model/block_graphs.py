"""Building blocks as graphs, many of them in one set of arrays.

A vertex is an atom or a connection (element 0), an edge a pair that is one or two bonds apart: lengths of the latter
tell angles. A connection is bonded to the atom that it leaves from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import numpy as np

from helio.frameworks.block import Block

MOST_ATOMS, MOST_CONNECTIONS = 200, 20  # of a block, as in the paper's filters


@dataclass(frozen=True, eq=False)
class BlockGraph:
    """One block as a graph of n vertices and e directed edges, those of a vertex one after another."""

    numbers: np.ndarray  # (n,) int32, 0 for connections
    positions: np.ndarray  # (n, 3) A
    edges: np.ndarray  # (e, 2) int32: receiver, sender
    bonds_apart: np.ndarray  # (e,) int32, 1 or 2
    atoms: int
    connections: int
    diameter: float  # A
    node: bool


class BlockBatch(eqx.Module):
    """B blocks: A vertices, E edges, padding at the end of both; padding belongs to a block of number B."""

    numbers: Any  # (A,) int32
    owner: Any  # (A,) int32
    receiver: Any  # (E,) int32
    sender: Any  # (E,) int32
    distance: Any  # (E,) A
    bonds_apart: Any  # (E,) int32, 0 for padding
    atoms: Any  # (B,) int32
    connections: Any  # (B,) int32
    diameter: Any  # (B,) A
    node: Any  # (B,) float, 1 for nodes
    label: Any  # (B,) int32, the class of each block
    index: Any  # (B,) int32, number in the library
    real: Any  # (B,) bool


def block_graph(block: Block) -> BlockGraph:
    """The graph of a block."""
    n = len(block) + len(block.connections)
    leaving = np.stack([block.docking, len(block) + np.arange(len(block.docking))], axis=1)
    near = np.zeros((n, n), bool)
    for i, j in np.concatenate([block.bonds, leaving]):
        near[i, j] = near[j, i] = True
    second = (near.astype(np.int32) @ near.astype(np.int32) > 0) & ~near
    np.fill_diagonal(second, False)
    edges = np.argwhere(near | second).astype(np.int32)
    return BlockGraph(
        numbers=np.concatenate([block.numbers, np.zeros(len(block.connections))]).astype(np.int32),
        positions=np.concatenate([block.positions, block.connections]),
        edges=edges,
        bonds_apart=np.where(near[tuple(edges.T)], 1, 2).astype(np.int32),
        atoms=min(len(block), MOST_ATOMS),
        connections=min(len(block.connections), MOST_CONNECTIONS),
        diameter=block.diameter,
        node=block.node,
    )


def capacity(graphs: Sequence[BlockGraph], blocks: int, *, copies: int = 1) -> tuple[int, int]:
    """Vertices and edges that are enough for any `blocks` of these graphs, each `copies` times.

    One vertex more is there for edges of padding to end at.
    """
    vertices = sorted((len(graph.numbers) for graph in graphs), reverse=True)
    edges = sorted((len(graph.edges) for graph in graphs), reverse=True)
    return copies * sum(vertices[:blocks]) + 1, max(1, copies * sum(edges[:blocks]))


def block_batch(
    graphs: Sequence[BlockGraph],
    *,
    size: tuple[int, int],
    labels: np.ndarray,
    index: np.ndarray,
    jitter: np.random.Generator | None = None,
    spread: float = 0.0,
) -> BlockBatch:
    """Put blocks together.

    Args:
        graphs: of the blocks.
        size: A and E, as `capacity` gives them.
        labels: the class of each.
        index: the number of each in the library.
        jitter: random numbers that move vertices, if any.
        spread: of these movements, in A.
    """
    vertices, edges = size
    begins = np.cumsum([0, *(len(graph.numbers) for graph in graphs)])
    positions = np.concatenate([graph.positions for graph in graphs])
    if jitter is not None:
        positions = positions + spread * jitter.normal(size=positions.shape)
    joined = np.concatenate([graph.edges + begin for graph, begin in zip(graphs, begins[:-1], strict=True)])
    i, j = joined.T
    distance = np.linalg.norm(positions[j] - positions[i], axis=1)
    numbers = np.concatenate([graph.numbers for graph in graphs])
    owner = np.repeat(np.arange(len(graphs)), np.diff(begins))
    return BlockBatch(
        numbers=_filled(numbers, vertices, 0),
        owner=_filled(owner, vertices, len(graphs)),
        receiver=_filled(i, edges, vertices - 1),
        sender=_filled(j, edges, vertices - 1),
        distance=_filled(distance.astype(np.float32), edges, 0.0),
        bonds_apart=_filled(np.concatenate([graph.bonds_apart for graph in graphs]), edges, 0),
        atoms=np.array([graph.atoms for graph in graphs], np.int32),
        connections=np.array([graph.connections for graph in graphs], np.int32),
        diameter=np.array([graph.diameter for graph in graphs], np.float32),
        node=np.array([graph.node for graph in graphs], np.float32),
        label=np.asarray(labels, np.int32),
        index=np.asarray(index, np.int32),
        real=np.ones(len(graphs), bool),
    )


def _filled(values: np.ndarray, length: int, padding: float) -> np.ndarray:
    kind = np.float32 if np.issubdtype(values.dtype, np.floating) else np.int32
    whole = np.full(length, padding, kind)
    whole[: len(values)] = values
    return whole
