"""What of a trajectory is put into the viewer."""

from __future__ import annotations

import base64
import json
import re

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from helio.analyse import open_frames
from helio.report.page.picture import painted
from helio.report.page.scene import Scene
from helio.report.page.viewer import thinned, viewer
from helio.report.run import scene as run_scene_module
from helio.report.run.scene import run_scene


def content(page: str) -> dict:
    found = re.search(r'<script type="application/json">(.*?)</script>', page, flags=re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def unpacked(values: dict) -> np.ndarray:
    """Positions as the viewer computes them, (T, N, 3)."""
    whole = np.frombuffer(base64.b64decode(values["positions"]), "<i2").astype(float)
    return ((whole + 32768) * values["step"]).reshape(-1, values["atoms"], 3) + values["origin"]


def test_viewer_holds_the_positions_to_a_thousandth_of_an_angstrom() -> None:
    random = np.random.default_rng(3)
    positions = random.uniform(-30, 40, (5, 20, 3))
    scene = Scene(random.integers(1, 9, 20), positions, np.array([[0, 1], [5, 19]]), [f"{i} ps" for i in range(5)])
    values = content(viewer(scene, name="view", description="atoms"))
    assert np.abs(unpacked(values) - positions).max() < 1e-3
    assert np.frombuffer(base64.b64decode(values["bonds"]), "<u4").tolist() == [0, 1, 5, 19]
    symbols = [element["symbol"] for element in values["elements"]]
    kinds = np.frombuffer(base64.b64decode(values["kinds"]), "u1")
    from ase.data import chemical_symbols

    assert [symbols[kind] for kind in kinds] == [chemical_symbols[z] for z in scene.numbers]
    assert values["boxes"] == [] and values["labels"][-1] == "4 ps"


def test_a_crystal_needs_no_run() -> None:
    salt = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    scene = Scene(
        salt.numbers, salt.positions[None], np.zeros((0, 2), int), ["NaCl"], salt.cell.array[None], np.zeros((1, 3))
    )
    page = viewer(scene, name="salt", description="rock salt")
    assert content(page)["boxes"] == [[5.64, 0, 0, 0, 5.64, 0, 0, 0, 5.64]]
    assert 'data-control="play"' not in page  # one frame does not play
    assert painted(scene, pixels=64).startswith(b"\x89PNG")


def test_thinning_keeps_first_and_last_and_the_size() -> None:
    assert thinned(5, 10, most_bytes=10_000).tolist() == [0, 1, 2, 3, 4]
    some = thinned(1000, 100, most_bytes=8 * 100 * 50)
    assert len(some) == 50 and some[0] == 0 and some[-1] == 999 and set(np.diff(some)) <= {20, 21}
    assert thinned(1000, 10**9, most_bytes=10).tolist() == [0]


def test_molecules_are_whole_and_in_the_box(make_run) -> None:
    """Molecules that went through the boundary in a run, whose positions go on, come back as wholes."""
    gas = Atoms(cell=[6, 6, 6], pbc=True)
    for x in (0.2, 3.0):
        one = molecule("H2O")
        one.translate([x, 0.1, 3.0])
        gas += one
    away = np.zeros((3, len(gas), 3))
    away[1, :3] += [18.0, 0, 0]
    away[2, 3:] += [0, -12.0, 0]
    frames = open_frames(make_run(atoms=gas, positions=gas.positions + away))
    scene = run_scene(frames, most_bytes=10**6).scene
    np.testing.assert_allclose(scene.positions[1:], scene.positions[:1].repeat(2, axis=0), atol=1e-4)
    for first, second in scene.bonds:
        lengths = np.linalg.norm(scene.positions[:, first] - scene.positions[:, second], axis=1)
        np.testing.assert_allclose(lengths, gas.get_distance(first, second), atol=1e-4)
    centers = scene.positions.reshape(3, 2, 3, 3).mean(axis=2)
    assert (centers >= 0).all() and (centers < 6).all()


def test_a_solute_stays_in_the_middle(make_run) -> None:
    cell = np.diag([12.0, 12.0, 12.0])
    both = molecule("C6H6")
    water = molecule("H2O")
    water.translate([5.9, 0, 0])
    both += water
    both.cell, both.pbc = cell, True
    drift = np.linspace(0, 30, 4)[:, None, None] * np.array([1.0, 0.4, 0])
    scene = run_scene(open_frames(make_run(atoms=both, positions=both.positions + drift)), most_bytes=10**6).scene
    np.testing.assert_allclose(scene.positions[:, :12].mean(axis=1), 6.0, atol=1e-4)
    assert scene.solvent.tolist() == [False] * 12 + [True] * 3
    np.testing.assert_allclose(scene.positions[3], scene.positions[0], atol=1e-4)


@pytest.mark.parametrize("solute", [True, False])
def test_a_slab_stays_about_its_plane(make_run, solute: bool) -> None:
    """Far up in its vacuum, which is not drawn, a slab is in view, and its box with it."""
    slab = molecule("C6H6" if solute else "H2O")
    for x in (6.0, 9.0):
        water = molecule("H2O")
        water.translate([x, 2.0, 1.5])
        slab += water
    slab.cell, slab.pbc = np.diag([12.0, 12.0, 90.0]), (True, True, False)
    drift = np.linspace(0, 2, 3)[:, None, None] * np.array([0, 0, 1.0])
    frames = open_frames(make_run(atoms=slab, positions=slab.positions + np.array([0, 0, 60.0]) + drift))
    scene = run_scene(frames, most_bytes=10**6).scene
    np.testing.assert_allclose(scene.cells[0], np.diag([12.0, 12.0, 0]), atol=1e-4)
    kept = scene.positions[0, :12] if solute else scene.positions[0]
    assert kept[:, 2].mean() == pytest.approx(0, abs=1e-4)
    rise = scene.positions[-1, :, 2] - scene.positions[0, :, 2]
    np.testing.assert_allclose(rise, 0 if solute else 2, atol=1e-4)
    center, radius = scene.sphere()
    corners = np.array([[x, y, 0] for x in (0, 12) for y in (0, 12)])
    for points in (scene.positions[0], corners):
        assert np.linalg.norm(points - center, axis=1).max() < radius


def test_what_is_left_out_is_said(make_run, monkeypatch: pytest.MonkeyPatch) -> None:
    both = molecule("C6H6")
    for i in range(4):
        one = molecule("H2O")
        one.translate([6 + 3 * i, 0, 0])
        both += one
    frames = open_frames(make_run(atoms=both))
    shown = run_scene(frames, most_bytes=8 * len(both) * 3)
    assert len(shown.scene.positions) == 3 and shown.left_out == ("The view shows 3 of 12 frames, evenly spaced.",)
    assert shown.scene.labels == ["0 ps", "1.5 ps", "2.75 ps"]
    monkeypatch.setattr(run_scene_module, "_MOST_ATOMS", 12)
    shown = run_scene(frames, most_bytes=10**6)
    assert shown.left_out == ("The view leaves out the water, 12 of 24 atoms.",)
    assert len(shown.scene.numbers) == 12 and shown.scene.bonds.max() < 12 and len(shown.scene.bonds) == 12
    monkeypatch.setattr(run_scene_module, "_MOST_ATOMS", 6)
    assert set(run_scene(frames, most_bytes=10**6).scene.numbers) == {6}
    monkeypatch.setattr(run_scene_module, "_MOST_ATOMS", 5)
    assert "as many as can be drawn" in run_scene(frames, most_bytes=10**6).left_out[0]


def test_picture_shows_elements_where_they_are() -> None:
    """Oxygen is red and to the left of nitrogen, which is blue, as seen along the axis to the eye."""
    import io

    from matplotlib.image import imread

    positions = np.array([[[-2.0, 0, 0], [2.0, 0, 0]]])
    scene = Scene(np.array([8, 7]), positions, np.zeros((0, 2), int), ["0"])
    turned = positions[0] @ scene.rotation().T
    pixels = imread(io.BytesIO(painted(scene, pixels=100)))
    assert pixels.shape == (100, 100, 4) and pixels[0, 0, 3] == 0
    for atom, channel in ((0, 0), (1, 2)):
        half = pixels[:, :50] if turned[atom, 0] < turned[1 - atom, 0] else pixels[:, 50:]
        color = half[half[..., 3] > 0.9].mean(axis=0)
        assert np.argmax(color[:3]) == channel
