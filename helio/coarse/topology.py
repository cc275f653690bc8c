"""What a system is, in arrays of fixed sizes that networks read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from helio.coarse.groups import Groups
from helio.coarse.system import FineSystem


class Topology(eqx.Module):
    """One system, padded; or a batch of them along a leading axis. Numbers beyond the last are nobody's."""

    types: Int[Any, " N"]
    masses: Float[Any, " N"]
    partners: Int[Any, "N P"]  # beads that each bead is bonded to; N for none
    bond_types: Int[Any, "N P"]
    members: Int[Any, "G Q"]  # beads of each group; N for none
    group_masses: Float[Any, " G"]  # zero for groups that are padding
    group_partners: Int[Any, "G R"]  # groups that few bonds lie between (`Sizes.separation`); G for none
    separations: Int[Any, "G R"]  # how many, 1 for groups that are bonded; 0 for none
    molecules: Float[Any, "M G"]  # share of the molecule's mass that each group has


@dataclass(frozen=True)
class Sizes:
    """How large the arrays of a topology are."""

    beads: int
    bonds: int  # most of a bead
    groups: int
    beads_per_group: int
    group_partners: int  # most of a group
    molecules: int
    separation: int  # bonds between partners, at most


def sizes_of(systems: Sequence[tuple[FineSystem, Groups]], *, separation: int = 1) -> Sizes:
    """The smallest sizes that all these systems fit, with partners of groups up to so many bonds away."""
    each = [
        astuple(
            Sizes(
                beads=len(system),
                bonds=_most(system.bonds, len(system)),
                groups=len(groups),
                beads_per_group=int(groups.sizes.max()),
                group_partners=_most(_related(groups, separation)[0], len(groups)),
                molecules=system.molecule_count,
                separation=separation,
            )
        )
        for system, groups in systems
    ]
    return Sizes(*map(max, zip(*each, strict=True)))


def topology(system: FineSystem, groups: Groups, sizes: Sizes, *, types: np.ndarray | None = None) -> Topology:
    """The padded arrays (of numpy) of one system; `types` replaces the numbers of its types."""
    beads = len(system)
    kinds = np.zeros(len(system.bonds), np.int32) if system.bond_types is None else system.bond_types
    partners, bond_types = _partners(system.bonds, kinds, sizes.beads, sizes.bonds)
    related = _related(groups, sizes.separation)
    group_partners, separations = _partners(*related, sizes.groups, sizes.group_partners)
    members = np.full((sizes.groups, sizes.beads_per_group), sizes.beads, np.int32)
    order = np.argsort(groups.members, kind="stable")
    first = np.concatenate([[0], np.cumsum(groups.sizes)])
    members[groups.members[order], np.arange(beads) - first[groups.members[order]]] = order
    shares = np.zeros((sizes.molecules, sizes.groups), np.float32)
    of_molecule = np.bincount(groups.molecules, groups.masses)
    shares[groups.molecules, np.arange(len(groups))] = groups.masses / of_molecule[groups.molecules]
    return Topology(
        types=_padded(system.types if types is None else types, sizes.beads, np.int32),
        masses=_padded(system.masses, sizes.beads, np.float32),
        partners=partners,
        bond_types=bond_types,
        members=members,
        group_masses=_padded(groups.masses, sizes.groups, np.float32),
        group_partners=group_partners,
        separations=separations,
        molecules=shares,
    )


def _padded(values: np.ndarray, size: int, dtype: Any) -> np.ndarray:
    return np.pad(np.asarray(values, dtype), (0, size - len(values)))


def _related(groups: Groups, separation: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of groups up to so many bonds apart (Q, 2), each once, and how many bonds (Q,)."""
    if separation == 1:
        return groups.bonds, np.ones(len(groups.bonds), np.int32)
    count = len(groups)
    bonded = csr_array((np.ones(len(groups.bonds)), groups.bonds.T), shape=(count, count))
    apart = dijkstra(bonded, directed=False, unweighted=True, limit=separation)
    pairs = np.argwhere(np.triu(np.isfinite(apart), 1))
    return pairs, apart[*pairs.T].astype(np.int32)


def _most(pairs: np.ndarray, count: int) -> int:
    """Most pairs of one of `count` ends, at least one."""
    return max(1, int(np.bincount(pairs.ravel(), minlength=count).max()))


def _partners(pairs: np.ndarray, kinds: np.ndarray, count: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Who is paired with each of `count`, and by which kind of pair, (count, width)."""
    both = np.concatenate([pairs, pairs[:, ::-1]])
    order = np.argsort(both[:, 0], kind="stable")
    ends, kind = both[order], np.concatenate([kinds, kinds])[order]
    place = np.arange(len(ends)) - np.searchsorted(ends[:, 0], ends[:, 0])
    partners, found = np.full((count, width), count, np.int32), np.zeros((count, width), np.int32)
    partners[ends[:, 0], place], found[ends[:, 0], place] = ends[:, 1], kind
    return partners, found
