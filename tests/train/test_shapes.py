"""Sizes of batches: little padding, few shapes, everybody in."""

from __future__ import annotations

import numpy as np
import pytest

from helio.errors import HelioError
from helio.train.shapes import MOST_SHAPES, BatchLimits, Sizes, classes, waste


def mixed_set(count: int, seed: int = 0) -> Sizes:
    """Molecules of 3 to 60 atoms and complexes around 100 atoms."""
    rng = np.random.default_rng(seed)
    small = rng.integers(3, 60, size=count - count // 5)
    atoms = np.concatenate([small, rng.integers(80, 120, size=count // 5)])
    pairs = (atoms * rng.uniform(5.0, 8.0, size=count)).astype(int)
    return Sizes(atoms, pairs, np.minimum(atoms - 1, 30))


@pytest.mark.parametrize(("structures", "atoms", "blocks"), [(32, None, 1), (64, 1024, 1), (32, None, 8)])
def test_little_padding_with_few_shapes(structures, atoms, blocks):
    sizes, limits = mixed_set(6000), BatchLimits(structures, atoms, blocks)
    found = classes(sizes, limits)
    assert len(found) <= MOST_SHAPES
    np.testing.assert_array_equal(np.sort(np.concatenate(found)), np.arange(6000))
    result = waste([sizes.of(members) for members in found], limits)
    assert max(result) < 0.15
    for members in found:
        most = int(sizes.atoms[members].max())
        number, each = limits.batches(len(members), most)
        assert number * each >= len(members) and each % blocks == 0 and each <= structures
        assert atoms is None or each * most <= atoms


def test_one_size_is_one_shape():
    sizes = Sizes(np.full(1000, 9), np.full(1000, 36), np.full(1000, 8))
    (members,) = classes(sizes, BatchLimits(128))
    assert len(members) == 1000
    assert BatchLimits(128).batches(1000, 9) == (8, 125)  # even batches instead of a last one that is nearly empty


def test_the_best_first_cut():
    """Of two clearly different sizes, against all cuts."""
    atoms = np.array([5] * 40 + [6] * 30 + [30] * 20 + [31] * 50)
    first, second = classes(Sizes(atoms, atoms * 4, atoms - 1), BatchLimits(4))
    assert set(atoms[first]) == {5, 6} and set(atoms[second]) == {30, 31}


def test_classes_are_no_smaller_than_need_be():
    """Rare sizes join others as long as the padding stays small."""
    atoms = np.concatenate([np.full(500, 20), np.full(500, 21), [22]])
    sizes = Sizes(atoms, atoms * 6, np.full(1001, 19))
    assert len(classes(sizes, BatchLimits(64))) == 1


@pytest.mark.parametrize(("structures", "atoms", "blocks"), [(0, None, 1), (8, 0, 1), (9, None, 4)])
def test_impossible_limits(structures, atoms, blocks):
    with pytest.raises(HelioError):
        BatchLimits(structures, atoms, blocks)
