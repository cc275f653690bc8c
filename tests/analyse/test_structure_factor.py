"""Structure factors of a gas, of a crystal and of molecules that are known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from helio.analyse import Frames
from helio.analyse.structure_factor import structure_factor
from helio.errors import HelioError

NONE = np.zeros((0, 2), int)


def test_ideal_gas_is_one(make_frames: Callable[..., Frames]) -> None:
    random = np.random.default_rng(0)
    cell = np.array([[14.0, 0, 0], [2.0, 13.0, 0], [1.0, -1.0, 15.0]])
    atoms = Atoms("Ne30Ar30", random.uniform(size=(60, 3)) @ cell, cell=cell, pbc=True)
    frames = make_frames(atoms, random.uniform(size=(60, 60, 3)) @ cell, pairs=NONE)
    found = structure_factor(frames, highest_per_A=4.0, width_per_A=0.2)
    for name in ("X-ray", "neutron"):
        curve = found.curve(name)
        assert curve.error is not None and len(curve.x) > 15
        assert np.sqrt(np.mean(((curve.y - 1) / curve.error) ** 2)) == pytest.approx(1, abs=0.4)
        assert np.abs(curve.y - 1).max() < 0.15


def test_crystal_scatters_where_bragg_says(make_frames: Callable[..., Frames]) -> None:
    atoms = bulk("Cu", "fcc", a=3.6, cubic=True) * (3, 3, 3)
    frames = make_frames(atoms, np.repeat(atoms.positions[None], 3, axis=0), pairs=NONE)
    curve = structure_factor(frames, highest_per_A=4.0, width_per_A=0.05).curve("neutron")
    first, second = 2 * np.pi / 3.6 * np.sqrt([3, 4])  # of {111} and {200}
    strong = curve.x[curve.y > 1]
    assert np.abs(strong - first).min() < 0.05 and np.abs(strong - second).min() < 0.05
    assert all(min(abs(q - first), abs(q - second)) < 0.05 for q in strong)
    # Between the peaks nothing: S = 1 - 1 of the atom itself.
    assert np.median(curve.y) == pytest.approx(0, abs=1e-6)


def test_free_molecules_follow_debye(make_frames: Callable[..., Frames]) -> None:
    """N2 anywhere in any direction: 1 + sin(qd) / (qd)."""
    random = np.random.default_rng(0)
    directions = random.normal(size=(150, 40, 3))
    directions *= 1.1 / np.linalg.norm(directions, axis=-1, keepdims=True)
    first = random.uniform(size=(150, 40, 3)) * 14
    positions = np.stack([first, first + directions], axis=2).reshape(150, 80, 3)
    atoms = Atoms("N80", positions[0], cell=[14] * 3, pbc=True)
    frames = make_frames(atoms, positions, pairs=np.arange(80).reshape(40, 2))
    found = structure_factor(frames, highest_per_A=8.0, width_per_A=0.25, most_frames=150)
    for name in ("X-ray", "neutron"):
        curve = found.curve(name)
        assert curve.error is not None
        expected = 1 + np.sin(curve.x * 1.1) / (curve.x * 1.1)
        assert np.sqrt(np.mean(((curve.y - expected) / curve.error) ** 2)) == pytest.approx(1, abs=0.5)
        assert np.abs(curve.y - expected).mean() < 0.03


def test_lengths_that_cancel_are_not_divided_by(make_frames: Callable[..., Frames]) -> None:
    """Free atoms as in light water: 1 everywhere over the mean square, on an axis of its own; heavy water as usual."""
    random = np.random.default_rng(0)
    atoms = Atoms("H40O20", random.uniform(size=(60, 3)) * 14, cell=[14] * 3, pbc=True)
    frames = make_frames(atoms, random.uniform(size=(60, 60, 3)) * 14, pairs=NONE)
    light = structure_factor(frames, highest_per_A=4.0, width_per_A=0.2)
    assert np.abs(light.curve("neutron").y - 1).max() < 0.2
    assert light.curve("neutron").y_label != light.curve("X-ray").y_label
    assert any("deuterated=yes" in note for note in light.notes)
    heavy = structure_factor(frames, highest_per_A=4.0, width_per_A=0.2, deuterated=True)
    assert heavy.curve("neutron").y_label == "S(q)" and np.abs(heavy.curve("neutron").y - 1).max() < 0.2


def test_needs_a_box_that_is_large_enough(make_frames: Callable[..., Frames]) -> None:
    atoms = Atoms("Ne2", [[0, 0, 0], [0, 0, 1.5]], cell=[3.0] * 3, pbc=True)
    frames = make_frames(atoms, np.repeat(atoms.positions[None], 3, axis=0), pairs=NONE)
    with pytest.raises(HelioError, match="too small for wave vectors up to 1"):
        structure_factor(frames, highest_per_A=1.0)
