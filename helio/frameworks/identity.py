"""Identity of chemical graphs: a hash that does not depend on the order of the atoms.

Weisfeiler and Leman's colour refinement: every vertex begins with its label and the labels found at every distance from
it; in each round its colour becomes the hash of its colour and the sorted colours of its neighbours. The distances tell
apart what plain refinement confuses, such as decalin and bicyclopentyl. Mirror images have the same hash.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

_ROUNDS = 6


def graph_colors(labels: Sequence[str], bonds: np.ndarray) -> list[str]:
    """Colour of each vertex; vertices that a symmetry of the graph exchanges have the same.

    Args:
        labels: of the vertices, (n,).
        bonds: pairs of vertices (b, 2); a pair given several times is a multiple bond.
    """
    neighbors: dict[int, list[int]] = defaultdict(list)
    for i, j in np.asarray(bonds).reshape(-1, 2).tolist():
        neighbors[i].append(j)
        neighbors[j].append(i)
    colors = [_digest(f"{label}|{_shells(i, labels, neighbors)}") for i, label in enumerate(labels)]
    for _ in range(_ROUNDS):
        colors = [_digest(color + "".join(sorted(colors[j] for j in neighbors[i]))) for i, color in enumerate(colors)]
    return colors


def graph_hash(labels: Sequence[str], bonds: np.ndarray) -> str:
    """Hash (16 hexadecimal digits) of a labelled graph; arguments as in `graph_colors`."""
    return _digest("".join(sorted(graph_colors(labels, bonds))))


def _shells(start: int, labels: Sequence[str], neighbors: dict[int, list[int]]) -> str:
    """The labels at each distance from `start`, sorted."""
    seen, shell, found = {start}, [start], []
    while shell:
        shell = list({j for i in shell for j in neighbors[i]} - seen)
        seen.update(shell)
        found.append(",".join(sorted(labels[j] for j in shell)))
    return ";".join(found)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
