"""Lipids and bilayers."""

from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms

from helio.build import bilayer
from helio.build.assembly import shortest_contact
from helio.build.bilayer import _shares
from helio.build.lipid import read_lipid
from helio.errors import HelioError
from helio.system import System

# Octylphosphocholine, a single-tailed zwitterion, and octanoic acid's anion.
CHOLINE = "CCCCCCCCOP(=O)([O-])OCC[N+](C)(C)C"
OCTANOATE = "CCCCCCCC(=O)[O-]"


def test_lipid_from_smiles_is_upright() -> None:
    lipid = read_lipid(CHOLINE)
    assert lipid.atoms.symbols[lipid.head] == "P"
    assert [str(lipid.atoms.arrays["atomtypes"][index]) for index in lipid.tails] == ["C1"]
    z = lipid.atoms.positions[:, 2]
    assert z[lipid.tails[0]] == pytest.approx(0, abs=1e-9)
    assert 9 * 1.1 < lipid.length < 9 * 1.3  # nine bonds, stretched
    assert lipid.atoms.info == {"charge": 0, "spin": 0}


def test_popc_from_a_file(shared: Path, tmp_path: Path) -> None:
    membrane = ase.io.read(shared / "data" / "popc" / "POPC.pdb")
    assert isinstance(membrane, Atoms)
    ase.io.write(tmp_path / "popc.pdb", membrane[:134])  # pyright: ignore[reportArgumentType]
    lipid = read_lipid(str(tmp_path / "popc.pdb"))
    names = lipid.atoms.arrays["atomtypes"]
    assert names[lipid.head] == "P" and [str(names[index]) for index in lipid.tails] == ["C218", "C316"]
    assert lipid.atoms.get_chemical_formula() == "C42H82NO8P"
    assert 20 < lipid.length < 28
    assert np.linalg.norm(np.diff(lipid.atoms.positions[list(lipid.tails)], axis=0)) < 8
    # the cis double bond stays one
    bond = [list(names).index(name) for name in ("C28", "C29", "C210", "C211")]
    assert abs((lipid.atoms.get_dihedral(bond[0], bond[1], bond[2], bond[3]) + 180) % 360 - 180) < 30
    with pytest.raises(HelioError, match=r"holds \d+ molecules"):
        ase.io.write(tmp_path / "two.pdb", membrane[:268])  # pyright: ignore[reportArgumentType]
        read_lipid(str(tmp_path / "two.pdb"))


def test_bilayer_has_two_leaflets_and_water_outside() -> None:
    said: list[str] = []
    lipid = read_lipid(CHOLINE)
    whole = bilayer([lipid], per_leaflet=4, area_per_lipid=60, waters_per_lipid=8, report=said.append)
    waters = 2 * 4 * 8
    assert len(whole) == 8 * len(lipid.atoms) + 3 * waters
    assert whole.cell.cellpar()[:2] == pytest.approx([240**0.5] * 2) and whole.pbc.all()
    middle = whole.cell.lengths()[2] / 2
    heads = whole.positions[whole.numbers == 15, 2] - middle
    assert (heads > lipid.length - 2.5).sum() == 4 and (heads < -lipid.length + 2.5).sum() == 4
    oxygens = whole.positions[(whole.arrays["residuenames"] == "HOH") & (whole.numbers == 8), 2] - middle
    assert np.abs(oxygens).min() > lipid.length - 1.5
    assert (oxygens > 0).sum() == waters // 2
    assert shortest_contact(whole, whole.arrays["residuenumbers"]) > 1.6
    assert whole.info == {"charge": 0, "spin": 0} and "4 lipids per leaflet and 64 waters" in said[0]
    System.from_ase(whole)


def test_mixture_and_its_charge() -> None:
    lipids = [read_lipid(CHOLINE), read_lipid(OCTANOATE)]
    whole = bilayer(lipids, per_leaflet=3, ratio=[1, 2], area_per_lipid=60, waters_per_lipid=4)
    assert whole.info["charge"] == -4
    assert (whole.numbers == 15).sum() == 2
    System.from_ase(whole)


def test_shares() -> None:
    assert _shares(16, [3, 1], 2) == [12, 4]
    assert _shares(5, [1, 1], 2) == [3, 2]
    assert _shares(4, [1, 0], 2) == [4, 0]
    with pytest.raises(HelioError, match="one share for each"):
        _shares(4, [1], 2)


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("missing.pdb", {}, "no file"),
        ("CCCC", {}, "no P, N or O"),
        ("CCCCO", {"head": "N9"}, "no atom 'N9'"),
        ("CCCCO", {"tails": ["O1"]}, "also an end of its tails"),
        ("C[Si]CO", {}, "Si"),
    ],
)
def test_bad_lipids(source: str, options: dict, message: str) -> None:
    with pytest.raises(HelioError, match=message):
        read_lipid(source, **options)
