"""Batches of a store: streamed by grain, shuffled, and taken up again where they were left.

A batch is a function of its number alone: the order of structures comes from the seed and the number of the pass, the
rest from the store. So a position is one number, whatever the workers did ahead of it.
"""

from __future__ import annotations

import sys
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from jaxtyping import Float

from helio.datasets.store import Store
from helio.errors import HelioError
from helio.neighbors import host_list, round_up
from helio.packages import need
from helio.train.assembly import BatchContent, assemble
from helio.train.batches import Batch
from helio.train.order import BatchOrder, batch_number
from helio.train.shapes import MOST_SHAPES, BatchLimits, Shape, Sizes, Waste, classes, pair_places, waste

# Batches that are ready before they are asked for, in each worker and here.
_AHEAD = 2
# Structures of a periodic class whose long lists are made to find how wide they are.
_PROBES = 16


class Loader:
    """An endless, or finite, row of batches. See `helio.train` for what may be relied on."""

    def __init__(
        self,
        store: Store,
        indices: np.ndarray,
        *,
        short_cutoff: float,
        structures_per_batch: int,
        long_cutoff: float | None = None,
        atoms_per_batch: int | None = None,
        seed: int = 0,
        shuffle: bool = True,
        epochs: int | None = None,
        blocks: int = 1,
        host: tuple[int, int] = (0, 1),
        reference_energies: Float[np.ndarray, "L Z"] | None = None,
        level_weights: Mapping[str, float] | None = None,
        source_weights: Mapping[str, float] | None = None,
        workers: int = 0,
        most_shapes: int = MOST_SHAPES,
        place: Callable[[Batch], Batch] = lambda batch: batch,
    ) -> None:
        """Choose the sizes of batches and start with the first one.

        Args:
            store: the data.
            indices: numbers of the structures that are used.
            short_cutoff: in A, of the network.
            structures_per_batch: the most structures of a batch, over all hosts; a multiple of `blocks`.
            long_cutoff: in A, of the long-range terms of periodic structures; others have none.
            atoms_per_batch: the most atoms of a batch, padding included: large structures come in smaller batches.
            seed: of the order.
            shuffle: whether to shuffle at all.
            epochs: number of passes; None for no end.
            blocks: the number of structures in a batch is a multiple of it.
            host: which rows of each batch are made here: (number, how many hosts).
            reference_energies: in eV, taken off the labels: `helio.train.reference_energies`.
            level_weights: by level of theory, 1 where not named.
            source_weights: by source, 1 where not named.
            workers: processes that make batches; 0 makes them in a thread, which suffices for CPUs.
            most_shapes: of batches, of structures periodic in the same directions: fewer mean more padding.
            place: applied to each batch ahead of its use, in a thread of its own, as to send it to a device.

        Raises:
            HelioError: no structures, limits that do not fit together, a periodic structure without `long_cutoff`,
                weights for names that the store does not have.
        """
        indices = np.unique(np.asarray(indices, np.int64))
        store.check(indices)
        content = BatchContent(
            short_cutoff,
            long_cutoff,
            reference_energies,
            _weights(store.levels, level_weights or {}, "level of theory"),
            _weights(store.sources, source_weights or {}, "source"),
        )
        limits = BatchLimits(structures_per_batch, atoms_per_batch, blocks, most_shapes)
        if blocks % host[1] or not 0 <= host[0] < host[1]:
            raise HelioError(f"{blocks} blocks of a batch cannot be shared by {host[1]} hosts")
        plan = _plan(store, indices, limits, content)
        order = BatchOrder(plan.members, plan.batches, seed=seed, shuffle=shuffle)
        self._source = _Source(store, order, plan.shapes, content, host, epochs)
        self._workers, self._place, self._waste = workers, place, plan.waste
        self._identity = {"data": _digest(store, indices, plan.shapes), "seed": seed, "shuffle": shuffle}
        self.waited = 0.0  # seconds
        self.shapes = plan.shapes
        self._position = 0
        self._running: list[Any] = []  # an iterator of grain, or nothing
        weakref.finalize(self, _end, self._running)  # also before the program ends, when grain could no longer

    @property
    def batches_per_epoch(self) -> int:
        """Batches in a pass over all structures."""
        return len(self._source.order)

    @property
    def epoch(self) -> int:
        """Number of passes that are finished."""
        return self._position // self.batches_per_epoch

    def __iter__(self) -> Loader:
        return self

    def __next__(self) -> Batch:
        if self._position >= len(self._source):
            raise StopIteration
        start = time.perf_counter()
        if not self._running:
            self._running.append(self._begin(self._position))
        batch = next(self._running[0])
        self.waited += time.perf_counter() - start
        self._position += 1
        return batch

    def state(self) -> dict[str, Any]:
        """The position after the batches that were handed out, as plain values."""
        return {"batch": self._position} | self._identity

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on after a position.

        Raises:
            HelioError: the position is one in other data, or in another order.
        """
        changed = [name for name, value in self._identity.items() if state.get(name) != value]
        if changed:
            raise HelioError(
                f"the data loader cannot go on where it was left: other {' and '.join(changed)} than before; restore "
                "the former data and settings, or start anew"
            )
        self.close()
        self._position = batch_number(state["batch"])

    def restart(self) -> None:
        """Begin with the first batch again."""
        self.close()
        self._position = 0

    def waste(self) -> Waste:
        """Shares of padding among atoms, pairs and structures of a pass."""
        return self._waste

    def close(self) -> None:
        """Stop the workers; the next batch starts them again."""
        _end(self._running)

    def _begin(self, position: int) -> Any:
        grain = _grain()
        batches = grain.MapDataset.source(self._source)[position:]
        threads = grain.ReadOptions(num_threads=1, prefetch_buffer_size=_AHEAD)
        stream = batches.to_iter_dataset(threads)
        if self._workers:
            # Through pipes: shared memory of batches under way is not freed where a stream is closed (grain 0.2.18).
            options = grain.experimental.DatasetOptions(min_shm_size=sys.maxsize)
            processes = grain.MultiprocessingOptions(num_workers=self._workers, per_worker_buffer_size=_AHEAD)
            stream = grain.experimental.WithOptionsIterDataset(stream, options).mp_prefetch(processes)
        placed = stream.map(self._place)
        return iter(grain.experimental.ThreadPrefetchIterDataset(placed, prefetch_buffer_size=_AHEAD))


def _end(running: list[Any]) -> None:
    """Stop what runs, and let go of it."""
    while running:
        running.pop().close()


@dataclass
class _Source:
    """Batches by number, as grain asks for them; sent to workers."""

    store: Store
    order: BatchOrder
    shapes: list[Shape]
    content: BatchContent
    host: tuple[int, int]
    epochs: int | None

    def __len__(self) -> int:
        return sys.maxsize // 2 if self.epochs is None else self.epochs * len(self.order)

    def __getitem__(self, number: int) -> Batch:
        kind, members = self.order.batch(number)
        shape = self.shapes[kind]
        own = shape.structures // self.host[1]
        rows = slice(self.host[0] * own, (self.host[0] + 1) * own)
        return assemble(self.store, members, shape, self.content, rows)


@dataclass(frozen=True)
class _Plan:
    """Classes of structures and the shapes of their batches."""

    members: list[np.ndarray]
    batches: list[int]
    shapes: list[Shape]
    waste: Waste


def _plan(store: Store, indices: np.ndarray, limits: BatchLimits, content: BatchContent) -> _Plan:
    pairs, columns = store.pair_counts(content.short_cutoff)
    sizes = Sizes(store.atoms[indices], np.asarray(pairs[indices]), np.asarray(columns[indices]))
    periodic = np.asarray(store.rows("periodic")[indices])
    members, batches, shapes, parts = [], [], [], []
    for kind in np.unique(periodic, axis=0):
        a, b, c = (bool(value) for value in kind)
        group = np.flatnonzero((periodic == kind).all(axis=1))
        for inside in classes(sizes.of(group), limits):
            part = sizes.of(group[inside])
            number, each = limits.batches(len(inside), int(part.atoms.max()))
            own = indices[group[inside]]
            members.append(own)
            batches.append(number)
            parts.append(part)
            shapes.append(_shape(store, own, part, each, (a, b, c), content.long_cutoff))
    return _Plan(members, batches, shapes, waste(parts, limits))


def _shape(
    store: Store, members: np.ndarray, sizes: Sizes, each: int, pbc: tuple[bool, bool, bool], cutoff: float | None
) -> Shape:
    atoms = int(sizes.atoms.max())
    long = max(1, atoms - 1)
    if any(pbc):
        if cutoff is None:
            raise HelioError("some structures are periodic: these need a long-range cutoff in A")
        # A list that turns out wider makes its batch wider.
        probes = members[np.argsort(-sizes.pairs / sizes.atoms, kind="stable")[:_PROBES]]
        long = round_up(max(_long_columns(store, int(number), cutoff) for number in probes))
    columns = max(1, min(round_up(int(sizes.columns.max())), atoms - 1)) if not any(pbc) else int(sizes.columns.max())
    return Shape(each, atoms, pair_places(int(sizes.pairs.max())), max(1, columns), long, pbc)


def _long_columns(store: Store, number: int, cutoff: float) -> int:
    system = store.system(number)
    made = host_list(system.positions, system.cell, system.pbc, cutoff=cutoff, half=False)
    return int((np.asarray(made.index) < len(system)).sum(axis=1).max())


def _weights(names: tuple[str, ...], given: Mapping[str, float], kind: str) -> Float[np.ndarray, " L"]:
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise HelioError(f"a weight is given for the {kind} {unknown[0]!r}, but the data have {', '.join(names)}")
    return np.array([float(given.get(name, 1.0)) for name in names])


def _digest(store: Store, indices: np.ndarray, shapes: list[Shape]) -> str:
    state = blake2b(store.content.encode(), digest_size=16)
    state.update(indices.tobytes())
    state.update(repr([tuple(shape) for shape in shapes]).encode())
    return state.hexdigest()


def _grain() -> Any:
    grain = need("grain", extra="train")
    from absl import flags

    if not flags.FLAGS.is_parsed():  # grain reads its flags, which only programs built on absl parse
        flags.FLAGS.mark_as_parsed()
    return grain
