"""Building one hypothetical framework with pormake."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.spatial.transform import Rotation

from helio.errors import HelioError
from helio.frameworks.block import Block
from helio.frameworks.contacts import LEAST_BOND, LONGEST_BOND, room
from helio.frameworks.crystal import Crystal, crystal_of
from helio.frameworks.elements import radii
from helio.frameworks.framework import Framework
from helio.frameworks.hypothetical.blocks import NamedBlock, read_block
from helio.frameworks.hypothetical.locating import BlockLocator
from helio.frameworks.hypothetical.nets import read_net
from helio.frameworks.hypothetical.plan import Recipe
from helio.frameworks.hypothetical.pormake import pormake
from helio.frameworks.hypothetical.scaling import BlockScaler
from helio.frameworks.joining import join
from helio.frameworks.library import Library
from helio.frameworks.periodic import reduced

LARGEST_GAP = 0.5  # A, between two connections that meet
_PLENTY = 1.2  # of the least distances: nothing comes near anything else
_TURNS = 12  # angles that a linker with two connections is tried at about its axis


@dataclass(frozen=True, eq=False)
class Built:
    """A framework whose block g is `library[g]`: mirror images that pormake used are blocks of their own."""

    framework: Framework
    library: Library


def build(recipe: Recipe) -> Built:
    """Build a framework.

    Raises:
        HelioError: its connections do not meet, its atoms overlap at every turn of its linkers, or pormake fails.
    """
    net = read_net(recipe.net)
    kinds = dict(zip(net.topology.unique_node_types.tolist(), recipe.nodes, strict=True))
    on_nodes = {kind: _sound(name).original for kind, name in kinds.items()}
    linker = _sound(recipe.linker).original if recipe.linker else None
    between = {tuple(map(int, kind)): linker for kind in net.topology.unique_edge_types}
    builder = pormake().Builder(locator=BlockLocator(), scaler=BlockScaler())
    made = builder.build_by_type(net.topology, on_nodes, between)
    located = [bb for bb in made.info["located_bbs"] if bb is not None]
    cell = reduced(made.info["topology"].atoms.cell.array)
    names = [kinds[t] for t in net.topology.node_types[net.topology.node_indices].tolist()]
    names += [recipe.linker] * (len(located) - len(names)) if recipe.linker else []
    return turned(_framework(recipe.name, cell, located, [_sound(name).block for name in names], names))


def _sound(name: str) -> NamedBlock:
    found = read_block(name)
    if found is None:
        raise HelioError(f"pormake's block {name} is not sound")
    return found


def _framework(name: str, cell: np.ndarray, located: list, blocks: list[Block], names: list[str]) -> Built:
    placed, rotations = [], []
    for bb, block in zip(located, blocks, strict=True):
        inner = bb.atoms.get_atomic_numbers() > 0
        points = np.concatenate([bb.atoms.positions[inner], bb.connection_points]) - bb.centroid
        own = np.concatenate([block.positions, block.connections])
        rotation, deviation = _rotation(own, points)
        if deviation > 0.01:  # pormake turned it over, which no rotation does
            block = mirrored(block)
            rotation, deviation = _rotation(-own, points)
        placed.append(block)
        rotations.append(rotation)
    centers = np.array([bb.centroid for bb in located]) @ np.linalg.inv(cell)
    centers = (centers - np.floor(centers)) % 1.0
    ends = [
        block.connections @ rotation.T + center
        for block, rotation, center in zip(placed, rotations, centers @ cell, strict=True)
    ]
    edges, which, gaps = join(cell, ends, np.array([block.node for block in placed]))
    if gaps.max() > LARGEST_GAP:
        raise HelioError(f"connections do not meet within {LARGEST_GAP:g} A")
    framework = Framework(
        name=name,
        cell=cell,
        centers=centers,
        blocks=np.arange(len(placed), dtype=np.int32),
        rotations=np.array(rotations),
        edges=edges,
        ends=which,
        labels={"connection_gap": float(gaps.mean())},
    )
    flipped = [block is not original for block, original in zip(placed, blocks, strict=True)]
    full = [name + " mirrored" if flip else name for name, flip in zip(names, flipped, strict=True)]
    return Built(framework, Library(tuple(placed), tuple(full)))


@cache
def mirrored(block: Block) -> Block:
    """The mirror image of a block; the same object for the same block."""
    return Block(block.numbers, -block.positions, block.bonds, -block.connections, block.docking, block.node)


def _rotation(own: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, float]:
    """The rotation that takes `own` closest to `points`, and the largest distance left, A."""
    left, _, right = np.linalg.svd(points.T @ own)
    rotation = left @ np.diag([1, 1, np.sign(np.linalg.det(left @ right))]) @ right
    return rotation, float(np.linalg.norm(own @ rotation.T - points, axis=1).max())


def turned(built: Built) -> Built:
    """With linkers of two connections turned about their axes, all alike, where atoms overlap.

    Raises:
        HelioError: atoms overlap, or bonds between blocks have no lengths of bonds, at every turn.
    """
    best, most = built, -np.inf
    for turn in range(_TURNS):
        trial = built if turn == 0 else Built(_turn(built, 2 * np.pi * turn / _TURNS), built.library)
        crystal = crystal_of(trial.framework, trial.library)
        contact = room(crystal) if _joins_well(crystal, len(trial.framework.edges)) else 0.0
        if contact > most:
            best, most = trial, contact
        if most > _PLENTY:
            break
    if most < 1:
        raise HelioError("atoms overlap, or bonds between blocks are too short or too long")
    return best


def _joins_well(crystal: Crystal, edges: int) -> bool:
    """Whether the last bonds of a crystal, those between blocks, have the lengths of bonds."""
    i, j = crystal.bonds[-edges:].T
    lengths = np.linalg.norm(crystal.bond_vectors[-edges:], axis=1)
    ratios = lengths / (radii(crystal.numbers[i]) + radii(crystal.numbers[j]))
    return bool((ratios > LEAST_BOND).all() and (ratios < LONGEST_BOND).all())


def _turn(built: Built, angle: float) -> Framework:
    framework = built.framework
    rotations = framework.rotations.copy()
    for g, block in enumerate(built.library.blocks):
        if len(block.connections) == 2:
            axis = rotations[g] @ (block.connections[1] - block.connections[0])
            rotations[g] = Rotation.from_rotvec(angle * axis / np.linalg.norm(axis)).as_matrix() @ rotations[g]
    return Framework(**{**vars(framework), "rotations": rotations})
