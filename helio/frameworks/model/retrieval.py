"""Which blocks of the library generated embeddings stand for."""

from __future__ import annotations

import numpy as np

from helio.frameworks.library import Library
from helio.frameworks.model.embedding import nearest_blocks
from helio.frameworks.model.proportions import Proportions, reach


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


def uniform_blocks(
    generated: np.ndarray,
    known: np.ndarray,
    library: Library,
    proportions: Proportions,
    *,
    volume: float,
    nodes: int | None = None,
) -> np.ndarray | None:
    """One kind of node and one of linker for all embeddings of a framework, with no connection left over.

    Of all pairs of kinds, n nodes of a connections and N - n linkers of b with n a = (N - n) b, and of all ways to give
    the places to them, that with the least sum of squared distances and of the misfit of the pair's size to the cell.

    Args:
        generated: (N, C) of one framework, standardised.
        known: (blocks, C) of the library, likewise.
        library: the blocks.
        proportions: which nets are known, and how large their cells are.
        volume: of the cell, A^3.
        nodes: n that is wanted; where no pair has it, any n is taken.

    Returns:
        (N,) numbers of blocks, int32; None where no pair fits.
    """
    count, ways = len(generated), np.array([len(block.connections) for block in library.blocks])
    node = np.array([block.node for block in library.blocks])
    first, second = np.flatnonzero(node & (ways > 0)), np.flatnonzero(~node & (ways > 0))
    top, both = count * ways[second][None], ways[first][:, None] + ways[second][None]
    needed = np.where(top % both == 0, top // both, 0)  # n of every pair, 0 where none fits
    allowed = (needed > 0) & (needed < count)
    reaches = np.array([reach(block) if len(block.connections) else 0.0 for block in library.blocks])
    pairs = np.stack(np.broadcast_arrays(ways[first][:, None], ways[second][None]), axis=-1)
    misfit = proportions.misfit(count, pairs, reaches[first][:, None] + reaches[second][None], volume)
    if (allowed & np.isfinite(misfit)).any():
        allowed &= np.isfinite(misfit)
    else:
        misfit = np.zeros_like(misfit)
    if nodes is not None and (allowed & (needed == nodes)).any():
        allowed &= needed == nodes
    if not allowed.any():
        return None
    distances = ((generated[:, None] - known[None]) ** 2).sum(axis=-1)
    gain = distances[:, first, None] - distances[:, None, second]  # of a node instead of a linker, (N, A, B)
    summed = np.cumsum(np.sort(gain, axis=0), axis=0)
    best = np.take_along_axis(summed, np.maximum(needed - 1, 0)[None], axis=0)[0] + distances[:, second].sum(axis=0)
    best = best + np.where(allowed, misfit, 0.0)
    a, b = np.unravel_index(np.argmin(np.where(allowed, best, np.inf)), best.shape)
    found = np.full(count, second[b], np.int32)
    found[np.argsort(gain[:, a, b], kind="stable")[: needed[a, b]]] = first[a]
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
