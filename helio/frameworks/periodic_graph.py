"""The bond graph of a crystal: its fragments, how each is unwrapped, and in how many directions it goes on for ever."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Fragments:
    """Connected parts of a periodic graph."""

    member: np.ndarray  # (N,) number of the fragment of each vertex, counted from 0
    shifts: np.ndarray  # (N, 3) int: a fragment's vertices moved by these cells lie beside their bonded neighbours
    ranks: np.ndarray  # (fragments,) in how many directions each is infinite, 0 for molecules

    def __len__(self) -> int:
        return len(self.ranks)


def fragments(count: int, bonds: np.ndarray, images: np.ndarray) -> Fragments:
    """Walk along the bonds, from each vertex to the image that the bond reaches.

    Where a walk comes back to a vertex in another image, the fragment repeats in that direction; the number of
    independent ones is its rank.

    Args:
        count: N, the number of vertices.
        bonds: pairs of vertices (B, 2).
        images: cells that the second vertex of each is moved by, (B, 3).
    """
    neighbors: list[list[tuple[int, np.ndarray]]] = [[] for _ in range(count)]
    for (i, j), image in zip(bonds.tolist(), np.asarray(images), strict=True):
        neighbors[i].append((j, image))
        neighbors[j].append((i, -image))
    member, shifts = np.full(count, -1), np.zeros((count, 3), int)
    ranks = []
    for start in range(count):
        if member[start] >= 0:
            continue
        member[start] = len(ranks)
        loops, queue = [], deque([start])
        while queue:
            i = queue.popleft()
            for j, image in neighbors[i]:
                shift = shifts[i] + image
                if member[j] < 0:
                    member[j], shifts[j] = len(ranks), shift
                    queue.append(j)
                elif (loop := shift - shifts[j]).any():
                    loops.append(loop)
        ranks.append(int(np.linalg.matrix_rank(np.unique(loops, axis=0))) if loops else 0)
    return Fragments(member, shifts, np.array(ranks, int))


def ring_bonds(count: int, bonds: np.ndarray, images: np.ndarray, *, largest: int) -> np.ndarray:
    """Which bonds (B,) lie in a ring of at most `largest` vertices that closes on itself and not on an image."""
    neighbors: list[list[tuple[int, int, int, int]]] = [[] for _ in range(count)]
    for (i, j), (x, y, z) in zip(bonds.tolist(), np.asarray(images).tolist(), strict=True):
        neighbors[i].append((j, x, y, z))
        neighbors[j].append((i, -x, -y, -z))
    found = np.zeros(len(bonds), bool)
    for b, ((i, j), image) in enumerate(zip(bonds.tolist(), np.asarray(images).tolist(), strict=True)):
        goal, start = (j, *image), (i, 0, 0, 0)
        seen, shell = {start}, [start]
        for _ in range(largest - 1):
            reached = []
            for place in shell:
                for k, x, y, z in neighbors[place[0]]:
                    to = (k, place[1] + x, place[2] + y, place[3] + z)
                    if (place == start and to == goal) or to in seen:
                        continue
                    seen.add(to)
                    reached.append(to)
            shell = reached
            if goal in seen:
                found[b] = True
                break
    return found
