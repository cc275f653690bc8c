"""Blocks, frameworks and crystals, and the store that holds them."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from helio.errors import HelioError
from helio.frameworks.block import Block, make_block
from helio.frameworks.crystal import connection_gaps, crystal_of, density, wrapped
from helio.frameworks.framework import Framework
from helio.frameworks.library import Library
from helio.frameworks.store import Entry, FrameworkStore, StoreContent, read_content
from helio.frameworks.store_writer import write_store
from tests.frameworks.conftest import EDGE, cubic, linker, node

LIBRARY = Library((node(), linker()), ("zinc", "carbon"))


def test_a_crystal_of_blocks_has_their_atoms_and_the_bonds_of_the_edges() -> None:
    crystal = crystal_of(cubic(), LIBRARY)
    assert crystal.numbers.tolist() == [30, 6, 6, 6]
    np.testing.assert_allclose(np.linalg.norm(crystal.bond_vectors, axis=1), EDGE / 2)
    assert len(np.unique(crystal.bond_vectors.round(6), axis=0)) == 6
    np.testing.assert_allclose(connection_gaps(cubic(), LIBRARY), 0, atol=1e-12)
    # (65.38 + 3 * 12.011) g/mol / 6.02214076e23 / (5e-8 cm)^3
    assert density(crystal) == pytest.approx((65.38 + 3 * 12.011) / 6.02214076e23 / 125e-24, rel=1e-6)


def test_wrapping_keeps_every_bond_vector() -> None:
    crystal = crystal_of(cubic(), LIBRARY)
    rng = np.random.default_rng(0)
    shifts = rng.integers(-3, 4, (len(crystal), 3))
    i, j = crystal.bonds.T
    moved = type(crystal)(
        crystal.name,
        crystal.cell,
        crystal.numbers,
        crystal.positions + shifts @ crystal.cell,
        crystal.bonds,
        crystal.images - shifts[j] + shifts[i],
    )
    back = wrapped(moved)
    np.testing.assert_allclose(back.bond_vectors, crystal.bond_vectors, atol=1e-12)
    fractional = back.positions @ np.linalg.inv(back.cell)
    assert (fractional > -1e-12).all() and (fractional < 1).all()


def test_a_key_depends_on_the_graph_alone() -> None:
    rng = np.random.default_rng(1)
    # A ring of six with two connections: in para, in meta, and para in another order and orientation.
    ring = np.array([(i, (i + 1) % 6) for i in range(6)])
    angles = np.arange(6) * np.pi / 3
    positions = 1.4 * np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1)

    def benzene(docking: list[int], order: np.ndarray, node: bool = False) -> Block:
        place = np.argsort(order)
        turned = positions[order] @ Rotation.from_rotvec([0.3, -1.1, 0.7]).as_matrix()
        dock = place[docking]
        return make_block(np.full(6, 6), turned, place[ring], turned[dock] * 1.5, dock, node=node)

    para = benzene([0, 3], np.arange(6))
    assert benzene([1, 4], rng.permutation(6)).key == para.key
    assert benzene([0, 2], np.arange(6)).key != para.key
    assert benzene([0, 3], np.arange(6), node=True).key != para.key
    assert para.diameter == pytest.approx(2 * 1.4 * 1.5)
    np.testing.assert_allclose(para.connections.mean(axis=0), 0, atol=1e-12)


def test_keys_tell_fused_rings_from_linked_ones() -> None:
    """Decalin and bicyclopentyl, which plain colour refinement confuses."""
    decalin = [(i, (i + 1) % 10) for i in range(10)] + [(0, 5)]
    linked = [(i, (i + 1) % 5) for i in range(5)] + [(5 + i, 5 + (i + 1) % 5) for i in range(5)] + [(0, 5)]
    keys = {
        make_block(np.full(10, 6), np.eye(10, 3), np.array(bonds), np.ones((1, 3)), np.zeros(1, int), node=False).key
        for bonds in (decalin, linked)
    }
    assert len(keys) == 2


def test_a_store_gives_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "mofs.h5"
    other = Framework(**{**vars(cubic("other")), "labels": {"uptake": 2.0}})
    write_store(path, StoreContent(LIBRARY, [Entry(cubic(), "train", "pcu"), Entry(other, "test")], "by hand"))
    with FrameworkStore(path) as store:
        assert store.names() == ("cubic", "other") and store.names("test") == ("other",)
        assert store.origin == "by hand" and store.net("cubic") == "pcu" and store.part("other") == "test"
        assert store.framework("cubic").labels == {"density": 1.5}
        assert store.framework("other").labels == {"uptake": 2.0}
        np.testing.assert_array_equal(store.labels()["density"], [1.5, np.nan])
        assert store.library.keys == LIBRARY.keys and store.library.names == LIBRARY.names
        assert store.library.classes == (0, 1)
        for key in ("cell", "centers", "blocks", "rotations", "edges", "ends"):
            np.testing.assert_array_equal(getattr(store.framework("other"), key), getattr(cubic(), key))
        for mine, read in zip(LIBRARY.blocks, store.library.blocks, strict=True):
            for key in ("numbers", "positions", "bonds", "connections", "docking", "node"):
                np.testing.assert_array_equal(getattr(mine, key), getattr(read, key))
        with pytest.raises(HelioError, match="holds no framework 'third'"):
            store.framework("third")
        with pytest.raises(HelioError, match="parts train, validation, test, not 'tset'"):
            store.names("tset")
    assert len(read_content(path).entries) == 2


def test_what_cannot_be_a_store(tmp_path: Path) -> None:
    path = tmp_path / "mofs.h5"
    with pytest.raises(HelioError, match="there is no store"):
        FrameworkStore(path)
    path.write_text("text")
    with pytest.raises(HelioError, match="is no store of frameworks: `helio frameworks build` or `import` makes one"):
        FrameworkStore(path)
    with h5py.File(path, "w") as file:
        file.attrs["format"] = "another"
    with pytest.raises(HelioError, match="no store of frameworks"):
        FrameworkStore(path)
    content = StoreContent(LIBRARY, [Entry(cubic())])
    with pytest.raises(HelioError, match="exists; give another name or --overwrite"):
        write_store(path, content)
    write_store(path, content, overwrite=True)
    with h5py.File(path, "r+") as file:
        file.attrs["version"] = 9
    with pytest.raises(HelioError, match="version 9, this Helio reads version 1"):
        FrameworkStore(path)
    with pytest.raises(HelioError, match="two frameworks have the name 'cubic'"):
        write_store(path, StoreContent(LIBRARY, [Entry(cubic()), Entry(cubic())]), overwrite=True)
    with pytest.raises(HelioError, match="no frameworks to put into the store"):
        write_store(path, StoreContent(LIBRARY, []), overwrite=True)
    with pytest.raises(HelioError, match="not 'tset'"):
        write_store(path, StoreContent(LIBRARY, [Entry(cubic(), "tset")]), overwrite=True)
