"""Solvated proteins: what is added, what it weighs, what it is charged with, and what is refused."""

from __future__ import annotations

import io
from pathlib import Path

import MDAnalysis
import numpy as np
import pytest
from ase import Atoms
from ase.data import atomic_numbers

from helio.build import peptide, solvate, write_built
from helio.build.assembly import shortest_contact
from helio.build.charge import net_charge
from helio.build.openmm_atoms import add_hydrogens
from helio.build.output import pdb_text
from helio.errors import HelioError
from helio.system import System


@pytest.fixture
def made(tmp_path: Path):
    """Write the peptide of a sequence, without hydrogens, as a PDB file."""

    def make(sequence: str, *, caps: bool = True, extra: str = "", without: tuple[str, ...] = ()) -> Path:
        atoms = peptide(sequence, caps=caps)
        keep = (atoms.numbers > 1) & ~np.isin(atoms.arrays["atomtypes"], without)
        info = atoms.info
        atoms = atoms[keep]
        assert isinstance(atoms, Atoms)
        atoms.info = info
        file = tmp_path / f"{sequence}.pdb"
        file.write_text(pdb_text(atoms).replace("END\n", extra + "END\n"))
        return file

    return make


def hetatm(name: str, element: str, x: float, residue: int = 90) -> str:
    place = f"{x:8.3f}{0:8.3f}{0:8.3f}"
    return f"HETATM  900 {name:<4s} {name:>3s} B{residue:4d}    {place}  1.00  0.00          {element:>2s}\n"


def residues_of(atoms: Atoms, name: str) -> int:
    return len(np.unique(atoms.arrays["residuenumbers"][atoms.arrays["residuenames"] == name]))


def test_a_positive_peptide_gets_chloride(made, tmp_path: Path) -> None:
    said: list[str] = []
    whole = solvate(made("AK"), padding=5, report=said.append)
    water, chloride = residues_of(whole, "HOH"), residues_of(whole, "CL")
    assert (chloride, whole.info) == (1, {"charge": 0, "spin": 0})
    assert len(whole) == len(peptide("AK", caps=True)) + 1 + 3 * water
    assert f"added {water} waters and 1 ion in" in said[-1]
    System.from_ase(whole)

    solute = ~np.isin(whole.arrays["residuenames"], ["HOH", "CL"])
    molecules = np.where(solute, 0, whole.arrays["residuenumbers"])
    assert shortest_contact(whole, molecules) > 1.8
    # 0.73 cm3/g for the solute and 0.997 g/cm3 for the water
    mass = whole.get_masses()
    room = whole.get_volume() - 0.73 * 1.66053907 * mass[whole.arrays["residuenames"] != "HOH"].sum()
    assert 18.015 * water * 1.66053907 / room == pytest.approx(0.997, rel=0.01)
    inside = whole.positions[solute]
    assert inside.min() >= 5 - 1e-6 and (whole.cell.lengths() - inside.max(axis=0) >= 5 - 1e-6).all()
    assert np.ptp(whole.cell.lengths()) < 1e-9
    ion = int(np.flatnonzero(whole.numbers == 17)[0])
    assert whole.get_distances(ion, np.flatnonzero(solute), mic=True).min() > 4.9

    write_built(tmp_path / "solvated.pdb", whole)
    universe = MDAnalysis.Universe(str(tmp_path / "solvated.pdb"))
    assert universe.select_atoms("protein").n_atoms == solute.sum()
    assert universe.select_atoms("water").n_atoms == 3 * water
    np.testing.assert_allclose(universe.dimensions[:3], whole.cell.lengths(), atol=1e-3)


def test_a_negative_one_needs_a_decision(made) -> None:
    file = made("GE")
    with pytest.raises(HelioError, match=r"charge -1, and sodium.*ammonium.*--ph.*--counter-ions none"):
        solvate(file, padding=3)
    ammonium = solvate(file, padding=4, counter_ions="any", shape="box")
    assert residues_of(ammonium, "NH4") == 1 and ammonium.info["charge"] == 0
    charged = solvate(file, padding=3, counter_ions="none", shape="box")
    assert charged.info["charge"] == -1
    acid = solvate(file, padding=3, ph=2.0, shape="box")
    assert acid.info["charge"] == 0 and residues_of(acid, "CL") == 0
    for atoms in (ammonium, charged, acid):
        System.from_ase(atoms)


