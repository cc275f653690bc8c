"""How a set is divided."""

from __future__ import annotations

import ase.io
import numpy as np
import pytest
from ase.build import molecule

from helio.datasets import Store
from helio.errors import HelioError
from helio.train.importing import ImportSettings, import_files
from helio.train.split import division_line, split, split_store


def test_single_structures_are_drawn_as_before():
    train, kept = split(10, train=None, validation=0.3, seed=0)
    order = np.random.default_rng(0).permutation(10)
    assert kept.tolist() == sorted(order[:3].tolist()) and train.tolist() == sorted(order[3:].tolist())
    with pytest.raises(HelioError, match="too few"):
        split(10, train=9, validation=2, seed=0)


def test_no_group_stands_on_both_sides():
    groups = np.random.default_rng(0).integers(12, size=200)
    for seed in range(5):
        train, kept = split(200, train=None, validation=0.25, seed=seed, groups=groups)
        assert sorted([*train, *kept]) == list(range(200))
        assert not {*groups[train].tolist()} & {*groups[kept].tolist()}
        assert abs(len(kept) - 50) <= 15
    train, kept = split(200, train=60, validation=0.25, seed=0, groups=groups)
    assert len(train) == 60 and not {*groups[train].tolist()} & {*groups[kept].tolist()}
    with pytest.raises(HelioError, match="one group"):
        split(5, train=None, validation=1, seed=0, groups=np.zeros(5))


@pytest.fixture
def trajectory(tmp_path):
    """A walk of water, whose neighbours are alike."""
    rng, atoms, frames = np.random.default_rng(0), molecule("H2O"), []
    for _ in range(60):
        atoms = atoms.copy()
        atoms.positions += 0.01 * rng.normal(size=(3, 3))
        frames.append(atoms)
    ase.io.write(tmp_path / "walk.extxyz", frames)
    import_files([tmp_path / "walk.extxyz"], tmp_path / "walk.h5", ImportSettings(check_units=False))
    return Store(tmp_path / "walk.h5")


def test_a_line_tells_of_neighbors_that_leak(trajectory):
    parts = split_store(trajectory, train=None, validation=0.2, seed=0)
    assert "neighbouring structures are alike" in division_line(trajectory, *parts, None)
    parts = split_store(trajectory, train=None, validation=0.2, seed=0, group_by="block:10")
    line = division_line(trajectory, *parts, "block:10")
    assert "block:10" in line and "Warning" not in line
    assert len({number // 10 for number in parts[1].tolist()}) * 10 == len(parts[1])
    with pytest.raises(HelioError, match="no groups"):
        split_store(trajectory, train=None, validation=0.2, seed=0, group_by="group")
    with pytest.raises(HelioError, match="group_by must be one of"):
        split_store(trajectory, train=None, validation=0.2, seed=0, group_by="colour")


def test_independent_structures_need_no_groups(tmp_path):
    frames = []
    for seed in range(40):
        atoms = molecule("H2O")
        atoms.rattle(0.1, seed=seed)
        frames.append(atoms)
    ase.io.write(tmp_path / "waters.extxyz", frames)
    import_files([tmp_path / "waters.extxyz"], tmp_path / "waters.h5", ImportSettings(check_units=False))
    store = Store(tmp_path / "waters.h5")
    assert "Warning" not in division_line(store, *split_store(store, train=None, validation=4, seed=0), None)
