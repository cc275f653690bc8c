"""Peptides: names, torsions, handedness, charges, as other programs see them."""

from __future__ import annotations

from pathlib import Path

import MDAnalysis
import numpy as np
import pytest
from ase import Atoms
from ase.geometry import get_dihedrals

from helio.build import peptide, write_built
from helio.build.peptide import EXTENDED, HELIX, _heavy_atoms
from helio.errors import HelioError
from helio.files.structures import read_structure
from helio.system import System

ALL = "ACDEFGHIKLMNPQRSTVWY"


def position(atoms: Atoms, residue: int, name: str) -> np.ndarray:
    row = (atoms.arrays["residuenumbers"] == residue) & (atoms.arrays["atomtypes"] == name)
    assert row.sum() == 1
    return atoms.positions[row][0]


def torsion(*points: np.ndarray) -> float:
    a, b, c, d = points
    return float(get_dihedrals(np.array([b - a]), np.array([c - b]), np.array([d - c]))[0])


@pytest.mark.parametrize(("phi", "psi"), [HELIX, EXTENDED, (-75.0, 145.0)])
def test_torsions_are_those_asked_for(phi: float, psi: float) -> None:
    atoms = peptide("AGSLA", caps=True, phi=phi, psi=psi)
    for residue in range(2, 7):
        ca, c, n = (position(atoms, residue, name) for name in ("CA", "C", "N"))
        before = position(atoms, residue - 1, "C")
        after = position(atoms, residue + 1, "N")
        assert torsion(before, n, ca, c) == pytest.approx(phi % 360, abs=1e-4)
        assert torsion(n, ca, c, after) == pytest.approx(psi % 360, abs=1e-4)
        earlier = position(atoms, residue - 1, "CH3" if residue == 2 else "CA")
        assert torsion(earlier, before, n, ca) == pytest.approx(180, abs=1e-4)


def handedness(atoms: Atoms) -> dict[str, str]:
    """CIP labels of the stereocentres by the names of their atoms, from the coordinates alone."""
    from rdkit import Chem
    from rdkit.Chem import rdDetermineBonds

    rows = (f"{s} {x:.6f} {y:.6f} {z:.6f}" for s, (x, y, z) in zip(atoms.symbols, atoms.positions, strict=True))
    found = Chem.MolFromXYZBlock("\n".join([str(len(atoms)), "", *rows]))
    rdDetermineBonds.DetermineBonds(found, charge=atoms.info["charge"])
    assert len(Chem.GetMolFrags(found)) == 1
    names = atoms.arrays["atomtypes"]
    return {str(names[a.GetIdx()]): a.GetProp("_CIPCode") for a in found.GetAtoms() if a.HasProp("_CIPCode")}


@pytest.mark.parametrize("letter", ALL)
def test_amino_acids_are_l(letter: str) -> None:
    wanted = {"CA": "R" if letter == "C" else "S"} if letter != "G" else {}
    wanted |= {"I": {"CB": "S"}, "T": {"CB": "R"}}.get(letter, {})
    assert handedness(peptide(letter, caps=True)) == wanted


@pytest.mark.parametrize(
    ("sequence", "caps", "ph", "formula", "charge"),
    [
        ("A", True, 7.0, "C6H12N2O2", 0),  # alanine dipeptide
        ("A", False, 7.0, "C3H7NO2", 0),  # zwitterion
        ("G", False, 7.0, "C2H5NO2", 0),
        ("D", True, 7.0, "C7H11N2O4", -1),
        ("D", True, 2.0, "C7H12N2O4", 0),
        ("K", True, 7.0, "C9H20N3O2", 1),
        ("KR", True, 7.0, "C15H33N7O3", 2),
        ("E", False, 7.0, "C5H8NO4", -1),
        (ALL, True, 7.0, None, 0),
    ],
)
def test_composition_and_charge(sequence: str, caps: bool, ph: float, formula: str | None, charge: int) -> None:
    atoms = peptide(sequence, caps=caps, ph=ph)
    assert formula is None or atoms.get_chemical_formula() == formula
    assert atoms.info == {"charge": charge, "spin": 0}
    System.from_ase(atoms)


@pytest.mark.parametrize("shape", [HELIX, EXTENDED])
def test_atoms_keep_apart(shape: tuple[float, float]) -> None:
    atoms = peptide(ALL, caps=False, phi=shape[0], psi=shape[1])
    distances = atoms.get_all_distances() + 10 * np.eye(len(atoms))
    assert distances.min() > 0.95
    residues = atoms.arrays["residuenumbers"]
    apart = np.abs(residues[:, None] - residues[None]) > 1
    heavy = (atoms.numbers[:, None] > 1) & (atoms.numbers[None] > 1)
    assert distances[apart & heavy].min() > 2.4
    assert distances[apart].min() > 1.5


