"""CIF files, taking crystals apart and putting them together again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from scipy.spatial.transform import Rotation

from helio.errors import HelioError
from helio.frameworks.block import Block, make_block
from helio.frameworks.bonds import find_bonds
from helio.frameworks.crystal import Crystal, connection_gaps, crystal_of
from helio.frameworks.decompose.matching import Collection, match
from helio.frameworks.importing import import_store, same_bonds, take_apart
from helio.frameworks.library import Library
from helio.frameworks.store import FrameworkStore

pytest.importorskip("gemmi")

from helio.frameworks.cif import read_cif, write_cif

EDGE = 2 * (2.79 + 2.0)  # A, of the cubic cell: two Zn-N bonds and the linker N-C6H4-N between


def zinc_and_linkers(extra: Atoms | None = None) -> Crystal:
    """Zinc at the corner, bonded to linkers along x, y and z."""
    angles = np.arange(6) * np.pi / 3
    ring = 1.39 * np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1)
    ends = np.array([[2.79, 0, 0], [-2.79, 0, 0]])
    linker = np.concatenate([ring, ring[[1, 2, 4, 5]] * 2.48 / 1.39, ends])
    atoms = Atoms("Zn", [[0, 0, 0]])
    for axis in range(3):
        atoms += Atoms("C6H4N2", np.roll(linker, axis, axis=1) + np.eye(3)[axis] * EDGE / 2)
    atoms += extra if extra is not None else Atoms()
    nothing = np.zeros((0, 2), np.int32), np.zeros((0, 3), np.int32)
    return find_bonds(Crystal("zinc", np.eye(3) * EDGE, atoms.numbers.astype(np.int32), atoms.positions, *nothing))


def library_of(blocks: list[Block]) -> Library:
    return Library(tuple(blocks), tuple(map(str, range(len(blocks)))))


def test_bonds_from_distances() -> None:
    crystal = zinc_and_linkers()
    degrees = np.bincount(crystal.bonds.ravel())
    assert {int(n): set(degrees[crystal.numbers == n].tolist()) for n in (1, 6, 7, 30)} == {
        1: {1},
        6: {3},
        7: {2},
        30: {6},
    }


@pytest.mark.parametrize("times", [(1, 1, 1), (2, 1, 1), (2, 2, 1)])
def test_a_mof_comes_apart_and_together_again(times: tuple[int, int, int]) -> None:
    small = zinc_and_linkers()
    atoms = Atoms(small.numbers, small.positions, cell=small.cell, pbc=True) * times
    nothing = np.zeros((0, 2), np.int32), np.zeros((0, 3), np.int32)
    crystal = find_bonds(Crystal("zinc", atoms.cell.array, atoms.numbers.astype(np.int32), atoms.positions, *nothing))
    framework, blocks = take_apart(crystal)
    assert sorted(len(block) for block in blocks) == [1, 12, 12, 12]
    assert [len(block.connections) for block in blocks if block.node] == [6]
    assert abs(np.linalg.det(framework.cell)) == pytest.approx(EDGE**3)
    collection = Collection()
    adopted = collection.adopt(framework, blocks)
    assert len(collection.library) == 2  # the three linkers are one block, turned
    assert connection_gaps(adopted, collection.library).max() < 1e-6
    assert same_bonds(crystal_of(framework, library_of(blocks)), crystal_of(adopted, collection.library))


def test_frameworks_without_a_fit_split_are_refused_with_the_reason() -> None:
    water = Atoms("OH2", [[4.8, 4.8, 4.8], [5.76, 4.8, 4.8], [4.56, 5.73, 4.8]])
    with pytest.raises(HelioError, match="solvent inside: a molecule of H2O is bonded to nothing else"):
        take_apart(zinc_and_linkers(water))
    with pytest.raises(HelioError, match="no framework"):
        take_apart(find_bonds(Crystal("water", np.eye(3) * 9, water.numbers, water.positions, *zinc_nothing())))
    with pytest.raises(HelioError, match="split as auto, mof, cof, not 'zeolite'"):
        take_apart(zinc_and_linkers(), kind="zeolite")
    diamond = np.array([(0, 0, 0), (0, 2, 2), (2, 0, 2), (2, 2, 0), (1, 1, 1), (1, 3, 3), (3, 1, 3), (3, 3, 1)])
    carbon = find_bonds(Crystal("c", np.eye(3) * 3.57, np.full(8, 6), diamond * 3.57 / 4, *zinc_nothing()))
    with pytest.raises(HelioError, match="it holds no metal"):
        take_apart(carbon, kind="mof")
    with pytest.raises(HelioError, match="go on for ever"):
        take_apart(carbon, kind="cof")


def zinc_nothing() -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((0, 2), np.int32), np.zeros((0, 3), np.int32)


def test_a_block_matches_itself_turned_and_renumbered_but_not_its_mirror_image() -> None:
    rng = np.random.default_rng(4)
    numbers, bonds = np.array([6, 7, 8, 9, 1]), np.array([(0, 1), (0, 2), (0, 3), (0, 4)])
    positions = np.array([[0, 0, 0], [1.4, 0, 0], [-0.5, 1.3, 0], [-0.5, -0.6, 1.2], [-0.4, -0.6, -0.9]])
    ends = np.array([[2.1, 0, 0], [-0.7, 2.0, 0]])
    block = make_block(numbers, positions, bonds, ends, np.array([1, 2]), node=False)
    order, turn = rng.permutation(5), Rotation.from_rotvec([0.4, 1.9, -0.8]).as_matrix()
    place = np.argsort(order)
    other = make_block(
        numbers[order], positions[order] @ turn.T + 3, place[bonds], ends[::-1] @ turn.T + 3, place[[2, 1]], node=False
    )
    found = match(block, other)
    assert found is not None and found.deviation < 1e-6
    np.testing.assert_allclose(found.rotation, turn, atol=1e-9)
    assert found.connections.tolist() == [1, 0]
    mirror = Block(block.numbers, -block.positions, block.bonds, -block.connections, block.docking, node=False)
    assert mirror.key == block.key and match(block, mirror) is None


def test_a_written_cif_is_read_with_its_bonds(tmp_path: Path) -> None:
    crystal = zinc_and_linkers()
    fewer = Crystal("fewer", crystal.cell, crystal.numbers, crystal.positions, crystal.bonds[:-3], crystal.images[:-3])
    write_cif(tmp_path / "fewer.cif", fewer)
    read = read_cif(tmp_path / "fewer.cif")  # the table counts, not the distances
    assert read.name == "fewer" and same_bonds(read, fewer)


CIF = """data_x
_cell_length_a 10
_cell_length_b 10
_cell_length_c 10
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_space_group_name_H-M_alt 'P -1'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
{rows}
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data_x\n_cell_length_a 10\n", "holds no crystal structure"),
        ("no cif at all {", "is no CIF, or is damaged"),
        (CIF.format(rows="C1 C 0.1 0.2 0.3 0.5"), "is disordered: C1 has the occupancy 0.5"),
        (CIF.format(rows="C1 C 0.1 0.2 0.3 1\nN1 N 0.1 0.2 0.301 1"), "two atoms in the same place"),
        (CIF.format(rows="Q1 Qq 0.1 0.2 0.3 1"), "an atom of unknown element"),
        (CIF.replace("_c 10", "_c 1e9").format(rows="C1 C 0.1 0.2 0.3 1"), "an edge of 1e\\+09 A"),
        (CIF.format(rows="C1 C ? 0.2 0.3 1"), "does not say where the atom C1 is"),
    ],
)
def test_a_cif_that_is_none_is_refused_in_a_sentence(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.cif"
    path.write_text(text)
    with pytest.raises(HelioError, match=message):
        read_cif(path)


def test_symmetry_is_expanded(tmp_path: Path) -> None:
    (tmp_path / "c.cif").write_text(CIF.format(rows="C1 C 0.1 0.2 0.3 1\nN1 N 0 0 0 1"))
    crystal = read_cif(tmp_path / "c.cif")
    assert sorted(crystal.numbers.tolist()) == [6, 6, 7]


def test_a_folder_is_imported_and_what_cannot_be_is_counted(tmp_path: Path, shared: Path) -> None:
    pytest.importorskip("pyzeo")
    folder = tmp_path / "cifs"
    folder.mkdir()
    write_cif(folder / "zinc.cif", zinc_and_linkers())
    write_cif(folder / "wet.cif", zinc_and_linkers(Atoms("He", [[4.8, 4.8, 4.8]])))
    for name in ("05000N2", "19000N3"):  # a two-dimensional and a three-dimensional one
        (folder / f"{name}.cif").write_bytes((shared / "data" / "cofs" / f"{name}.cif").read_bytes())
    (folder / "bad.cif").write_text("data_x\n")
    store_path = tmp_path / "few.h5"
    summary = import_store(store_path, [folder], test=0.34, validation=0)
    assert summary.imported == 3
    assert {Path(file).name: reason for file, reason in summary.refused.items()} == {
        "wet.cif": "solvent inside: a molecule of He is bonded to nothing else; remove it first",
        "bad.cif": f"{folder / 'bad.cif'} holds no crystal structure (no _atom_site_fract_x)",
    }
    assert [len(files) for _, files in summary.reasons] == [1, 1]
    with FrameworkStore(store_path) as store:
        assert sorted(store.names()) == ["05000N2", "19000N3", "zinc"] and len(store.names("test")) == 1
        for name in store.names():
            framework = store.framework(name)
            assert connection_gaps(framework, store.library).max() < 0.25
            original = take_apart(read_cif(folder / f"{name}.cif"))
            exact = crystal_of(original[0], library_of(original[1]))
            assert same_bonds(exact, crystal_of(framework, store.library), tolerance=2.0)
            assert framework.labels["density"] > 0
    with pytest.raises(HelioError, match="exists; give another name or --overwrite"):
        import_store(store_path, [folder])
    with pytest.raises(HelioError, match="holds no CIF files"):
        (tmp_path / "nothing").mkdir()
        import_store(tmp_path / "new.h5", [tmp_path / "nothing"])
