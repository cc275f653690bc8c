"""Pairs against a loop over all of them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helio.coarse.network.geometry import lengths, pair_geometry, shortest

RADIUS = 3.0


def pairs_of(branched, box) -> dict[tuple[int, int], tuple[np.ndarray, bool]]:
    """Vector, and whether bonded, of every pair within the radius or bonded."""
    positions = np.asarray(branched.newest, float)
    bonds = {(i, j) for a, b in branched.groups.bonds.tolist() for i, j in ((a, b), (b, a))}
    found = {}
    for i in range(len(positions)):
        for j in range(len(positions)):
            away = positions[j] - positions[i]
            if box is not None:
                images = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3), -1).reshape(-1, 3) * np.asarray(box, float)
                away = min((away + image for image in images), key=lambda v: float(v @ v))
            if np.linalg.norm(away) <= RADIUS or (i, j) in bonds:
                found[i, j] = (away, (i, j) in bonds)
    return found


@pytest.mark.parametrize("columns", [0, 4])
@pytest.mark.parametrize("periodic", [False, True])
def test_pairs(branched, columns: int, periodic: bool) -> None:
    box = branched.box if periodic else None
    found = pair_geometry(branched.newest, branched.topology, box, radius=RADIUS, columns=columns)
    known = pairs_of(branched, box)
    mask = np.asarray(found.pairs.mask)
    sender = np.tile(np.arange(5), (5, 1)) if found.pairs.sender is None else np.asarray(found.pairs.sender)
    listed = {(int(i), int(sender[i, k])): (int(i), int(k)) for i, k in np.argwhere(mask)}
    assert len(listed) == mask.sum() and set(listed) == set(known)
    assert not found.overflow
    for pair, place in listed.items():
        np.testing.assert_allclose(found.vectors[place], known[pair][0], atol=1e-5)
        assert bool(found.bonded[place]) == known[pair][1]


def test_too_few_columns_are_told(branched) -> None:
    found = pair_geometry(branched.newest, branched.topology, branched.box, radius=4.4, columns=1)
    assert found.overflow


def test_shortest_is_the_nearest_image() -> None:
    box = jnp.asarray([4.0, 5.0, 6.0])
    np.testing.assert_allclose(shortest(jnp.asarray([[3.0, -2.4, 100.0]]), box), [[-1.0, -2.4, -2.0]], atol=1e-4)


def test_length_of_nothing_has_a_gradient() -> None:
    vectors = jnp.asarray([[0.0, 0.0, 0.0], [3.0, 0.0, 4.0]])
    np.testing.assert_allclose(lengths(vectors), [0, 5])
    gradient = jax.grad(lambda v: lengths(v).sum())(vectors)
    np.testing.assert_allclose(gradient, [[0, 0, 0], [0.6, 0, 0.8]], atol=1e-6)
