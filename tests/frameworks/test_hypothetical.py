"""Hypothetical frameworks of pormake's blocks."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.geometry import cell_to_cellpar

from helio.errors import HelioError
from helio.frameworks.contacts import room
from helio.frameworks.crystal import connection_gaps, crystal_of
from helio.frameworks.periodic_graph import fragments
from helio.frameworks.store import FrameworkStore

if find_spec("pormake") is None or find_spec("pyzeo") is None:  # importing pormake would leave a log in this folder
    pytest.skip("needs pormake and pyzeo", allow_module_level=True)

from helio.frameworks.hypothetical import plan as planning
from helio.frameworks.hypothetical.blocks import linkers, nodes
from helio.frameworks.hypothetical.building import build
from helio.frameworks.hypothetical.data_set import build_store
from helio.frameworks.hypothetical.nets import read_net
from helio.frameworks.hypothetical.plan import Recipe


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def arms(block) -> np.ndarray:
    return np.linalg.norm(block.connections, axis=1)


def test_centred_nets_are_reduced_to_their_primitive_cells() -> None:
    """Numbers of vertices and edges of the primitive cells: Reticular Chemistry Structure Resource."""
    for name, blocks, coordination in (("pcu", 1 + 3, (6,)), ("bcu", 1 + 4, (8,))):
        net = read_net(name)
        assert (net.blocks, net.coordination, net.direct) == (blocks, coordination, False)
    scu = read_net("scu")  # of eight and four connections, joined directly
    assert (scu.blocks, scu.direct) == (3, True)


def test_a_cubic_framework_has_the_edge_that_its_blocks_ask_for() -> None:
    node = next(n for n in nodes(6) if n.name == "N16")  # a perfect octahedron
    linker = next(n for n in linkers(2) if np.ptp(arms(n.block)) < 1e-3)
    built = build(Recipe("pcu", (node.name,), linker.name))
    a, b, c, *angles = cell_to_cellpar(built.framework.cell)
    expected = 2 * (arms(node.block).mean() + arms(linker.block).mean())
    np.testing.assert_allclose([a, b, c], expected, rtol=2e-3)
    np.testing.assert_allclose(angles, 90, atol=0.2)
    assert connection_gaps(built.framework, built.library).max() < 0.05
    crystal = crystal_of(built.framework, built.library)
    assert fragments(len(crystal), crystal.bonds, crystal.images).ranks.tolist() == [3]
    assert room(crystal) >= 1
    assert sorted(Path.cwd().iterdir()) == []  # pormake's log goes elsewhere


def test_a_store_holds_what_is_built_of_the_same_recipes(tmp_path: Path) -> None:
    counts: list[tuple[int, int]] = []
    options: dict[str, Any] = {"count": 3, "nodes_per_net": 1, "linkers": 6, "seed": 5}
    summary = build_store(tmp_path / "a.h5", ["pcu"], report=lambda *c: counts.append(c), **options)
    assert summary.built == 3 and counts == [(1, 3), (2, 3), (3, 3)]
    recipes = planning.plan(["pcu"], nodes_per_net=1, linker_count=6, seed=5, report=lambda net: None)
    planned = {recipe.name: recipe for recipe in recipes}
    with FrameworkStore(tmp_path / "a.h5") as store:
        for name in store.names():
            framework, again = store.framework(name), build(planned[name])
            np.testing.assert_allclose(framework.cell, again.framework.cell, rtol=1e-6)
            np.testing.assert_array_equal(framework.edges, again.framework.edges)
            assert [store.library.names[b] for b in framework.blocks] == list(again.library.names)
            labels = framework.labels
            assert set(labels) >= {"void_fraction", "density", "surface_area"} and store.net(name) == "pcu"
            assert labels["pore_limiting_diameter"] <= labels["largest_cavity_diameter"]


def test_wrong_nets_are_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(HelioError, match="there is no net 'pcuu'; did you mean"):
        read_net("pcuu")
    with pytest.raises(HelioError, match="a framework on the net dft has 24 blocks, and at most 20"):
        read_net("dft")
    with pytest.raises(HelioError, match="a net is named twice"):
        planning.plan(["pcu", "pcu"], nodes_per_net=1, linker_count=1, seed=0, report=print)
    (tmp_path / "there.h5").touch()
    with pytest.raises(HelioError, match="exists; give another name or --overwrite"):
        build_store(tmp_path / "there.h5", ["pcu"], count=1)
