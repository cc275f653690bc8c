"""Charge and unpaired electrons under all the names that files have for them."""

from __future__ import annotations

from typing import Any

import pytest
from ase import Atoms
from ase.build import molecule

from helio.electrons import electrons_of, stated_electrons
from helio.errors import HelioError
from helio.system import System


def with_info(name: str, **info: Any) -> Atoms:
    atoms = molecule(name)
    atoms.info = info
    return atoms


@pytest.mark.parametrize("key", ["charge", "total_charge", "q"])
def test_names_of_the_charge(key: str) -> None:
    electrons = electrons_of(with_info("OH", **{key: -1}))
    assert (electrons.charge, electrons.unpaired) == (-1, 0)
    assert key in electrons.charge_source


@pytest.mark.parametrize(
    ("info", "unpaired"),
    [
        ({"multiplicity": 3}, 2),
        ({"spin_multiplicity": 3.0}, 2),
        ({"mult": 1}, 0),
        ({"uhf": 2}, 2),
        ({"unpaired_electrons": 2}, 2),
        ({"num_unpaired_electrons": 0}, 0),
        # CH2 has eight electrons: 2 can only be unpaired electrons, 3 and 1 only a multiplicity.
        ({"spin": 2}, 2),
        ({"spin": 3}, 2),
        ({"spin": 1}, 0),
        ({"spin": 0}, 0),
        ({"total_spin": 3}, 2),
        ({"spin": 2, "multiplicity": 3}, 2),
    ],
)
def test_names_of_the_spin(info: dict[str, Any], unpaired: int) -> None:
    electrons = electrons_of(with_info("CH2_s3B1d", **info))
    assert electrons.unpaired == unpaired
    assert all(key in electrons.unpaired_source for key in info)
    assert float(System.from_ase(with_info("CH2_s3B1d", **info)).unpaired_electrons) == unpaired


def test_spin_of_odd_electrons() -> None:
    assert electrons_of(with_info("CH3", spin=1)).unpaired == 1
    doublet = electrons_of(with_info("CH3", spin=2))
    assert doublet.unpaired == 1 and "spin=2 as multiplicity" in doublet.unpaired_source


def test_initial_charges() -> None:
    atoms = molecule("OH")
    atoms.set_initial_charges([-0.9, -0.1])
    assert electrons_of(atoms).charge == -1
    before = stated_electrons(atoms)
    atoms.set_initial_charges([-0.9, -0.2])  # no whole number: partial charges that say nothing
    assert electrons_of(atoms, check_parity=False).charge == 0
    assert stated_electrons(atoms) != before
    atoms.info["charge"] = 1
    assert electrons_of(atoms).charge == 1


@pytest.mark.parametrize(
    ("info", "message"),
    [
        ({"charge": 0.5}, "charge must be a whole number, not 0.5"),
        ({"spin": 0.5}, "spin must be a whole number, not 0.5"),
        ({"charge": float("nan")}, "whole number"),
        ({"charge": "plus"}, "charge must be one number"),
        ({"charge": 0, "total_charge": 2}, "different charges: charge gives 0, total_charge gives 2"),
        ({"multiplicity": 1, "uhf": 2}, "different numbers of unpaired electrons"),
        ({"multiplicity": 0}, "must be at least 1"),
        ({"uhf": 1}, "cannot have 1 unpaired"),
        ({"spin": -2}, "cannot be negative"),
        ({"uhf": 40}, "cannot leave 40 unpaired"),
    ],
)
def test_contradictions_are_errors(info: dict[str, Any], message: str) -> None:
    with pytest.raises(HelioError, match=message):
        electrons_of(with_info("H2O", **info))


def test_options_win() -> None:
    electrons = electrons_of(with_info("H2O", charge=0), charge=1, unpaired_electrons=1)
    assert (electrons.charge, electrons.unpaired, electrons.charge_source) == (1, 1, "as asked for")
