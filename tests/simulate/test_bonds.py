"""Bonds and molecules against structures whose bonds are known."""

from __future__ import annotations

import ase.build
import ase.io
import numpy as np
import pytest
from ase import Atoms

from helio.errors import HelioError
from helio.simulate.bonds import bonds, hydrogen_bonds, make_whole, waters
from helio.simulate.rigid import fixed_hydrogen_bonds
from helio.simulate.selection import selected_atoms, selection_mask
from tests.conftest import REFERENCE


@pytest.mark.parametrize(
    ("name", "count", "hydrogens"),
    [("H2O", 2, 2), ("CH3CH2OH", 8, 6), ("C6H6", 12, 6), ("CH3SH", 5, 4), ("HCl", 1, 1), ("CO2", 2, 0), ("PH3", 3, 3)],
)
def test_molecules(name: str, count: int, hydrogens: int):
    atoms = ase.build.molecule(name)
    pairs, shifts = bonds(atoms)
    assert len(pairs) == count and not shifts.any()
    carried, _ = hydrogen_bonds(atoms)
    assert len(carried) == hydrogens
    assert (atoms.numbers[carried[:, 0]] == 1).all() and (atoms.numbers[carried[:, 1]] > 1).all()


@pytest.mark.parametrize("cell", ["cubic", "triclinic"])
def test_broken_molecules_become_whole(cell: str):
    whole = ase.io.read(REFERENCE / ("water_64.extxyz" if cell == "cubic" else "water_64_triclinic.extxyz"))
    assert isinstance(whole, Atoms)
    broken = whole.copy()
    broken.positions += [2.0, -7.0, 31.0]
    broken.wrap()
    pairs, shifts = bonds(broken)
    assert len(pairs) == 128 and shifts.any()
    assert {tuple(sorted(pair)) for pair in pairs.tolist()} == {tuple(sorted(p)) for p in bonds(whole)[0].tolist()}
    with pytest.raises(HelioError, match="make molecules whole first"):
        fixed_hydrogen_bonds(broken)

    mended = make_whole(broken)
    assert not bonds(mended)[1].any()
    assert fixed_hydrogen_bonds(mended).count == 192
    cells = np.linalg.solve(broken.cell.array.T, (mended.positions - broken.positions).T)
    np.testing.assert_allclose(cells, np.round(cells), atol=1e-9)
    np.testing.assert_array_equal(mended.positions[0], broken.positions[0])
    np.testing.assert_array_equal(np.sort(waters(mended), axis=1), np.arange(192).reshape(64, 3))


def test_endless_chain_keeps_its_hydrogens():
    """Polyethylene along x: a bond must cross, but none to hydrogen."""
    atoms = Atoms("CCHHHH", cell=[2.55, 20, 20], pbc=[True, False, False])
    atoms.positions = [
        [0, 0, 0],
        [1.27, 0.84, 0],
        [0, -0.6, 0.9],
        [0, -0.6, -0.9],
        [1.27, 1.44, 0.9],
        [1.27, 1.44, -0.9],
    ]
    atoms.positions += [0, 5, 5]
    atoms.positions[4] += [2.55, 0, 0]
    assert bonds(atoms)[1].any()
    with pytest.raises(HelioError, match="crosses"):
        fixed_hydrogen_bonds(atoms)
    mended = make_whole(atoms)
    assert len(bonds(mended)[0]) == 6
    assert fixed_hydrogen_bonds(mended).count == 4


def test_ions_do_not_break_water():
    water = ase.build.molecule("H2O")
    atoms = water + Atoms("Na", [water.positions[0] + [0, 0, 2.3]])
    np.testing.assert_array_equal(waters(atoms), [[0, 1, 2]])
    assert len(waters(ase.build.molecule("CH3OH"))) == 0
    hydroxide = Atoms("OH", [[0, 0, 0], [0, 0, 0.97]])
    assert len(waters(hydroxide)) == 0


def test_hydrogen_between_two_atoms():
    strong = Atoms("FHF", [[0, 0, -1.1], [0, 0, 0.0], [0, 0, 1.0]])
    assert len(bonds(strong)[0]) == 2
    with pytest.raises(HelioError, match=r"hydrogen 1 lies between atoms 2 and 0 \(1.00 and 1.05"):
        hydrogen_bonds(Atoms("FHF", [[0, 0, -1.05], [0, 0, 0.0], [0, 0, 1.0]]))
    carried, _ = hydrogen_bonds(Atoms("FHF", [[0, 0, -1.1], [0, 0, 0.0], [0, 0, 0.95]]))
    np.testing.assert_array_equal(carried, [[1, 2]])


def test_a_short_hydrogen_bond_leaves_two_waters():
    donor = ase.build.molecule("H2O")
    along = donor.positions[1] - donor.positions[0]
    acceptor = Atoms("OH2", ase.build.molecule("H2O").positions)
    acceptor.positions += donor.positions[1] + 1.25 * along / np.linalg.norm(along) - acceptor.positions[0]
    acceptor.rotate(90, along, center=acceptor.positions[0])
    dimer = donor + acceptor
    assert len(bonds(dimer)[0]) == 5
    np.testing.assert_array_equal(waters(dimer), [[0, 1, 2], [3, 4, 5]])


def test_selections():
    atoms = ase.build.molecule("CH3CH2OH")
    np.testing.assert_array_equal(selected_atoms("heavy", atoms), [0, 1, 2])
    np.testing.assert_array_equal(selected_atoms("O, C", atoms), selected_atoms("heavy", atoms))
    np.testing.assert_array_equal(selected_atoms([4, 1, 4], atoms), [1, 4])
    assert selection_mask("all", atoms).all()
    assert selection_mask("H", atoms).sum() == 6
    for wrong, message in [
        ("Xy", "'Xy' selects no atoms"),
        ("N", "holds no atom"),
        ([], "holds no atom"),
        ([9], "no atom 9"),
        ([-1], "no atom -1"),
        ([0.5], "whole numbers"),
    ]:
        with pytest.raises(HelioError, match=message):
            selected_atoms(wrong, atoms)  # pyright: ignore
