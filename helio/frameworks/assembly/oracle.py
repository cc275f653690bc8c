"""How well assembly works: known frameworks, their rotations forgotten and found again."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from helio.errors import HelioError
from helio.frameworks.assembly.assemble import Assembled, assemble_all
from helio.frameworks.framework import Framework
from helio.frameworks.library import Library


@dataclass(frozen=True)
class Recovery:
    """What was found again of one framework."""

    name: str
    edges: float  # share of its edges
    gap: float  # A, mean distance of connections that meet
    known_gap: float  # A, likewise as the framework was given
    rmsd: float  # A, of all atoms; atoms of an element in a block may be exchanged


def forgotten(framework: Framework) -> Framework:
    """Without rotations, edges and ends."""
    return replace(
        framework,
        rotations=np.tile(np.eye(3), (len(framework), 1, 1)),
        edges=np.zeros((0, 5), np.int32),
        ends=np.zeros((0, 2), np.int32),
    )


def recovery(
    frameworks: Sequence[Framework], library: Library, *, seed: int = 0
) -> tuple[list[Recovery], list[HelioError], float]:
    """Assemble known frameworks without their rotations.

    Returns:
        What was found of each, why some could not be assembled, and the seconds it took for one on average.
    """
    from helio.frameworks.crystal import connection_gaps

    begun = time.perf_counter()
    found = assemble_all([forgotten(framework) for framework in frameworks], library, seed=seed)
    seconds = (time.perf_counter() - begun) / len(frameworks)
    pairs = zip(frameworks, found, strict=True)
    recovered = [
        Recovery(
            known.name,
            shared_edges(known, one.framework),
            one.mean_gap,
            float(connection_gaps(known, library).mean()),
            atoms_apart(known, one, library),
        )
        for known, one in pairs
        if isinstance(one, Assembled)
    ]
    return recovered, [one for one in found if isinstance(one, HelioError)], seconds


def shared_edges(known: Framework, found: Framework) -> float:
    """Share of the known edges that are found: same blocks, same image."""
    expected, got = (Counter(_edge(row) for row in one.edges.tolist()) for one in (known, found))
    return (expected & got).total() / max(1, expected.total())


def atoms_apart(known: Framework, found: Assembled, library: Library) -> float:
    """Root of the mean square distance of all atoms, A; within a block, atoms of one element may be exchanged."""
    squares: list[np.ndarray] = []
    for block, before, after in zip(known.blocks, known.rotations, found.framework.rotations, strict=True):
        own = library[block]
        apart = cdist(own.positions @ before.T, own.positions @ after.T, "sqeuclidean")
        apart[own.numbers[:, None] != own.numbers] = 1e6
        squares.append(apart[linear_sum_assignment(apart)])
    return float(np.sqrt(np.concatenate(squares).mean()))


def _edge(row: list[int]) -> tuple[int, ...]:
    """The same for both directions."""
    i, j, *image = row
    backward = (j, i, *(-part for part in image))
    return min((i, j, *image), backward)
