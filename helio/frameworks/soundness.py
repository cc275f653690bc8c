"""What makes a building block unfit: for a library at all, or for building with."""

from __future__ import annotations

import numpy as np
from ase.data import chemical_symbols
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import pdist, squareform

from helio.frameworks.block import Block
from helio.frameworks.contacts import least_distances

MOST_ATOMS = 200  # connections included, and the further limits: the published data set's
MOST_CONNECTIONS = 20
MOST_BLOCKS = 20
_LEAST_DISTANCE = 0.25  # A
_LONGEST_BOND = 5.0  # A

# Fewest and most bonds of an atom in a sound block, connections included.
_COORDINATION = {1: (1, 1), 6: (2, 4), 7: (1, 4), 8: (1, 4), 9: (1, 1)}
_LEAST_ANGLE = 150.0  # degrees, of a carbon atom with two bonds: below, a hydrogen atom is missing


def unfit(block: Block) -> str | None:
    """Why a block cannot be in a library, or None where it can."""
    size, connections = len(block) + len(block.connections), len(block.connections)
    if size > MOST_ATOMS:
        return f"a building block has {size} atoms and connections, more than {MOST_ATOMS}"
    if connections == 0:
        return "a building block is joined to no other: solvent or a guest"
    if connections > MOST_CONNECTIONS:
        return f"a building block has {connections} connections, more than {MOST_CONNECTIONS}"
    if len(block) > 1 and pdist(block.positions).min() < _LEAST_DISTANCE:
        return f"two atoms of a building block are closer than {_LEAST_DISTANCE} A"
    lengths = np.linalg.norm(block.positions[block.bonds[:, 0]] - block.positions[block.bonds[:, 1]], axis=1)
    if len(lengths) and lengths.max() > _LONGEST_BOND:
        return f"a bond of a building block is longer than {_LONGEST_BOND:g} A"
    if _fragments(block) > 1:
        return "a building block falls apart"
    return None


def odd(block: Block) -> str | None:
    """Why a block makes no sound chemistry, or None where it does: numbers of bonds, missing atoms, contacts."""
    degrees = np.bincount(np.concatenate([block.bonds.ravel(), block.docking]), minlength=len(block))
    for number, degree in zip(block.numbers.tolist(), degrees.tolist(), strict=True):
        fewest, most = _COORDINATION.get(number, (1, 20))
        if not fewest <= degree <= most:
            return f"{chemical_symbols[number]} with {degree} bonds"
    for atom in np.flatnonzero((block.numbers == 6) & (degrees == 2)):
        if _angle(block, int(atom)) < _LEAST_ANGLE:
            return "a bent carbon atom with two bonds"
    distances = squareform(pdist(block.positions)) if len(block) > 1 else np.zeros((1, 1))
    least = least_distances(block.numbers[:, None], block.numbers[None])
    apart = ~np.eye(len(block), dtype=bool)
    apart[block.bonds[:, 0], block.bonds[:, 1]] = apart[block.bonds[:, 1], block.bonds[:, 0]] = False
    return "atoms that overlap" if (apart & (distances < least)).any() else None


def _angle(block: Block, atom: int) -> float:
    """Between the two bonds of an atom, degrees; bonds to connections included."""
    partners = [block.positions[j if i == atom else i] for i, j in block.bonds.tolist() if atom in (i, j)]
    ends = np.array(partners + [block.connections[c] for c in np.flatnonzero(block.docking == atom)])
    vectors = ends - block.positions[atom]
    cosine = vectors[0] @ vectors[1] / np.prod(np.linalg.norm(vectors, axis=1))
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def _fragments(block: Block) -> int:
    graph = coo_array((np.ones(len(block.bonds)), block.bonds.T), shape=(len(block), len(block)))
    return connected_components(graph, directed=False, return_labels=False)
