"""Lists of many molecules at once are those that are made one by one."""

from __future__ import annotations

import numpy as np
import pytest

from helio.neighbors import host_list
from helio.train.small_lists import small_lists


@pytest.mark.parametrize("seed", range(4))
def test_same_as_host_lists(seed, monkeypatch):
    monkeypatch.setattr("helio.train.small_lists._AT_ONCE", 2000)  # in several parts
    rng = np.random.default_rng(seed)
    counts = [20, 13, 1, 2, 7]
    positions = np.zeros((5, 20, 3))
    numbers = np.zeros((5, 20), np.int32)
    for row, count in enumerate(counts):
        positions[row, :count] = rng.uniform(-3, 3, size=(count, 3))
        numbers[row, :count] = 6
    made = small_lists(positions, numbers, cutoff=4.5, columns=19, pairs=190)
    for row, count in enumerate(counts):
        one = host_list(positions[row, :count], np.eye(3), (False, False, False), cutoff=4.5, rows=20)
        width = min(19, one.index.shape[1])
        np.testing.assert_array_equal(made.index[row, :, :width], one.index[:, :width])
        assert (made.index[row, :, width:] == 20).all()
        assert pairs(np.asarray(made.index[row]), np.asarray(made.half)[row]) == pairs(one.index, one.half)


def pairs(index, half) -> list[tuple[int, int]]:
    """Each pair that is named, in any order of its two atoms."""
    rows = half[half[:, 0] < 20]
    assert (np.diff(rows[:, 0]) >= 0).all()
    return sorted((min(i, int(index[i, k])), max(i, int(index[i, k]))) for i, k in rows.tolist())
