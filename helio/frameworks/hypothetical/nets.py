"""Nets: what is joined to what, in the smallest cell that repeats."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from itertools import product
from typing import Any

import numpy as np

from helio.errors import HelioError
from helio.frameworks.hypothetical.pormake import database, pormake
from helio.frameworks.soundness import MOST_BLOCKS

# Small nets that metal nodes of pormake's database fit on.
DEFAULT_NETS = (
    "pcu acs bcu nbo dia fcu reo cds qtz lvt sod srs pts tbo pto ftw scu csq flu bor the stp rtl she soc pyr spn"
).split()

# Translations that a centred cell may hold: body, the faces, and the two settings of rhombohedral cells.
_CENTERINGS = (
    np.array([(3, 3, 3), (3, 3, 0), (3, 0, 3), (0, 3, 3), (4, 2, 2), (2, 4, 4), (2, 4, 2), (4, 2, 4)], np.float64) / 6
)


@dataclass(frozen=True, eq=False)
class Net:
    """A net for building: `direct` nets join two kinds of nodes without anything between."""

    name: str
    topology: Any  # pormake's, of the primitive cell
    direct: bool

    @property
    def blocks(self) -> int:
        """How many building blocks a framework on it has."""
        return int(self.topology.n_nodes if self.direct else self.topology.n_slots)

    @property
    def coordination(self) -> tuple[int, ...]:
        """Number of connections of each type of node."""
        return tuple(int(cn) for cn in self.topology.unique_cn)

    def local_structure(self, kind: int) -> Any:
        """Directions of the connections of a type of node (its position in `coordination`)."""
        slot = int(np.argmax(self.topology.node_types == self.topology.unique_node_types[kind]))
        return self.topology.local_structure(slot)


@cache
def read_net(name: str) -> Net:
    """A net of pormake's database in its primitive cell.

    A net of two types of nodes that join only each other is direct: metal nodes on one type, linkers with as many
    connections on the other. On any other net linkers of two connections lie on the edges.

    Raises:
        HelioError: there is no such net, it cannot be read, or it has more blocks than a framework may have.
    """
    path = database() / "topologies" / f"{name}.cgd"
    if not path.is_file():
        known = [file.stem for file in path.parent.glob("*.cgd")]
        close = get_close_matches(name, known, 4)
        raise HelioError(f"there is no net {name!r}" + (f"; did you mean {', '.join(close)}?" if close else ""))
    topology = _primitive(pormake().Topology(path))
    kinds = topology.unique_edge_types
    net = Net(name, topology, topology.n_node_types == 2 and all(a != b for a, b in kinds))
    if net.blocks > MOST_BLOCKS:
        raise HelioError(f"a framework on the net {name} has {net.blocks} blocks, and at most {MOST_BLOCKS} can be had")
    return net


def _primitive(topology: Any) -> Any:
    """The same net in a cell without further translations."""
    fractional = topology.atoms.get_scaled_positions() % 1
    tags = topology.atoms.get_tags()
    translations = [shift for shift in _CENTERINGS if _maps(fractional, tags, shift)]
    if not translations:
        return topology
    vectors = _shortest_basis(topology.atoms.cell.array, np.array(translations))
    inner = topology.atoms.positions @ np.linalg.inv(vectors)
    inner -= np.floor(inner + 1e-6)
    first = [
        i for i in range(len(inner)) if not any(tags[i] == tags[j] and _same(inner[i], inner[j]) for j in range(i))
    ]
    small = topology.copy()
    small.atoms = topology.atoms[first]
    small.atoms.info = topology.atoms.info | {"cn": [topology.atoms.info["cn"][i] for i in first]}
    small.atoms.set_cell(vectors)
    small.atoms.set_scaled_positions(inner[first])
    small.update_properties()
    return small


def _maps(fractional: np.ndarray, tags: np.ndarray, shift: np.ndarray) -> bool:
    """Whether every slot moved by `shift` falls onto one of its own type."""
    separation = (fractional + shift)[:, None] - fractional[None]
    distance = np.linalg.norm(separation - np.round(separation), axis=-1)
    return bool((distance.min(axis=1) < 1e-3).all() and (tags[distance.argmin(axis=1)] == tags).all())


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    separation = a - b
    return bool(np.linalg.norm(separation - np.round(separation)) < 1e-3)


def _shortest_basis(cell: np.ndarray, translations: np.ndarray) -> np.ndarray:
    """Three short vectors (3, 3), right-handed, that span the lattice of `cell` with the fractional `translations`."""
    whole = np.array(list(product((-1, 0, 1), repeat=3)), np.float64)
    fractional = np.concatenate([whole, *(whole + shift for shift in translations)])
    vectors = fractional @ cell
    vectors = vectors[np.argsort(np.linalg.norm(vectors, axis=1).round(6), kind="stable")]
    volume = abs(np.linalg.det(cell)) / (len(translations) + 1)
    basis: list[np.ndarray] = []
    for vector in vectors:
        trial = np.array([*basis, vector])
        if np.linalg.matrix_rank(trial, tol=1e-6) == len(trial):
            basis.append(vector)
        if len(basis) == 3:
            break
    found = np.array(basis)
    if abs(abs(np.linalg.det(found)) - volume) > 1e-3 * volume:
        raise AssertionError(f"the shortest vectors span {np.linalg.det(found)}, not {volume}")
    return found if np.linalg.det(found) > 0 else -found
