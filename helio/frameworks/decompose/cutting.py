"""Cutting the bonds between building blocks."""

from __future__ import annotations

import numpy as np
from ase.data import chemical_symbols

from helio.errors import HelioError
from helio.frameworks.block import Block, make_block
from helio.frameworks.crystal import Crystal
from helio.frameworks.framework import Framework
from helio.frameworks.periodic_graph import Fragments, fragments
from helio.frameworks.soundness import MOST_BLOCKS, unfit

_LEAST_SEPARATION = 1.0  # A, between the centres of blocks


def check_connected(crystal: Crystal) -> None:
    """Refuse what is no framework alone.

    Raises:
        HelioError: nothing in it is infinite, or molecules lie inside.
    """
    parts = fragments(len(crystal), crystal.bonds, crystal.images)
    if not (parts.ranks > 1).any():
        raise HelioError("nothing in it goes on in two or three directions: no framework")
    for part in np.flatnonzero(parts.ranks < 2):
        kind = "molecule" if parts.ranks[part] == 0 else "chain"
        symbols = [chemical_symbols[number] for number in crystal.numbers[parts.member == part]]
        formula = "".join(f"{s}{symbols.count(s) if symbols.count(s) > 1 else ''}" for s in sorted(set(symbols)))
        raise HelioError(f"solvent inside: a {kind} of {formula} is bonded to nothing else; remove it first")


def cut(crystal: Crystal, cuts: np.ndarray, node: np.ndarray) -> tuple[Framework, list[Block]]:
    """Blocks, and the framework that they make up: block g of the framework is blocks[g], not turned.

    Args:
        crystal: with its bonds.
        cuts: (B,) which bonds to cut; each becomes an edge, its midpoint a connection of both blocks.
        node: (N,) whether each atom belongs to a node.

    Raises:
        HelioError: a block is infinite, unfit (`unfit`) or bonded to one of its kind, or there are too many blocks.
    """
    parts = fragments(len(crystal), crystal.bonds[~cuts], crystal.images[~cuts])
    if parts.ranks.any():
        raise HelioError("a building block is infinite: rods and sheets have no connection points")
    if len(parts) > MOST_BLOCKS:
        raise HelioError(f"it has {len(parts)} building blocks in its primitive cell, more than {MOST_BLOCKS}")
    kinds = np.array([bool(node[parts.member == part].all()) for part in range(len(parts))])
    first, second = parts.member[crystal.bonds[cuts]].T
    if (kinds[first] == kinds[second]).any():
        raise HelioError("two building blocks of the same kind, nodes or linkers, are joined directly")
    return _assembled(crystal, cuts, parts, kinds)


def _assembled(
    crystal: Crystal, cuts: np.ndarray, parts: Fragments, kinds: np.ndarray
) -> tuple[Framework, list[Block]]:
    bonds, images = crystal.bonds[cuts], crystal.images[cuts]
    flip = ~kinds[parts.member[bonds[:, 0]]]  # edges go from nodes to linkers
    bonds = np.where(flip[:, None], bonds[:, ::-1], bonds)
    images = np.where(flip[:, None], -images, images)
    i, j = bonds.T
    whole = crystal.positions + parts.shifts @ crystal.cell
    vectors = crystal.positions[j] + images @ crystal.cell - crystal.positions[i]
    middles = {"i": whole[i] + vectors / 2, "j": whole[j] - vectors / 2}
    # In whole blocks, the neighbour of atom i lies this many cells from where its own block was unwrapped to.
    reach = images + parts.shifts[i] - parts.shifts[j]
    ends = np.zeros((len(bonds), 2), np.int32)
    blocks, centers = [], np.zeros((len(parts), 3))
    for part in range(len(parts)):
        side, atoms = ("i", i) if kinds[part] else ("j", j)
        own = np.flatnonzero(parts.member[atoms] == part)
        ends[own, 0 if kinds[part] else 1] = np.arange(len(own))
        block = _block(
            crystal, whole, parts.member == part, ~cuts, middles[side][own], atoms[own], node=bool(kinds[part])
        )
        if reason := unfit(block):
            raise HelioError(reason)
        blocks.append(block)
        centers[part] = middles[side][own].mean(axis=0)
    fractional = centers @ np.linalg.inv(crystal.cell)
    wraps = np.floor(fractional + 1e-9).astype(int)  # what rounding puts below zero stays there
    a, b = parts.member[i], parts.member[j]
    edges = np.column_stack([a, b, reach + wraps[b] - wraps[a]]).astype(np.int32)
    framework = Framework(
        name=crystal.name,
        cell=crystal.cell,
        centers=np.maximum(fractional - wraps, 0.0),
        blocks=np.arange(len(parts), dtype=np.int32),
        rotations=np.tile(np.eye(3), (len(parts), 1, 1)),
        edges=edges,
        ends=ends,
    )
    _check_separation(framework)
    return framework, blocks


def _block(
    crystal: Crystal,
    whole: np.ndarray,
    own: np.ndarray,
    uncut: np.ndarray,
    connections: np.ndarray,
    docking: np.ndarray,
    *,
    node: bool,
) -> Block:
    if not len(connections):
        raise HelioError("a building block is joined to no other: solvent or a guest")
    atoms = np.flatnonzero(own)
    bonds = crystal.bonds[uncut & own[crystal.bonds[:, 0]]]
    return make_block(
        crystal.numbers[atoms],
        whole[atoms],
        np.searchsorted(atoms, bonds),
        connections,
        np.searchsorted(atoms, docking),
        node=node,
    )


def _check_separation(framework: Framework) -> None:
    from helio.frameworks.periodic import nearest_images

    i, j = np.triu_indices(len(framework), 1)
    vectors, _ = nearest_images((framework.centers[j] - framework.centers[i]) @ framework.cell, framework.cell)
    if len(i) and np.linalg.norm(vectors, axis=1).min() < _LEAST_SEPARATION:
        raise HelioError(f"two building blocks have their centres within {_LEAST_SEPARATION:g} A")
