"""Predictions for many systems in padded blocks (B, N, K).

Systems of about one size share a block. Sizes come from a short ladder and lists keep the widest width that their
size has needed so far, so a whole set compiles only a few programs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import reduce
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from helio.force_field import ForceField
from helio.neighbors import Neighbors
from helio.neighbors.host import round_up
from helio.neighbors.widening import Sizes, sizes, widened
from helio.precision import Precision, numerics
from helio.prediction import Prediction, moved_back, without_padding
from helio.system import System

Tag = TypeVar("Tag")

_LADDER = (4, 8, 12, 16, 24, 32, 48, 64)
# Most molecules of a size have no wider lists than these; whoever has widens them for all that follow.
_USUAL_SHORT, _USUAL_LONG = 32, 64


def predict_many(
    force_field: ForceField,
    systems: Iterable[tuple[Tag, System]],
    *,
    precision: Precision = "float32",
    atoms_per_block: int = 512,
) -> Iterator[tuple[Tag, Prediction]]:
    """Predictions (numpy arrays, real atoms only) with the tag of their system, in an order of their own.

    Args:
        force_field: any model, in any precision.
        systems: pairs of a tag, which is handed back, and a system of host arrays that `ForceField.check` accepts;
            read as they are needed.
        precision: of the arithmetic.
        atoms_per_block: how many atoms, padding included, share a block; more need more memory.
    """
    with numerics(precision):
        force_field = force_field.astype(precision)
    blocks: dict[Any, list[tuple[Tag, System]]] = {}
    widths: dict[Any, Sizes] = {}

    def finish(key: Any) -> Iterator[tuple[Tag, Prediction]]:
        block = blocks.pop(key)
        rows, pbc, _ = key
        moved = [system.near_origin() for _, system in block]
        lists = [force_field.neighbors(system, rows=rows) for system, _ in moved]
        widths[key] = reduce(Sizes.union, map(sizes, lists), widths.get(key, _usual(rows, pbc)))
        lists = [widened(made, widths[key]) for made in lists]
        predictions = _predict_block(
            force_field, [system for system, _ in moved], lists, _block_size(rows, atoms_per_block), precision
        )
        for (tag, system), (_, taken), prediction in zip(block, moved, predictions, strict=True):
            real = without_padding(prediction, len(system))
            yield tag, moved_back(real, taken, total_charge=float(system.total_charge))

    for tag, system in systems:
        fragments = 0 if system.fragment_charges is None else len(system.fragment_charges)
        key = (_rows(len(system)), system.pbc, fragments)
        blocks.setdefault(key, []).append((tag, system))
        if len(blocks[key]) == _block_size(key[0], atoms_per_block):
            yield from finish(key)
    for key in list(blocks):
        yield from finish(key)


def _rows(count: int) -> int:
    return next((size for size in _LADDER if size >= count), round_up(count))


def _block_size(rows: int, atoms: int) -> int:
    return max(1, atoms // rows)


def _usual(rows: int, pbc: tuple[bool, bool, bool]) -> Sizes:
    if any(pbc):
        return Sizes(0, 0, 0, 0)
    short, long = min(rows, _USUAL_SHORT), min(rows, _USUAL_LONG)
    return Sizes(short, round_up(rows * short // 2), long, 0)


def _predict_block(
    force_field: ForceField, systems: list[System], lists: list[Neighbors], size: int, precision: Precision
) -> list[Prediction]:
    """One call for all systems; a block that is not full is filled up with copies of its last system."""
    rows = lists[0].short.index.shape[0]
    filling = [-1] * (size - len(systems))
    padded = [system.padded(rows) for system in systems]
    padded += [padded[i] for i in filling]
    lists = lists + [lists[i] for i in filling]
    with numerics(precision):
        system = jax.tree.map(lambda *leaves: np.stack(leaves), *padded).astype(precision)
        neighbors = jax.tree.map(lambda *leaves: jnp.asarray(np.stack(leaves)), *lists)
        prediction = jax.device_get(_predict(force_field, system, neighbors))
    return [jax.tree.map(lambda leaf, i=i: leaf[i], prediction) for i in range(len(systems))]


@eqx.filter_jit
def _predict(force_field: ForceField, system: System, neighbors: Neighbors) -> Prediction:
    return jax.vmap(force_field)(system, neighbors)
