"""How the bonds of a crystal connect it: its nets, and in how many dimensions each goes on."""

from __future__ import annotations

from collections import defaultdict, deque

import numpy as np

from helio.frameworks.crystal import Crystal


def nets(crystal: Crystal) -> list[tuple[int, int]]:
    """Atoms in a cell and dimensions of each connected net, the largest first.

    A walk along bonds that comes back to its atom, but in another cell, is a direction in which the net goes on; the
    dimensions are the rank of all these. A molecule has none, a layer two, a framework three.
    """
    neighbors: dict[int, list[tuple[int, np.ndarray]]] = defaultdict(list)
    for (i, j), image in zip(crystal.bonds.tolist(), crystal.images, strict=True):
        neighbors[i].append((j, image))
        neighbors[j].append((i, -image))
    place: dict[int, np.ndarray] = {}
    found = []
    for first in range(len(crystal)):
        if first in place:
            continue
        place[first] = np.zeros(3, int)
        size, cycles, queue = 1, set(), deque([first])
        while queue:
            atom = queue.popleft()
            for other, image in neighbors[atom]:
                reached = place[atom] + image
                if other not in place:
                    place[other] = reached
                    size += 1
                    queue.append(other)
                else:
                    cycles.add(tuple((reached - place[other]).tolist()))
        found.append((size, int(np.linalg.matrix_rank(np.array(sorted(cycles)))) if cycles else 0))
    return sorted(found, reverse=True)