@pytest.mark.parametrize("shape", [HELIX, EXTENDED])
@pytest.mark.parametrize("sequence", [ALL * 2, ALL[::-1], "W" * 12, "IVTIVTIVTF", "GFWHYLLMRWKNFWPYLHMRY"])
@pytest.mark.parametrize("caps", [True, False])
def test_residues_do_not_clash_in_long_chains(sequence: str, shape: tuple[float, float], caps: bool) -> None:
    """Heavy atoms of different residues, but for those three bonds apart or fewer."""
    from openmm import unit

    topology, positions = _heavy_atoms(sequence, caps, *shape)
    places = np.array(positions.value_in_unit(unit.angstrom))
    bonded = np.eye(len(places), dtype=int)
    for one, other in topology.bonds():
        bonded[one.index, other.index] = bonded[other.index, one.index] = 1
    residue = np.array([atom.residue.index for atom in topology.atoms()])
    far = (np.linalg.matrix_power(bonded, 3) == 0) & (residue[:, None] != residue[None])
    assert np.linalg.norm(places[:, None] - places[None], axis=-1)[far].min() > 2.6


def test_a_helix_goes_on_after_a_proline() -> None:
    atoms = peptide("A" * 9 + "P" + "A" * 9, caps=True, phi=HELIX[0], psi=HELIX[1])
    ends = [position(atoms, residue, "CA") for residue in (2, 20)]
    assert np.linalg.norm(ends[1] - ends[0]) > 22  # were it straight: 27, 1.5 A for each residue


def test_helix_has_its_hydrogen_bonds() -> None:
    atoms = peptide("A" * 10, caps=True, phi=HELIX[0], psi=HELIX[1])
    for residue in range(2, 8):
        separation = position(atoms, residue, "O") - position(atoms, residue + 4, "N")
        assert 2.6 < np.linalg.norm(separation) < 3.3


def test_other_programs_know_the_residues(tmp_path: Path) -> None:
    from openmm import app

    file = tmp_path / "peptide.pdb"
    atoms = peptide(ALL, caps=True)
    write_built(file, atoms)
    universe = MDAnalysis.Universe(str(file))
    protein = universe.select_atoms("protein and not resname ACE NME")
    assert "".join(MDAnalysis.lib.util.convert_aa_code(str(name)) for name in protein.residues.resnames) == ALL
    assert len(universe.select_atoms("backbone and not resname ACE NME")) == 4 * len(ALL)
    np.testing.assert_allclose(universe.select_atoms("all").positions, atoms.positions, atol=1e-3)
    read = app.PDBFile(str(file))
    system = app.ForceField("amber14-all.xml").createSystem(read.topology)  # every residue has a template
    assert system.getNumParticles() == len(atoms)
    again = read_structure(file)
    assert [name.strip() for name in again.arrays["atomtypes"]] == list(atoms.arrays["atomtypes"])


def test_bad_sequences() -> None:
    with pytest.raises(HelioError, match="'B' is no amino acid"):
        peptide("ABA", caps=True)
    with pytest.raises(HelioError, match="empty"):
        peptide(" ", caps=True)


@pytest.mark.parametrize("letter", ALL)
def test_names_are_those_of_the_data_bank(letter: str) -> None:
    """Atoms that openmm's templates bond by name are a bond apart; of the two methyl groups the first is pro-R."""
    from openmm import app

    atoms = peptide(letter, caps=True)
    topology = app.Topology()
    chain = topology.addChain()
    residues = {n: topology.addResidue(r, chain) for n, r in ((1, "ACE"), (2, _name(atoms, 2)), (3, "NME"))}
    for name, symbol, number in zip(
        atoms.arrays["atomtypes"], atoms.symbols, atoms.arrays["residuenumbers"], strict=True
    ):
        topology.addAtom(str(name), app.Element.getBySymbol(symbol), residues[int(number)])
    topology.createStandardBonds()
    bonds = [(a.index, b.index) for a, b in topology.bonds()]
    rings = {"P": 1, "F": 1, "Y": 1, "H": 1, "W": 2}
    assert len(bonds) == len(atoms) - 1 + rings.get(letter, 0)
    lengths = [atoms.get_distance(a, b) for a, b in bonds]
    assert 0.9 < min(lengths) and max(lengths) < 1.9
    if letter in "VL":
        names = ("CB", "CA", "CG1", "CG2") if letter == "V" else ("CG", "CB", "CD1", "CD2")
        centre, back, first, second = (position(atoms, 2, name) for name in names)
        assert np.dot(back - centre, np.cross(first - centre, second - centre)) < 0


def _name(atoms: Atoms, residue: int) -> str:
    return str(atoms.arrays["residuenames"][atoms.arrays["residuenumbers"] == residue][0])
