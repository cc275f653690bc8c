"""The connections of a framework's blocks as flat arrays, one of the nodes and one of the linkers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from helio.errors import HelioError
from helio.frameworks.framework import Framework
from helio.frameworks.library import Library


@dataclass(frozen=True)
class Sites:
    """P connections; `local` holds midpoint, tip and docking atom about the block's centre, unturned, A."""

    block: np.ndarray  # (P,) int32: block of the framework
    connection: np.ndarray  # (P,) int32: connection of that block
    local: np.ndarray  # (P, 3, 3) float64: point, tip, docking atom

    def __len__(self) -> int:
        return len(self.block)

    def placed(self, centers: np.ndarray, rotations: np.ndarray) -> np.ndarray:
        """Point, tip and docking atom of each connection in the crystal, (..., P, 3, 3), A.

        Args:
            centers: of the blocks, Cartesian (G, 3).
            rotations: (..., G, 3, 3).
        """
        turned = np.einsum("...pxy,pky->...pkx", rotations[..., self.block, :, :], self.local)
        return turned + centers[self.block][:, None]


@dataclass(frozen=True)
class Joints:
    """The two kinds of connections of a framework."""

    nodes: Sites
    linkers: Sites


def joints(framework: Framework, library: Library) -> Joints:
    """The connections of a framework.

    Raises:
        HelioError: nodes and linkers have not the same number of connections, or none.
    """
    nodes, linkers = (_sites(framework, library, node=node) for node in (True, False))
    if not len(nodes) or not len(linkers):
        raise HelioError(f"{framework.name} has no {'linker' if len(nodes) else 'node'} with a connection")
    if len(nodes) != len(linkers):
        raise HelioError(
            f"{framework.name} cannot be assembled: its nodes have {len(nodes)} connections, its linkers {len(linkers)}"
        )
    return Joints(nodes, linkers)


def _sites(framework: Framework, library: Library, *, node: bool) -> Sites:
    block, connection, local = [], [], []
    for place, index in enumerate(framework.blocks.tolist()):
        own = library[index]
        if own.node != node:
            continue
        docking = own.positions[own.docking]
        block += [place] * len(docking)
        connection += range(len(docking))
        local.append(np.stack([own.connections, 2 * own.connections - docking, docking], axis=1))
    return Sites(
        np.array(block, np.int32),
        np.array(connection, np.int32),
        np.concatenate(local) if local else np.zeros((0, 3, 3)),
    )
