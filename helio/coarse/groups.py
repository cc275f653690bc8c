"""Groups of beads, made from the bonds by METIS, and what follows for positions.

The centre of group g is R_g = sum_i m_i r_i / sum_i m_i over its members i. Every molecule of n beads is cut into
round(n / beads per group) groups, at least one, so no group joins two molecules. Each group is connected by bonds and
as equal in size as that allows: METIS' k-way partition with contiguous parts (Karypis and Kumar, SIAM J. Sci. Comput.
20, 359 (1998)). Molecules with the same bonds are cut in the same way.
"""

from __future__ import annotations

import equinox as eqx
import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from helio.coarse.system import FineSystem
from helio.errors import HelioError
from helio.packages import need


class Groups(eqx.Module):
    """G groups of the N beads of a system (host arrays)."""

    members: Int[np.ndarray, " N"]  # the group of each bead; of lower molecules come first
    masses: Float[np.ndarray, " G"]
    bonds: Int[np.ndarray, "Q 2"]  # groups that a bond joins, each pair once, i < j
    molecules: Int[np.ndarray, " G"]

    def __len__(self) -> int:
        return len(self.masses)

    @property
    def sizes(self) -> np.ndarray:
        """Number of beads in each group, (G,)."""
        return np.bincount(self.members)


def make_groups(system: FineSystem, *, beads_per_group: float, seed: int = 0) -> Groups:
    """Cut each molecule into groups of about `beads_per_group` beads; the same for the same seed.

    Raises:
        HelioError: fewer than one bead per group, or METIS is missing.
    """
    if not beads_per_group >= 1:
        raise HelioError(f"groups need at least one bead each, not {beads_per_group:g}")
    order = np.argsort(system.molecules, kind="stable")
    sizes = np.bincount(system.molecules)
    first = np.concatenate([[0], np.cumsum(sizes)])
    place = np.empty(len(system), int)
    place[order] = np.arange(len(system)) - first[system.molecules[order]]
    bonds = system.bonds[np.argsort(system.molecules[system.bonds[:, 0]], kind="stable")]
    begin = np.searchsorted(system.molecules[bonds[:, 0]], np.arange(len(sizes) + 1))
    known: dict[tuple[int, bytes], np.ndarray] = {}
    members, count = np.empty(len(system), np.int32), 0
    for molecule, size in enumerate(sizes):
        local = place[bonds[begin[molecule] : begin[molecule + 1]]]
        key = (int(size), local.tobytes())
        if key not in known:
            known[key] = _parts(int(size), local, max(1, round(size / beads_per_group)), seed)
        members[order[first[molecule] : first[molecule + 1]]] = known[key] + count
        count += int(known[key].max()) + 1
    return groups_of(system, members)


def groups_of(system: FineSystem, members: np.ndarray) -> Groups:
    """Groups with these members, (N,), numbered from 0.

    Raises:
        HelioError: a group joins two molecules, or numbers are left out.
    """
    members = np.asarray(members, np.int32)
    present, first = np.unique(members, return_index=True)
    if members.shape != (len(system),) or not np.array_equal(present, np.arange(len(present))):
        raise HelioError(f"groups give each of the {len(system)} beads a number from 0 on, none left out")
    molecules = system.molecules[first]
    if (molecules[members] != system.molecules).any():
        bead = int(np.flatnonzero(molecules[members] != system.molecules)[0])
        raise HelioError(
            f"group {members[bead]} joins molecules {molecules[members[bead]]} and {system.molecules[bead]}"
        )
    ends = np.sort(members[system.bonds], axis=1)
    return Groups(
        members=members,
        masses=np.bincount(members, system.masses),
        bonds=np.unique(ends[ends[:, 0] != ends[:, 1]], axis=0).astype(np.int32).reshape(-1, 2),
        molecules=molecules,
    )


def mapping_matrix(system: FineSystem, groups: Groups) -> csr_array:
    """The matrix (G, N) that turns positions of beads into mass-weighted centres of groups; its rows sum to one."""
    weights = system.masses / groups.masses[groups.members]
    return csr_array((weights, (groups.members, np.arange(len(system)))), shape=(len(groups), len(system)))


def centers(system: FineSystem, groups: Groups, positions: np.ndarray) -> np.ndarray:
    """Mass-weighted centres (T, G, 3) of groups, of unwrapped positions (T, N, 3)."""
    frames = len(positions)
    beside = np.moveaxis(positions, 1, 0).reshape(len(system), frames * 3).astype(np.float64, copy=False)
    return np.moveaxis((mapping_matrix(system, groups) @ beside).reshape(len(groups), frames, 3), 0, 1)


def radii_of_gyration(system: FineSystem, positions: np.ndarray) -> np.ndarray:
    """Mass-weighted radius of gyration (T, M) of every molecule, of unwrapped positions (T, N, 3)."""
    whole = groups_of(system, system.molecules)
    away = positions - centers(system, whole, positions)[:, system.molecules]
    squares = (away * away).sum(axis=2)
    return np.sqrt(np.maximum((mapping_matrix(system, whole) @ squares.T).T, 0))


def _parts(size: int, bonds: np.ndarray, count: int, seed: int) -> np.ndarray:
    """The part of each of the beads of one molecule, (n,), parts in the order of their first beads."""
    if count == 1:
        return np.zeros(size, np.int32)
    pymetis = need("pymetis", extra="coarse")
    neighbors: list[list[int]] = [[] for _ in range(size)]
    for i, j in bonds.tolist():
        neighbors[i].append(j)
        neighbors[j].append(i)
    options = pymetis.Options(seed=seed, contig=1)
    parts = np.asarray(pymetis.part_graph(count, neighbors, recursive=False, options=options)[1])
    parts = _connected(parts, bonds)
    _, first, inverse = np.unique(parts, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].astype(np.int32)


def _connected(parts: np.ndarray, bonds: np.ndarray) -> np.ndarray:
    """The parts (n,) of a connected graph, made connected, which METIS promises but does not always keep.

    As long as parts are in pieces, the smallest piece, the largest of each part not counted, goes to the smallest part
    that it is bonded to.
    """
    parts = parts.copy()
    while True:
        inside = bonds[parts[bonds[:, 0]] == parts[bonds[:, 1]]]
        graph = csr_array((np.ones(len(inside)), inside.T), shape=(len(parts), len(parts)))
        piece = connected_components(graph, directed=False)[1]
        sizes, owner = np.bincount(piece), np.zeros(piece.max() + 1, int)
        owner[piece] = parts
        by_size = np.argsort(sizes, kind="stable")
        largest = dict(zip(owner[by_size].tolist(), by_size.tolist(), strict=True))
        loose = [own for own in by_size.tolist() if largest[owner[own]] != own]
        if not loose:
            return parts
        there = piece[bonds] == loose[0]
        beside = parts[bonds[there[:, ::-1] & ~there]]
        parts[piece == loose[0]] = min(np.unique(beside), key=lambda part: np.sum(parts == part))
