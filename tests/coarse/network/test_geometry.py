"""Pairs against a loop over all of them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helio.coarse.network.geometry import lengths, pair_geometry, shortest
from helio.coarse.topology import sizes_of, topology

RADIUS = 3.0


def pairs_of(branched, box, apart: dict[tuple[int, int], int]) -> dict[tuple[int, int], tuple[np.ndarray, int]]:
    """Vector and number of bonds of every pair within the radius or with a number of bonds."""
    positions = np.asarray(branched.newest, float)
    found = {}
    for i in range(len(positions)):
        for j in range(len(positions)):
            away = positions[j] - positions[i]
            if box is not None:
                images = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3), -1).reshape(-1, 3) * np.asarray(box, float)
                away = min((away + image for image in images), key=lambda v: float(v @ v))
            if np.linalg.norm(away) <= RADIUS or (i, j) in apart:
                found[i, j] = (away, apart.get((i, j), 0))
    return found


# Bonds between groups, which form two chains: 0 - 1 - 2 and 3 - 4.
BONDED = {(0, 1): 1, (1, 2): 1, (3, 4): 1}


@pytest.mark.parametrize("columns", [0, 4])
@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("apart", [BONDED, BONDED | {(0, 2): 2}])
def test_pairs(branched, columns: int, periodic: bool, apart: dict[tuple[int, int], int]) -> None:
    box = branched.box if periodic else None
    parts = [(branched.system, branched.groups)]
    sizes = sizes_of(parts, separation=max(apart.values()))
    systems = jax.tree.map(jnp.asarray, topology(*parts[0], sizes))
    found = pair_geometry(branched.newest, systems, box, radius=RADIUS, columns=columns)
    known = pairs_of(branched, box, apart | {(j, i): bonds for (i, j), bonds in apart.items()})
    mask = np.asarray(found.pairs.mask)
    sender = np.tile(np.arange(5), (5, 1)) if found.pairs.sender is None else np.asarray(found.pairs.sender)
    listed = {(int(i), int(sender[i, k])): (int(i), int(k)) for i, k in np.argwhere(mask)}
    assert len(listed) == mask.sum() and set(listed) == set(known)
    assert not found.overflow.any()
    for pair, place in listed.items():
        np.testing.assert_allclose(found.vectors[place], known[pair][0], atol=1e-5)
        assert found.separation[place] == known[pair][1]


def test_too_few_columns_are_told(branched) -> None:
    found = pair_geometry(branched.newest, branched.topology, branched.box, radius=4.4, columns=1)
    positions, box = np.asarray(branched.newest, float), np.asarray(branched.box, float)
    away = positions[:, None] - positions
    near = np.linalg.norm(away - box * np.rint(away / box), axis=-1) <= 4.4
    bonded = np.zeros((5, 5), bool)
    for i, j in BONDED:
        bonded[i, j] = bonded[j, i] = True
    others = (near & ~bonded & ~np.eye(5, dtype=bool)).sum(axis=1)
    assert found.overflow.tolist() == (others > 1).tolist()
    assert found.overflow.any() and not found.overflow.all()


def test_shortest_is_the_nearest_image() -> None:
    box = jnp.asarray([4.0, 5.0, 6.0])
    np.testing.assert_allclose(shortest(jnp.asarray([[3.0, -2.4, 100.0]]), box), [[-1.0, -2.4, -2.0]], atol=1e-4)


def test_length_of_nothing_has_a_gradient() -> None:
    vectors = jnp.asarray([[0.0, 0.0, 0.0], [3.0, 0.0, 4.0]])
    np.testing.assert_allclose(lengths(vectors), [0, 5])
    gradient = jax.grad(lambda v: lengths(v).sum())(vectors)
    np.testing.assert_allclose(gradient, [[0, 0, 0], [0.6, 0, 0.8]], atol=1e-6)
