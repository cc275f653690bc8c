"""The cell of a net that suits the building blocks on it: pormake's scaler, without compiling a program for each.

The edge e of the net joins the nodes i and j by the vector r_e = (x_j - x_i + S_e) @ cell. Its length ought to be the
sum of the two arms of the blocks and the length of the linker, and any two edges that meet at a node ought to have the
angle of the block's arms. With r_a the vectors that leave a node and t_a the block's arms, stretched to the wanted
lengths, the sum over nodes of w_ab (r_a . r_b - t_a . t_b)^2, w = 2 for a = b and 1 else, becomes smallest in the
places x and the cell. This is pormake's objective.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy.optimize import minimize


@dataclass(frozen=True, eq=False)
class _Arms:
    """The H ends of edges at nodes, and the pairs of ends at the same node."""

    edge: np.ndarray  # (H,) which edge
    sign: np.ndarray  # (H,) +1 at the edge's first node, -1 at its second
    targets: np.ndarray  # (H, 3) the block's arm
    first: np.ndarray  # (P,) pairs of ends
    second: np.ndarray
    weights: np.ndarray


class BlockScaler:
    """Stands in for `pormake.Scaler`."""

    def scale(self, topology: Any, bbs: list, perms: list, return_result: bool = False) -> Any:
        """A copy of `topology` with cell and places that suit the located blocks `bbs`, connected as `perms` say."""
        edges = [int(e) for e in topology.edge_indices]
        ends = np.array([[neighbor.index for neighbor in topology.neighbor_list[e]] for e in edges])
        steps = np.array(
            [np.subtract(*(n.distance_vector for n in reversed(list(topology.neighbor_list[e])))) for e in edges]
        )
        cell = topology.atoms.cell.array
        places = topology.atoms.positions @ np.linalg.inv(cell)
        images = np.round(steps @ np.linalg.inv(cell) - (places[ends[:, 1]] - places[ends[:, 0]]))
        order = _ends_of_nodes(topology, edges)
        arms = _arms(topology, bbs, perms, edges, order)
        places, cell, objective = _fitted(places, cell, ends, images, arms)
        scaled = _scaled(topology, places, cell, edges, ends, images, order)
        return (scaled, SimpleNamespace(fun=objective)) if return_result else scaled


def _ends_of_nodes(topology: Any, edges: list[int]) -> dict[int, list[tuple[int, int]]]:
    """For each node, in the order of its neighbours: which edge, counted in `edges`, and which end of it."""
    rank = {e: i for i, e in enumerate(edges)}
    found = {}
    for node in map(int, topology.node_indices):
        found[node] = []
        for neighbor in topology.neighbor_list[node]:
            sums = [
                np.abs(end.distance_vector + neighbor.distance_vector).max()
                for end in topology.neighbor_list[neighbor.index]
            ]
            found[node].append((rank[int(neighbor.index)], int(np.argmin(sums))))
    return found


def _arms(topology: Any, bbs: list, perms: list, edges: list[int], order: dict[int, list[tuple[int, int]]]) -> _Arms:
    edge, sign, vectors, first, second = [], [], [], [], []
    for node, own in order.items():
        arms = (bbs[node].connection_points - bbs[node].centroid)[perms[node]]
        begin = len(edge)
        for (e, end), arm in zip(own, arms, strict=True):
            edge.append(e)
            sign.append(1 - 2 * end)
            vectors.append(arm)
        pairs = np.arange(begin, begin + len(own))
        first.append(np.repeat(pairs, len(own)))
        second.append(np.tile(pairs, len(own)))
    numbers, arms = np.array(edge), np.array(vectors)
    lengths = np.linalg.norm(arms, axis=1)
    between = np.array([0.0 if bbs[e] is None else 2 * bbs[e].lengths[0] for e in edges])
    wanted = between + np.bincount(numbers, lengths, minlength=len(edges))
    targets = arms / lengths[:, None] * wanted[numbers][:, None]
    i, j = np.concatenate(first), np.concatenate(second)
    return _Arms(numbers, np.array(sign, np.float64), targets, i, j, np.where(i == j, 2.0, 1.0))


def _fitted(
    places: np.ndarray, cell: np.ndarray, ends: np.ndarray, images: np.ndarray, arms: _Arms
) -> tuple[np.ndarray, np.ndarray, float]:
    """Places (fractional) and cell where the objective is smallest, and its value there."""
    wanted = np.einsum("px,px->p", arms.targets[arms.first], arms.targets[arms.second])
    scale = np.abs(wanted).mean()
    shape = places.shape

    def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
        inner, vectors = x[:-9].reshape(shape), x[-9:].reshape(3, 3)
        fractional = inner[ends[:, 1]] - inner[ends[:, 0]] + images
        leaving = (fractional @ vectors)[arms.edge] * arms.sign[:, None]
        error = np.einsum("px,px->p", leaving[arms.first], leaving[arms.second]) - wanted / scale
        pull = (2 * arms.weights * error / len(error))[:, None]
        d_leaving = np.zeros_like(leaving)
        np.add.at(d_leaving, arms.first, pull * leaving[arms.second])
        np.add.at(d_leaving, arms.second, pull * leaving[arms.first])
        d_edges = np.zeros((len(ends), 3))
        np.add.at(d_edges, arms.edge, d_leaving * arms.sign[:, None])
        d_inner = np.zeros(shape)
        np.add.at(d_inner, ends[:, 1], d_edges @ vectors.T)
        np.add.at(d_inner, ends[:, 0], -d_edges @ vectors.T)
        gradient = np.concatenate([d_inner.ravel(), (fractional.T @ d_edges).ravel()])
        return float((arms.weights * error**2).mean()), gradient

    start = np.concatenate([places.ravel(), cell.ravel()])
    found = minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": 1000})
    return found.x[:-9].reshape(shape), found.x[-9:].reshape(3, 3) * np.sqrt(scale), float(found.fun)


def _scaled(
    topology: Any,
    places: np.ndarray,
    cell: np.ndarray,
    edges: list[int],
    ends: np.ndarray,
    images: np.ndarray,
    order: dict[int, list[tuple[int, int]]],
) -> Any:
    positions = places @ cell
    vectors = (places[ends[:, 1]] - places[ends[:, 0]] + images) @ cell
    positions[edges] = positions[ends[:, 0]] + vectors / 2
    neighbors: list[list] = [[] for _ in range(topology.n_slots)]
    for e, (i, j), vector in zip(edges, ends, vectors, strict=True):
        neighbors[e] = [(i, -vector / 2), (j, vector / 2)]
    for node, own in order.items():
        neighbors[node] = [(edges[e], vectors[e] / 2 * (1 - 2 * end)) for e, end in own]
    scaled = topology.copy()
    scaled.atoms.set_cell(cell)
    scaled.atoms.set_positions(positions)
    scaled.neighbor_list.set_data(neighbors)
    return scaled
