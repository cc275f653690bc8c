"""From a store of frameworks to batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import combinations
from typing import Any

import numpy as np

from helio.errors import HelioError
from helio.frameworks.framework import Framework
from helio.frameworks.library import Library
from helio.frameworks.model.block_graphs import BlockBatch, BlockGraph, block_batch, capacity
from helio.frameworks.model.diffusion import FrameworkBatch
from helio.frameworks.model.heads import MOST_BLOCKS
from helio.frameworks.model.scaling import Scales
from helio.frameworks.model.torus import cell_parameters, reduced
from helio.train.order import BatchOrder, batch_number


@dataclass(frozen=True, eq=False)
class FrameworkArrays:
    """M frameworks as arrays, each padded to the most blocks that a cell may have."""

    names: tuple[str, ...]
    fractional: np.ndarray  # (M, 20, 3), in the reduced cell
    cell: np.ndarray  # (M, 3, 3) A, reduced
    blocks: np.ndarray  # (M, 20) index into the library, 0 for padding
    mask: np.ndarray  # (M, 20)
    count: np.ndarray  # (M,)
    nodes: np.ndarray  # (M,)
    labels: np.ndarray  # (M, L) in their own units, not a number where unknown

    def __len__(self) -> int:
        return len(self.names)

    @property
    def parameters(self) -> np.ndarray:
        """Of the cells, (M, 6), A and degrees."""
        return np.stack([cell_parameters(cell) for cell in self.cell])


def framework_arrays(frameworks: Sequence[Framework], library: Library, labels: Sequence[str]) -> FrameworkArrays:
    """Frameworks of at most 20 blocks as arrays.

    Raises:
        HelioError: one has more blocks.
    """
    count = np.array([len(framework) for framework in frameworks], np.int32)
    if len(count) and count.max() > MOST_BLOCKS:
        name = frameworks[int(np.argmax(count))].name
        raise HelioError(f"{name} has {count.max()} building blocks in its cell; models take {MOST_BLOCKS} at most")
    m = len(frameworks)
    fractional, blocks = np.zeros((m, MOST_BLOCKS, 3)), np.zeros((m, MOST_BLOCKS), np.int32)
    cells = np.zeros((m, 3, 3))
    node = np.array([block.node for block in library.blocks])
    for row, framework in enumerate(frameworks):
        cells[row], fractional[row, : count[row]] = reduced(framework.cell, framework.centers)
        blocks[row, : count[row]] = framework.blocks
    mask = np.arange(MOST_BLOCKS) < count[:, None]
    values = np.array([[framework.labels.get(name, np.nan) for name in labels] for framework in frameworks])
    return FrameworkArrays(
        names=tuple(framework.name for framework in frameworks),
        fractional=fractional,
        cell=cells,
        blocks=blocks,
        mask=mask,
        count=count,
        nodes=(node[blocks] & mask).sum(axis=1).astype(np.int32),
        labels=values.reshape(m, len(labels)),
    )


def first_rows(arrays: FrameworkArrays, count: int) -> FrameworkArrays:
    """The first so many frameworks."""
    values = {each.name: getattr(arrays, each.name)[:count] for each in fields(arrays)}
    return FrameworkArrays(**values)


def padded_sizes(counts: np.ndarray, most: int) -> tuple[int, ...]:
    """At most `most` sizes to which frameworks of so many blocks are padded, such that the fewest pairs are."""
    present, number = np.unique(counts, return_counts=True)
    ways = ((*chosen, int(present[-1])) for chosen in combinations(present[:-1].tolist(), min(most, len(present)) - 1))
    return min(ways, key=lambda sizes: number @ np.array([padded_size(count, sizes) for count in present]) ** 2)


def padded_size(count: int, sizes: Sequence[int]) -> int:
    """The smallest of ascending sizes that is enough."""
    return next(size for size in sizes if size >= count)


class FrameworkBatches:
    """Shuffled batches with fresh noise for ever, or with `once` a pass in order whose noise is always the same.

    All that is drawn is a function of the seed and the number of the batch.
    """

    def __init__(
        self,
        arrays: FrameworkArrays,
        embeddings: np.ndarray,
        scales: Scales,
        *,
        latent: int,
        noise_steps: int,
        per_batch: int,
        draws: int,
        most_shapes: int,
        seed: int,
        once: bool = False,
    ) -> None:
        """Sort the frameworks by padded size; `embeddings` (library, C) are not yet standardised."""
        self._arrays, self._latent, self._noise_steps = arrays, latent, noise_steps
        self._per_batch, self._draws, self._seed, self._once = per_batch, draws, seed, once
        self._embedding = scales.embedding_in(embeddings)
        self._lattice = scales.lattice_in(arrays.parameters, arrays.count)
        self._labels = scales.labels_in(arrays.labels)
        self._sizes = padded_sizes(arrays.count, most_shapes)
        sizes = np.array([padded_size(count, self._sizes) for count in arrays.count])
        members = [np.flatnonzero(sizes == size) for size in self._sizes]
        batches = [-(-len(each) // per_batch) for each in members]
        self._order = BatchOrder(members, batches, seed=seed, shuffle=not once)
        self._number, self.waited = 0, 0.0

    @property
    def shapes(self) -> int:
        """Different shapes of batches."""
        return len(self._sizes)

    @property
    def batches_per_epoch(self) -> int:
        """Of one pass."""
        return len(self._order)

    @property
    def epoch(self) -> int:
        """Number of passes that are finished."""
        return self._number // len(self._order)

    def __iter__(self) -> Iterator[FrameworkBatch]:
        while not (self._once and self._number >= len(self._order)):
            self._number += 1
            yield self.batch(self._number - 1)

    def restart(self) -> None:
        """Begin anew."""
        self._number = 0

    def state(self) -> dict[str, Any]:
        """The position after the batches handed out so far."""
        return {"batch": self._number}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._number = batch_number(state["batch"])

    def batch(self, number: int) -> FrameworkBatch:
        """A batch by its number over all passes."""
        kind, rows = self._order.batch(number)
        size, b, d = self._sizes[kind], self._per_batch, self._draws
        real = np.arange(b) < len(rows)
        rows = np.resize(rows, b)  # padding repeats what is there
        a = self._arrays
        random = np.random.default_rng([self._seed, 1, number])
        channels = self._embedding.shape[1]
        known = np.isfinite(self._labels[rows])
        floats = {
            "fractional": a.fractional[rows, :size],
            "cell": a.cell[rows],
            "embedding": self._embedding[a.blocks[rows, :size]] * a.mask[rows, :size, None],
            "lattice": self._lattice[rows],
            "labels": np.where(known, self._labels[rows], 0.0),
            "place_noise": random.normal(size=(b, d, size, 3)),
            "embedding_noise": random.normal(size=(b, d, size, channels)),
            "latent_noise": random.normal(size=(b, self._latent)),
        }
        return FrameworkBatch(
            **{name: values.astype(np.float32) for name, values in floats.items()},
            mask=a.mask[rows, :size],
            count=a.count[rows],
            nodes=a.nodes[rows],
            known=known,
            step=random.integers(1, self._noise_steps + 1, (b, d)).astype(np.int32),
            index=rows.astype(np.int32),
            real=real,
        )


class BlockBatches:
    """Batches of blocks of a library, each seen twice with its atoms moved a little, for ever."""

    def __init__(
        self, graphs: Sequence[BlockGraph], labels: Sequence[int], *, per_batch: int, jitter: float, seed: int
    ) -> None:
        self._graphs, self._labels = list(graphs), np.array(labels, np.int32)
        self._jitter, self._seed = jitter, seed
        self._per_batch = min(per_batch, len(self._graphs))
        self._size = capacity(self._graphs, self._per_batch, copies=2)
        whole = [np.arange(len(self._graphs))]
        self._order = BatchOrder(whole, [max(1, len(self._graphs) // self._per_batch)], seed=seed, shuffle=True)
        self._number, self.waited = 0, 0.0

    @property
    def epoch(self) -> int:
        """Number of passes that are finished."""
        return self._number // len(self._order)

    def __iter__(self) -> Iterator[BlockBatch]:
        while True:
            self._number += 1
            yield self.batch(self._number - 1)

    def state(self) -> dict[str, Any]:
        """The position after the batches handed out so far."""
        return {"batch": self._number}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._number = batch_number(state["batch"])

    def batch(self, number: int) -> BlockBatch:
        """A batch by its number over all passes."""
        chosen = np.tile(self._order.batch(number)[1][: self._per_batch], 2)
        return block_batch(
            [self._graphs[i] for i in chosen],
            size=self._size,
            labels=self._labels[chosen],
            index=chosen,
            jitter=np.random.default_rng([self._seed, 2, number]),
            spread=self._jitter,
        )
