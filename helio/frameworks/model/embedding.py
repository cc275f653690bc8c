"""Embeddings of the blocks of a library, and blocks for embeddings."""

from __future__ import annotations

import equinox as eqx
import numpy as np

from helio.frameworks.library import Library
from helio.frameworks.model.block_encoder import BlockEncoder
from helio.frameworks.model.block_graphs import block_batch, block_graph, capacity

_CHUNK = 32
_LARGEST = 100.0  # embeddings are clamped, as in the paper


def embed_library(encoder: BlockEncoder, library: Library) -> np.ndarray:
    """Embeddings (blocks, C) of all blocks, float32, not standardised."""
    graphs = [block_graph(block) for block in library.blocks]
    chunk = min(_CHUNK, len(graphs))
    size, run = capacity(graphs, chunk), eqx.filter_jit(lambda model, batch: model(batch).embedding)
    found = []
    for begin in range(0, len(graphs), chunk):
        rows = np.arange(begin, min(begin + chunk, len(graphs)))
        # The last chunk is filled with the smallest block, so that one program does for all.
        smallest = min(range(len(graphs)), key=lambda i: len(graphs[i].numbers))
        chosen = np.concatenate([rows, np.full(chunk - len(rows), smallest)])
        batch = block_batch([graphs[i] for i in chosen], size=size, labels=chosen, index=chosen)
        found.append(np.asarray(run(encoder, batch))[: len(rows)])
    return np.clip(np.concatenate(found), -_LARGEST, _LARGEST).astype(np.float32)


def nearest_blocks(generated: np.ndarray, library: np.ndarray) -> np.ndarray:
    """For each generated embedding (N, C) the number of the nearest of the library (blocks, C), both standardised."""
    from scipy.spatial import KDTree

    return np.asarray(KDTree(library).query(generated)[1], np.int32)