def test_missing_atoms_are_added(made) -> None:
    said: list[str] = []
    whole = solvate(made("AFA", without=("CZ", "CE1")), padding=3, shape="box", report=said.append)
    assert "built 2 missing heavy atoms" in said
    rest = whole[whole.arrays["residuenames"] != "HOH"]
    assert isinstance(rest, Atoms)
    assert rest.get_chemical_formula() == peptide("AFA", caps=True).get_chemical_formula()


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (hetatm("ZN", "ZN", 30) + hetatm("NA", "NA", 40, 91), r"Zn \(1 atom\), Na \(1 atom\).*--drop"),
        (hetatm("LIG", "C", 30), "hydrogens and the charge of LIG .* --ligand LIG=SMILES .*--drop LIG"),
    ],
)
def test_what_is_refused(made, extra: str, message: str) -> None:
    with pytest.raises(HelioError, match=message):
        solvate(made("AA", extra=extra), padding=3)


def test_drop_and_ions_of_the_file(made) -> None:
    file = made("AK", extra=hetatm("ZN", "ZN", 30) + hetatm("CL", "CL", 5, 91))
    whole = solvate(file, padding=3, shape="box", drop=["ZN"])
    assert residues_of(whole, "CL") == 1 and whole.info["charge"] == 0
    assert atomic_numbers["Zn"] not in whole.numbers
    with pytest.raises(HelioError, match="no such residues"):
        solvate(file, padding=3, drop=["MG"])


def test_a_broken_chain_is_refused(made, tmp_path: Path) -> None:
    lines = made("AAGGAA").read_text().splitlines()
    gap = tmp_path / "gap.pdb"
    gap.write_text("\n".join(line for line in lines if " GLY " not in line) + "\n")
    with pytest.raises(HelioError, match="broken between residues A 3-6"):
        solvate(gap, padding=3)


def test_bad_files(tmp_path: Path) -> None:
    with pytest.raises(HelioError, match="no file"):
        solvate(tmp_path / "nothing.pdb")
    (tmp_path / "text.pdb").write_text("nothing to see\n")
    with pytest.raises(HelioError, match=r"no atoms|cannot be read"):
        solvate(tmp_path / "text.pdb")
    (tmp_path / "some.xyz").write_text("1\n\nO 0 0 0\n")
    with pytest.raises(HelioError, match=r"\.pdb or \.cif"):
        solvate(tmp_path / "some.xyz")


@pytest.mark.parametrize("ph", [1.0, 5.0, 7.0, 12.0])
@pytest.mark.parametrize("caps", [True, False])
def test_charge_is_that_of_a_force_field(made, caps: bool, ph: float) -> None:
    """Amber's charges, summed over residues in the same protonation state."""
    check_charge(made("GDEHKRCYG", caps=caps).read_text(), ph)


@pytest.mark.parametrize(("letters", "flavor"), [("ACGU", 2), ("ACGT", 6)])
def test_charge_of_nucleic_acids(letters: str, flavor: int) -> None:
    from rdkit import Chem
    from rdkit.Chem import rdDistGeom

    whole = Chem.AddHs(Chem.MolFromSequence(letters, flavor=flavor))
    assert rdDistGeom.EmbedMolecule(whole, randomSeed=1, useRandomCoords=True) == 0
    assert check_charge(Chem.MolToPDBBlock(Chem.RemoveHs(whole)), 7.0) == -3


def check_charge(pdb: str, ph: float) -> int:
    from openmm import NonbondedForce, app, unit

    read = app.PDBFile(io.StringIO(pdb))
    topology, _ = add_hydrogens(read.topology, read.positions, ph=ph, seed=0)
    system = app.ForceField("amber14-all.xml").createSystem(topology)
    charges = next(force for force in system.getForces() if isinstance(force, NonbondedForce))
    each = (charges.getParticleParameters(index)[0] for index in range(system.getNumParticles()))
    total = sum(charge.value_in_unit(unit.elementary_charge) for charge in each)
    charge, unknown = net_charge(topology)
    assert unknown == [] and charge == round(total)
    return charge
