"""Which connection meets which: the edges of blocks whose places are known."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from helio.errors import HelioError, counted
from helio.frameworks.periodic import nearest_images


def join(
    cell: np.ndarray, connections: list[np.ndarray], nodes: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Join every connection of a node to one of a linker, so that the sum of the distances is smallest.

    Args:
        cell: (3, 3), A.
        connections: of each block, (c, 3), Cartesian, about the block's centre in the cell.
        nodes: (G,) whether each block is a node.

    Returns:
        Edges (E, 5) from node to linker, ends (E, 2) as in `Framework`, and the distances (E,), A.

    Raises:
        HelioError: there are not as many connections on nodes as on linkers.
    """
    owner = np.repeat(np.arange(len(connections)), [len(points) for points in connections])
    number = np.concatenate([np.arange(len(points)) for points in connections])
    points = np.concatenate(connections)
    left, right = np.flatnonzero(nodes[owner]), np.flatnonzero(~nodes[owner])
    if len(left) != len(right):
        raise HelioError(f"the nodes have {counted(len(left), 'connection')} and the linkers {len(right)}")
    vectors, images = nearest_images(points[right][None] - points[left][:, None], cell)
    distances = np.linalg.norm(vectors, axis=-1)
    rows, columns = linear_sum_assignment(distances)
    i, j = left[rows], right[columns]
    edges = np.column_stack([owner[i], owner[j], images[rows, columns]]).astype(np.int32)
    return edges, np.column_stack([number[i], number[j]]).astype(np.int32), distances[rows, columns]
