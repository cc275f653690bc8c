"""From structures of a store to one batch of numpy arrays, with lists made by vesin."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from ase.data import atomic_masses
from jaxtyping import Float

from helio.datasets.labels import LABELS
from helio.datasets.store import NAMES, Store
from helio.neighbors import NeighborList, Neighbors, host_list, round_up
from helio.system import System
from helio.train.batches import Batch, Known, Labels
from helio.train.shapes import Shape
from helio.train.small_lists import MOST_ATOMS, small_lists


@dataclass(frozen=True)
class BatchContent:
    """What goes into a batch besides the structures."""

    short_cutoff: float  # A
    long_cutoff: float | None  # A; for structures that are periodic
    reference_energies: Float[np.ndarray, "L Z"] | None  # eV, of a level of theory and an element
    level_weights: Float[np.ndarray, " L"]
    source_weights: Float[np.ndarray, " S"]


def assemble(store: Store, members: np.ndarray, shape: Shape, content: BatchContent, rows: slice) -> Batch:
    """The `rows` of a batch of these structures of one class; places left over repeat the first structure."""
    real = (np.arange(shape.structures) < len(members))[rows]
    members = np.resize(members, shape.structures)[rows]
    system, parts = _system(store, members, shape)
    level, source = store.rows("level")[members], store.rows("source")[members]
    weight = content.level_weights[level] * content.source_weights[source] * real
    labels, known = _labels(store, members, shape.atoms, parts, real)
    if content.reference_energies is not None:
        free = content.reference_energies[level[:, None], system.atomic_numbers].sum(axis=1)
        labels["energy"] = np.where(known["energy"], labels["energy"] - free, 0)
    return Batch(
        system=system,
        neighbors=_neighbors(system, parts, shape, content),
        labels=Labels(**labels),
        known=Known(**known),
        weight=weight,
        level=np.asarray(level, np.int32),
        source=np.asarray(source, np.int32),
        index=np.asarray(members, np.int32),
        real=real,
    )


def _system(store: Store, members: np.ndarray, shape: Shape) -> tuple[System, list[slice]]:
    """Padded structures, and where the atoms of each stand in the store."""
    first = store.rows("first_atom")
    parts = [slice(int(first[number]), int(first[number + 1])) for number in members]
    numbers = np.zeros((len(members), shape.atoms), np.int32)
    positions = np.zeros((len(members), shape.atoms, 3))
    for row, part in enumerate(parts):
        numbers[row, : part.stop - part.start] = store.rows("atomic_numbers")[part]
        positions[row, : part.stop - part.start] = store.rows("positions")[part]
    system = System(
        positions=positions,
        atomic_numbers=numbers,
        masses=np.where(numbers > 0, atomic_masses[numbers], 1),
        cell=np.array(store.rows("cell")[members]),
        total_charge=np.array(store.rows("charge")[members]),
        unpaired_electrons=np.array(store.rows("unpaired_electrons")[members]),
        pbc=shape.pbc,
    )
    return system, parts


def _labels(
    store: Store, members: np.ndarray, atoms: int, parts: list[slice], real: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    flags = np.asarray(store.rows("known")[members], bool) & real[:, None]
    known = {name: flags[:, place].copy() for place, name in enumerate(NAMES)}
    labels = {}
    for name, kind in LABELS.items():
        values = np.zeros((len(members), *kind.full_shape(atoms)))
        column = store.column(name)
        if column is not None and not kind.per_atom:
            values[known[name]] = column[members[known[name]]]
        elif column is not None:
            for row in np.flatnonzero(known[name]):
                values[row, : parts[row].stop - parts[row].start] = column[parts[row]]
        labels[name] = values
    return labels, known


def _neighbors(system: System, parts: list[slice], shape: Shape, content: BatchContent) -> Neighbors:
    counts = [part.stop - part.start for part in parts]
    if any(shape.pbc):
        long = _joined(_lists(system, counts, content.long_cutoff, half=False), shape.atoms, shape.long_columns, 0)
    else:
        long = _everyone_each(counts, shape)
    if any(shape.pbc) or shape.atoms > MOST_ATOMS:
        lists = _lists(system, counts, content.short_cutoff, half=True)
        return Neighbors(short=_joined(lists, shape.atoms, shape.columns, shape.pairs), long=long)
    short = small_lists(
        system.positions,
        system.atomic_numbers,
        cutoff=content.short_cutoff,
        columns=shape.columns,
        pairs=shape.pairs,
    )
    return Neighbors(short=short, long=long)


def _lists(system: System, counts: list[int], cutoff: float | None, *, half: bool) -> list[NeighborList]:
    rows = system.positions.shape[1]
    return [
        host_list(system.positions[row, :count], system.cell[row], system.pbc, cutoff=cutoff, rows=rows, half=half)
        for row, count in enumerate(counts)
    ]


def _everyone_each(counts: list[int], shape: Shape) -> NeighborList:
    """The long lists of structures that are not periodic."""
    index = np.full((len(counts), shape.atoms, shape.long_columns), shape.atoms, np.int32)
    for row, count in enumerate(counts):
        index[row, :count, : count - 1] = _others(count)
    overflow = np.zeros(len(counts), bool)
    return NeighborList(index=index, shift=None, half=None, overflow=overflow)  # pyright: ignore


@lru_cache(maxsize=512)
def _others(count: int) -> np.ndarray:
    """All other atoms of each of `count` atoms, (N, N - 1)."""
    others = np.arange(count - 1)[None, :]
    return np.asarray(others + (others >= np.arange(count)[:, None]), np.int32)


def _joined(lists: list[NeighborList], atoms: int, columns: int, pairs: int) -> NeighborList:
    """One list with a leading axis; as wide as was planned, or as any list needs that is wider."""
    columns = _enough(columns, [_filled_columns(one, atoms) for one in lists])
    index = np.full((len(lists), atoms, columns), atoms, np.int32)
    shift = None if lists[0].shift is None else np.zeros((*index.shape, 3), np.int16)
    half = None
    if lists[0].half is not None:
        counts = [int(np.count_nonzero(np.asarray(one.half)[:, 0] < atoms)) for one in lists]
        half = np.zeros((len(lists), _enough(pairs, counts), 2), np.int32)
        half[:, :, 0] = atoms
        for row, (one, count) in enumerate(zip(lists, counts, strict=True)):
            half[row, :count] = np.asarray(one.half)[:count]
    for row, one in enumerate(lists):
        width = min(columns, one.index.shape[1])  # beyond, all places are free
        index[row, :, :width] = one.index[:, :width]
        if shift is not None:
            shift[row, :, :width] = np.asarray(one.shift)[:, :width]
    overflow = np.zeros(len(lists), bool)
    return NeighborList(index=index, shift=shift, half=half, overflow=overflow)  # pyright: ignore


def _filled_columns(one: NeighborList, atoms: int) -> int:
    """The longest row; rows are filled from the left."""
    return int((np.asarray(one.index) < atoms).sum(axis=1).max())


def _enough(planned: int, needed: list[int]) -> int:
    most = max(needed)
    return planned if most <= planned else round_up(most)
