"""The building blocks of pormake's database, as `Block`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from helio.frameworks.block import Block, make_block
from helio.frameworks.elements import is_metal
from helio.frameworks.hypothetical.pormake import database, pormake
from helio.frameworks.soundness import odd, unfit

_DOCKING = (6, 7)  # elements that blocks may be joined by
_LARGEST_BEND = 45.0  # degrees; pormake joins blocks along lines from their centres, and strains the bonds of bent ones


@dataclass(frozen=True, eq=False)
class NamedBlock:
    """A block of the database with pormake's own form of it."""

    name: str
    block: Block
    original: Any  # pormake's BuildingBlock


def nodes(connections: int) -> list[NamedBlock]:
    """Blocks with metal and so many connections."""
    return [named for named in known_blocks(connections) if named.block.node]


def linkers(connections: int) -> list[NamedBlock]:
    """Blocks without metal and so many connections."""
    return [named for named in known_blocks(connections) if not named.block.node]


@cache
def known_blocks(connections: int) -> tuple[NamedBlock, ...]:
    """All blocks of so many connections, of sound chemistry (`odd`), joined by carbon or nitrogen and not bent."""
    found = (read_block(name) for name, count in _connections().items() if count == connections)
    return tuple(named for named in found if named is not None)


@cache
def _connections() -> dict[str, int]:
    """Number of connections of each block in the database, by name, sorted."""
    files = sorted((database() / "bbs").glob("*.xyz"))
    return {file.stem: len(file.read_text().split("\n", 2)[1].split()) for file in files}


@cache
def read_block(name: str) -> NamedBlock | None:
    """One block of the database, or None where it is no sound one."""
    path = database() / "bbs" / f"{name}.xyz"
    size, indices = path.read_text().splitlines()[:2]
    if not indices.split() or int(size) > 220:  # pormake cannot read the first, and the others are too large anyway
        return None
    original = pormake().BuildingBlock(path)
    block = block_of(original)
    if block is None or unfit(block) or odd(block) or _bend(block) > _LARGEST_BEND:
        return None
    if not np.isin(block.numbers[block.docking], _DOCKING).all():
        return None
    return NamedBlock(path.stem, block, original)


def _bend(block: Block) -> float:
    """Largest angle between a bond that leaves the block and the line from its centre to the middle, degrees."""
    bonds = block.connections - block.positions[block.docking]
    cosines = np.einsum("cx,cx->c", bonds, block.connections)
    cosines /= np.linalg.norm(bonds, axis=1) * np.linalg.norm(block.connections, axis=1)
    return float(np.degrees(np.arccos(np.clip(cosines, -1, 1))).max())


def block_of(original: Any) -> Block | None:
    """Pormake's block in Helio's form, atoms in the same order; None where a connection has not exactly one bond."""
    symbols = np.array(original.atoms.get_chemical_symbols())
    inner = np.flatnonzero(symbols != "X")
    order = np.full(len(symbols), -1)
    order[inner] = np.arange(len(inner))
    bonds = np.asarray(original.bonds).reshape(-1, 2)
    docking = []
    for point in original.connection_point_indices:
        partners = [order[j if i == point else i] for i, j in bonds.tolist() if point in (i, j)]
        if len(partners) != 1 or partners[0] < 0:
            return None
        docking.append(partners[0])
    numbers = original.atoms.numbers[inner]
    return make_block(
        numbers,
        original.atoms.positions[inner],
        order[bonds[(order[bonds] >= 0).all(axis=1)]],
        original.connection_points,
        np.array(docking),
        node=bool(is_metal(numbers).any()),
    )
