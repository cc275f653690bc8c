"""Energies of atoms: fitted, of isolated atoms, given."""

from __future__ import annotations

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from helio.datasets.store import Store
from helio.errors import HelioError
from helio.train.importing import import_files
from helio.train.reference_energies import as_mapping, compositions, fitted_energies, given_energies, isolated_atoms

FREE = {"low": {1: -13.6, 6: -1029.0, 8: -2042.0}, "high": {1: -13.5, 6: -1030.0, 8: -2041.0}}


def made(tmp_path, *, atoms=True) -> Store:
    frames = []
    for level, free in FREE.items():
        found = [molecule(name) for name in ("H2O", "CH4", "CH3OH", "CO2", "C2H6")]
        found += [Atoms([z]) for z in free] if atoms else []
        for one in found:
            one.info |= {"level": level, "REF_energy": sum(free[z] for z in one.numbers) - 0.0 * len(one)}
            frames.append(one)
    ase.io.write(tmp_path / "a.extxyz", frames)
    import_files([tmp_path / "a.extxyz"], tmp_path / "a.h5")
    return Store(tmp_path / "a.h5")


def test_fit_finds_the_atoms_of_each_level(tmp_path):
    store = made(tmp_path, atoms=False)
    table = fitted_energies(store, np.arange(len(store)))
    for row, level in enumerate(store.levels):
        for z, energy in FREE[level].items():
            assert abs(table[row, z] - energy) < 1e-6
    assert np.count_nonzero(table) == 6
    again = given_energies(store, as_mapping(store, table))
    np.testing.assert_allclose(again, table)


def test_compositions(tmp_path):
    store = made(tmp_path)
    indices = np.array([3, 0, 9, 4])
    expected = [np.bincount(store.system(int(number)).atomic_numbers, minlength=119) for number in indices]
    np.testing.assert_array_equal(compositions(store, indices), expected)


def test_one_composition_is_no_obstacle(tmp_path):
    store = made(tmp_path, atoms=False)
    table = fitted_energies(store, np.array([0]))
    counts = np.bincount(store.system(0).atomic_numbers, minlength=119)
    assert abs(table[0] @ counts - store.rows("energy")[0]) < 1e-8


def test_isolated_atoms(tmp_path):
    store = made(tmp_path)
    table = isolated_atoms(store)
    assert {level: {z: table[row, z] for z in FREE[level]} for row, level in enumerate(store.levels)} == FREE
    (tmp_path / "none").mkdir()
    with pytest.raises(HelioError, match="no isolated atom of H with an energy of low"):
        isolated_atoms(made(tmp_path / "none", atoms=False))


def test_unknown_names(tmp_path):
    store = made(tmp_path)
    with pytest.raises(HelioError, match="for PBE, but the data have low, high"):
        given_energies(store, {"PBE": {"H": -13.6}})
    some = given_energies(store, {"PBE": {"H": -13.0}, "high": {"H": -13.6}})
    assert some[1, 1] == -13.6 and np.count_nonzero(some) == 1
    with pytest.raises(HelioError, match="'Hy', which is no element"):
        given_energies(store, {"low": {"Hy": -13.6}})
