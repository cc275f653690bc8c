"""Pair distributions of an ideal gas and a lattice; contact maps of rods and of random coils."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import maxwell

from helio.coarse.evaluation.contacts import bond_length, contact_error, contact_map
from helio.coarse.evaluation.pair_distribution import pair_distribution, pair_distribution_error
from helio.errors import HelioError

BOX = np.array([6.0, 7.0, 8.0])


def test_ideal_gas():
    """G(r) = 1 at all distances, whichever image of the box a particle is in."""
    random = np.random.default_rng(0)
    frames = random.random((300, 40, 3)) * BOX
    far = frames + BOX * random.integers(-3, 4, (300, 40, 3))
    first, second = np.arange(15), np.arange(15, 40)
    for one, other in ((first, second), (second, second)):
        found = pair_distribution(far, one, other, BOX, reach=3.0, bins=20)
        pulls = (found.g - 1)[3:] / found.error[3:]
        assert np.abs(pulls).max() < 5 and found.error[10] < 0.05
        assert np.allclose(found.g, pair_distribution(frames, one, other, BOX, reach=3.0, bins=20).g)


def test_cubic_lattice():
    """6 neighbours at 1, 12 at sqrt 2, 8 at sqrt 3, 6 at 2: integrals of g over each."""
    grid = np.stack(np.meshgrid(*[np.arange(6)] * 3), axis=-1).reshape(1, -1, 3).astype(float)
    edges, all_of_it = np.full((10, 3), 6.0), np.arange(216)
    found = pair_distribution(np.tile(grid, (10, 1, 1)), all_of_it, all_of_it, edges, reach=2.6, bins=130)
    width = found.r[1] - found.r[0]
    shells = 4 / 3 * np.pi * ((found.r + width / 2) ** 3 - (found.r - width / 2) ** 3)
    numbers = found.g * shells * 215 / 216
    for distance, count in ((1, 6), (2**0.5, 12), (3**0.5, 8), (2, 6), (5**0.5, 24)):
        near = np.abs(found.r - distance) < 0.03
        assert numbers[near].sum() == pytest.approx(count)
    assert numbers.sum() == pytest.approx(6 + 12 + 8 + 6 + 24 + 24)


def test_molecules_are_left_out():
    random = np.random.default_rng(1)
    first = random.random((50, 10, 3)) * BOX
    dumbbells = np.concatenate([first, first + np.array([0.3, 0, 0])], axis=1)
    molecules, everything = np.tile(np.arange(10), 2), np.arange(20)
    inside = pair_distribution(dumbbells, everything, everything, BOX, reach=3.0, bins=30)
    between = pair_distribution(dumbbells, everything, everything, BOX, reach=3.0, bins=30, molecules=molecules)
    assert inside.g[2:4].max() > 5 * between.g[2:4].max()
    assert pair_distribution_error(inside, inside) == 0 < pair_distribution_error(inside, between)


def test_pairs_that_cannot_be():
    centers = np.zeros((10, 4, 3))
    with pytest.raises(HelioError, match=r"3\.5 is beyond half of the box, 3"):
        pair_distribution(centers, np.arange(2), np.arange(2, 4), BOX, reach=3.5)
    with pytest.raises(HelioError, match="no pairs"):
        pair_distribution(centers, np.array([1]), np.array([1]), BOX, reach=2.0)


def test_contacts_of_a_rod():
    rod = np.zeros((5, 6, 3))
    rod[:, :, 0] = 1.5 * np.arange(6)
    rod[3:, 5, 0] = 1.5  # in two of five frames the end is folded back
    found = contact_map(rod, cutoff=2.0)
    assert found[0, 1] == 1 and found[0, 2] == 0 and found[4, 5] == 0.6 and found[1, 5] == 0.4
    assert np.array_equal(found, found.T) and (np.diag(found) == 1).all()
    folded = contact_map(rod, cutoff=2.0, box=np.full(3, 9.0))
    assert folded[0, 5] == 1.0  # by way of the boundary, or folded back


def test_contacts_of_a_random_coil():
    """Of Gaussian bonds, the chance of a contact of beads n bonds apart is that of a Maxwell distribution."""
    coil = np.cumsum(np.random.default_rng(2).normal(size=(20_000, 5, 3)), axis=1)
    bonds = np.column_stack([np.arange(4), np.arange(1, 5)])
    assert bond_length(coil, bonds) == pytest.approx(3**0.5, rel=0.01)
    found = contact_map(coil, cutoff=1.5)
    for apart in (1, 2, 4):
        exact = float(maxwell.cdf(1.5, scale=apart**0.5))
        assert found[0, apart] == pytest.approx(exact, abs=4 * (exact / 20_000) ** 0.5)
    shifted = np.clip(found + 0.1, 0, None)
    shifted[bonds[:, 0], bonds[:, 1]] += 1
    assert contact_error(shifted, found, bonds) == pytest.approx(0.1)
    assert np.isnan(contact_error(np.eye(2), np.eye(2), np.array([[0, 1]])))
    with pytest.raises(HelioError, match="give the distance of a contact"):
        bond_length(coil, np.empty((0, 2), int))
