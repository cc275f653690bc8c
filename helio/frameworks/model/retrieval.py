"""Which blocks of the library generated embeddings stand for."""

from __future__ import annotations

import numpy as np

from helio.frameworks.library import Library
from helio.frameworks.model.embedding import nearest_blocks


def fitting_blocks(generated: np.ndarray, known: np.ndarray, library: Library) -> np.ndarray:
    """The blocks nearest to the embeddings among those that together have no connection left over.

    In an assembled framework every connection of a node meets one of a linker. The nearest block of each embedding
    alone rarely adds up to that; here the sum of squared distances is the least of all choices that do, found by
    dynamic programming over the connections of nodes less those of linkers. Where no choice does, as for a single
    block, the nearest are taken.

    Args:
        generated: (N, C) of one framework, standardised.
        known: (blocks, C) of the library, likewise.
        library: the blocks.

    Returns:
        (N,) numbers of blocks, int32.
    """
    kinds = _kinds(library)
    distances = ((generated[:, None] - known[None]) ** 2).sum(axis=-1)
    best = np.array([[row[members].min() for _, members in kinds] for row in distances])  # (N, kinds)
    middle = len(generated) * max(abs(own) for own, _ in kinds)
    costs = np.full(2 * middle + 1, np.inf)  # of each sum so far
    costs[middle] = 0.0
    chosen = []
    for row in best:
        choices = np.array([_moved(costs, own) + cost for (own, _), cost in zip(kinds, row, strict=True)])
        chosen.append(choices.argmin(axis=0))
        costs = choices.min(axis=0)
    if not np.isfinite(costs[middle]):
        return nearest_blocks(generated, known)
    found, place = np.zeros(len(generated), np.int32), middle
    for site in reversed(range(len(generated))):
        own, members = kinds[chosen[site][place]]
        found[site] = members[distances[site, members].argmin()]
        place -= own
    return found


def _kinds(library: Library) -> list[tuple[int, np.ndarray]]:
    """Blocks by their number of connections, which counts below zero for linkers."""
    kinds: dict[int, list[int]] = {}
    for number, block in enumerate(library.blocks):
        if len(block.connections):
            kinds.setdefault(len(block.connections) * (1 if block.node else -1), []).append(number)
    return [(own, np.array(members)) for own, members in sorted(kinds.items())]


def _moved(costs: np.ndarray, by: int) -> np.ndarray:
    """The costs of sums that are larger by so much; those that would leave the array are out of reach."""
    moved = np.full_like(costs, np.inf)
    if by >= 0:
        moved[by:] = costs[: len(costs) - by]
    else:
        moved[:by] = costs[-by:]
    return moved
