"""Order of chains whose order is known, and a real bilayer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from MDAnalysis.lib.distances import minimize_vectors
from scipy.spatial.transform import Rotation

from helio.analyse import Frames, open_frames
from helio.analyse.lipids import tails
from helio.analyse.membrane import membrane
from helio.errors import HelioError

MakeFrames = Callable[..., Frames]

_RISE, _SIDE = 1.27, 0.43  # of a zigzag chain, A
_LENGTH = 8  # carbons


def _lipid() -> tuple[Atoms, np.ndarray]:
    """An all-trans methyl ester along -z and its bonds: CH3, O, C(=O), then CH2 and CH3; hydrogens normal to z."""
    carbons = [np.array([_SIDE * (-1) ** i, 0.0, -_RISE * i]) for i in range(_LENGTH)]
    symbols, positions, bonds = ["C"] * _LENGTH, carbons.copy(), [(i, i + 1) for i in range(_LENGTH - 1)]

    def add(symbol: str, position: np.ndarray, to: int) -> int:
        symbols.append(symbol)
        positions.append(position)
        bonds.append((to, len(symbols) - 1))
        return len(symbols) - 1

    add("O", carbons[0] + [1.2, 0.0, 0.3], 0)
    bridge = add("O", carbons[0] + [-0.9, 0.0, 0.9], 0)
    methyl = add("C", carbons[0] + [-0.9, 0.0, 2.3], bridge)
    for angle in range(3):
        x, y = np.cos(2.1 * angle), np.sin(2.1 * angle)
        add("H", positions[methyl] + [x, y, 0.3], methyl)
    for i in range(1, _LENGTH):
        for side in (-1, 1):
            add("H", carbons[i] + [0.6 * (-1) ** i, 0.9 * side, 0.0], i)
    add("H", carbons[-1] + [0.0, 0.0, -1.09], _LENGTH - 1)
    return Atoms(symbols, np.array(positions)), np.array(bonds)


def _bilayer(per_side: int, tilt: float = 0.0) -> tuple[Atoms, np.ndarray]:
    """Two leaflets in a box of 10 x 10 A for each pair; tilted chains are turned about their own axes by all angles."""
    box = [10.0 * per_side, 10.0, 60.0]
    system, bonds = Atoms(cell=box, pbc=True), []
    for i in range(per_side):
        for up in (True, False):
            lipid, own = _lipid()
            spin = Rotation.from_euler("z", 360.0 * i / per_side, degrees=True)
            lean = Rotation.from_euler("x", tilt, degrees=True)
            flip = Rotation.from_euler("x", 0.0 if up else 180.0, degrees=True)
            lipid.positions = (flip * lean * spin).apply(lipid.positions)
            # The ends of the tails are a little apart from the middle, which lies on the box's boundary.
            lipid.positions += [10.0 * i + 5.0, 5.0, (1 if up else -1) * (1.5 + _RISE * (_LENGTH - 1))]
            bonds.append(own + len(system))
            system += lipid
    return system, np.concatenate(bonds)


def test_all_trans_chain(make_frames: MakeFrames) -> None:
    """Bonds normal to z have S_CD = -1/2."""
    system, bonds = _bilayer(4)
    found = membrane(make_frames(system, np.repeat(system.positions[None], 5, axis=0), pairs=bonds))
    curve = found.curve("acyl (8:0)")
    np.testing.assert_array_equal(curve.x, np.arange(2, 9))
    np.testing.assert_allclose(curve.y[:-1], 0.5, atol=1e-6)
    assert curve.error is not None
    np.testing.assert_allclose(curve.error[:-1], 0, atol=1e-6)
    # Two bonds of the methyl are normal to z, one along it: (1/2 + 1/2 - 1) / 3.
    assert curve.y[-1] == pytest.approx(0.0, abs=1e-6)
    assert found.value("area per lipid").value == pytest.approx(100.0)


def test_tilted_chains(make_frames: MakeFrames) -> None:
    """Chains that are tilted by t and turned about their axes have S_CD = -1/2 (3 cos^2 t - 1) / 2."""
    tilt = 30.0
    system, bonds = _bilayer(12, tilt)
    found = membrane(make_frames(system, system.positions[None], pairs=bonds))
    expected = 0.25 * (3 * np.cos(np.radians(tilt)) ** 2 - 1)
    np.testing.assert_allclose(found.curve("acyl (8:0)").y[:-1], expected, atol=1e-6)


def test_thickness_of_two_layers(make_frames: MakeFrames) -> None:
    """Heavy atoms around +-17 A of the middle make the maxima of the electron density; the box cuts the bilayer."""
    system, bonds = _bilayer(4)
    random = np.random.default_rng(0)
    heads = Atoms("Xe200", np.zeros((200, 3)))
    whole = system + heads
    positions = np.repeat(whole.positions[None], 40, axis=0)
    positions[:, len(system) :, :2] = random.uniform(0, 10, size=(40, 200, 2))
    sides = np.where(np.arange(200) % 2, 17.0, -17.0)
    positions[:, len(system) :, 2] = sides + random.normal(scale=2.0, size=(40, 200))
    positions += random.uniform(0, 60, size=(40, 1, 1)) * [0, 0, 1]  # the membrane drifts
    whole.cell, whole.pbc = system.cell, True
    found = membrane(make_frames(whole, positions, pairs=bonds))
    thickness = found.value("D_HH")
    assert thickness.value == pytest.approx(34.0, abs=max(0.2, 4 * thickness.error))
    assert 0 < thickness.error < 0.3
    density = found.curve("lipids" if len(found.curves) == 2 else "all")
    electrons = density.y.sum() * 0.5 * 40.0 * 10.0
    assert electrons == pytest.approx(whole.numbers.sum(), rel=0.01)


def test_real_bilayer(shared: Path) -> None:
    frames = open_frames(shared / "data" / "popc" / "POPC.pdb")
    found = membrane(frames)
    assert found.value("area per lipid").value == pytest.approx(63.701 * 66.874 / 64)
    assert 33 < found.value("D_HH").value < 40  # 37 A by X-rays (Kucerka et al., J. Membr. Biol. 208, 193 (2005))
    assert {tail.name: len(tail.carbons) for tail in tails(frames)} == {"sn-1": 16, "sn-2": 18}
    water = found.curve("water")
    assert water.y[np.abs(water.x) < 5].max() == 0
    assert water.y[np.abs(water.x) > 33].mean() == pytest.approx(0.33, abs=0.02)  # of water: 0.334
    # The names of the file say which carbons these are.
    for curve, carbon, hydrogens in (
        ("sn-2 (18:1)", "C26", ["H6R", "H6S"]),
        ("sn-2 (18:1)", "C210", ["H101"]),
        ("sn-1 (16:0)", "C35", ["H5X", "H5Y"]),
    ):
        lipids = frames.universe.select_atoms("resname POP")
        from_carbon = lipids.select_atoms(f"name {carbon}").positions
        order = []
        for hydrogen in hydrogens:
            bonds = lipids.select_atoms(f"name {hydrogen}").positions - from_carbon
            bonds = minimize_vectors(bonds, frames.universe.dimensions)
            cosine = bonds[:, 2] / np.linalg.norm(bonds, axis=1)
            order.append(0.5 - 1.5 * cosine**2)
        place = int(carbon[2:]) - 2
        assert found.curve(curve).y[place] == pytest.approx(np.mean(order), abs=1e-4)


def test_no_bilayer(make_frames: MakeFrames) -> None:
    lipid, bonds = _lipid()
    lipid.cell, lipid.pbc = [20.0, 20.0, 40.0], True
    with pytest.raises(HelioError, match="holds no bilayer"):
        membrane(make_frames(lipid, lipid.positions[None], pairs=bonds))


def test_no_box(make_frames: MakeFrames) -> None:
    lipid, bonds = _lipid()
    with pytest.raises(HelioError, match="no periodic box"):
        membrane(make_frames(lipid, lipid.positions[None], pairs=bonds))
