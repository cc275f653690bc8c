"""Split of covalent frameworks: nodes are the units where three or more branches meet, linkers what lies between.

A unit is a system of fused rings, or an atom outside of rings. Units that end in nothing (side groups, hydrogen) belong
to the unit that they hang on. What is left has branches that all lead on: a unit with two is part of a linker, one with
three or more is a node. Nodes that are joined directly are one node, as the two carbon atoms of tetraphenylethylene,
unless that makes them infinite; then they are nodes and linkers in turn, those with more branches the nodes.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from helio.errors import HelioError
from helio.frameworks.crystal import Crystal
from helio.frameworks.periodic_graph import fragments, ring_bonds

_LARGEST_RING = 18  # vertices: porphyrins have an inner ring of 16, and pores are wider


def branching_split(crystal: Crystal) -> tuple[np.ndarray, np.ndarray]:
    """Which bonds to cut (B,) and which atoms belong to nodes (N,).

    Raises:
        HelioError: there is no unit with three branches, or nodes are joined in a way that does not split.
    """
    bonds, images = crystal.bonds, crystal.images
    rings = ring_bonds(len(crystal), bonds, images, largest=_LARGEST_RING)
    units = fragments(len(crystal), bonds[rings], images[rings])
    if units.ranks.any():
        raise HelioError("its fused rings go on for ever: no nodes and linkers")
    steps = images + units.shifts[bonds[:, 0]] - units.shifts[bonds[:, 1]]
    joins = (units.member[bonds[:, 0]] != units.member[bonds[:, 1]]) | steps.any(axis=1)
    unit, joins, degrees = _without_ends(units.member, bonds, joins)
    branching = degrees[unit] >= 3
    if not branching.any():
        raise HelioError("no part of it has three branches: no nodes")
    i, j = bonds.T
    cuts = joins & (branching[i] != branching[j])
    direct = joins & branching[i] & branching[j]
    if direct.any():
        branching, more = _direct(crystal, unit, branching, degrees, cuts, direct)
        cuts = cuts | more
    if not cuts.any():
        raise HelioError("its nodes are joined by no linker")
    return cuts, branching


def _without_ends(unit: np.ndarray, bonds: np.ndarray, joins: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Units (N,) after those with one branch have become part of the unit that they hang on, again and again.

    Returns:
        The unit of each atom, which bonds (B,) still join units, and the number of branches of each unit.
    """
    joins, owner = joins.copy(), np.arange(int(unit.max()) + 1)
    while True:
        pairs = unit[bonds[joins]]
        degrees = np.bincount(pairs.ravel(), minlength=len(owner))
        ends = np.flatnonzero((degrees[pairs] == 1).any(axis=1))
        if not len(ends):
            return owner[unit], joins, degrees
        for a, b in pairs[ends].tolist():
            end, other = (a, b) if degrees[a] == 1 else (b, a)
            owner[owner == owner[end]] = owner[other]
        joins[np.flatnonzero(joins)[ends]] = False


def _direct(
    crystal: Crystal,
    unit: np.ndarray,
    branching: np.ndarray,
    degrees: np.ndarray,
    cuts: np.ndarray,
    direct: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Nodes (N,) and further cuts (B,) where nodes are joined to nodes."""
    bonds, images = crystal.bonds, crystal.images
    kept = ~cuts & branching[bonds[:, 0]] & branching[bonds[:, 1]]
    if not fragments(len(crystal), bonds[kept], images[kept]).ranks.any():
        return branching, np.zeros(len(bonds), bool)  # finite: they are one node
    color = _two_colors(unit, bonds[direct], len(degrees))
    nodes = {side: degrees[color == side].max(initial=0) for side in (0, 1)}
    linker = 0 if nodes[0] < nodes[1] else 1
    return branching & (color[unit] != linker), direct


def _two_colors(unit: np.ndarray, bonds: np.ndarray, count: int) -> np.ndarray:
    """0 or 1 for each unit that a bond names, so that no bond joins two of a kind; -1 for others."""
    neighbors: list[list[int]] = [[] for _ in range(count)]
    for i, j in unit[bonds].tolist():
        neighbors[i].append(j)
        neighbors[j].append(i)
    color = np.full(count, -1)
    for start in range(count):
        if color[start] >= 0 or not neighbors[start]:
            continue
        color[start] = 0
        queue = deque([start])
        while queue:
            i = queue.popleft()
            for j in neighbors[i]:
                if color[j] == color[i]:
                    raise HelioError("its nodes are joined directly and not in turn with others")
                if color[j] < 0:
                    color[j] = 1 - color[i]
                    queue.append(j)
    return color
