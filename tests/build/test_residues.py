"""Modified residues, ligands, alternate locations and water of the file: what stays, what is added, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from typer.testing import CliRunner

from helio.build import peptide, solvate
from helio.build.assembly import FORMAL_CHARGES
from helio.build.chemistry import KNOWN_RESIDUES, read_chemistry
from helio.build.locations import single_locations
from helio.build.output import pdb_text
from helio.build.repair import Repair, complete_structure
from helio.cli import app
from helio.errors import HelioError
from helio.files.structures import read_structure
from helio.system import System

# Amino acids as they lie in a chain, between acetyl and N-methylamide: SMILES of the rest, in which {} is what is
# bonded to N, and charge. Written down apart from the table of Helio.
IN_CHAIN = {
    "PTR": ("N{}C(Cc1ccc(OP(=O)([O-])[O-])cc1)", -2),
    "SEP": ("N{}C(COP(=O)([O-])[O-])", -2),
    "HYP": ("N1{}CC(O)CC1", 0),
    "CGU": ("N{}C(CC(C(=O)[O-])C(=O)[O-])", -2),
    "M3L": ("N{}C(CCCC[N+](C)(C)C)", 1),
    "SAR": ("N{}(C)C", 0),
}


def atom_line(serial: int, name: str, residue: str, number: int, place, element: str, *, record: str = "HETATM") -> str:
    x, y, z = place
    name = name if len(name) > 3 else f" {name}"
    return (
        f"{record:6s}{serial:5d} {name:<4s} {residue:>3s} A{number:4d}    {x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00"
        f"          {element:>2s}"
    )


def embedded(smiles: str, *, seed: int = 3):
    from rdkit import Chem
    from rdkit.Chem import rdDistGeom

    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    assert rdDistGeom.EmbedMolecule(molecule, randomSeed=seed, useRandomCoords=True) == 0
    return molecule


def capped(name: str, *, hydrogens: bool = False) -> tuple[str, Atoms]:
    """PDB text of ACE-X-NME without hydrogens (or with those of X), and the whole molecule by rdkit."""
    chain, _ = IN_CHAIN[name]
    molecule = embedded(f"C[13C](=O){chain.format('')}[13C](=O)NC".replace("{}", ""))
    places, lines = molecule.GetConformer().GetPositions(), []
    heavy = [atom for atom in molecule.GetAtoms() if atom.GetAtomicNum() > 1]
    names = {0: ("CH3", "ACE", 1), 1: ("C", "ACE", 1), 2: ("O", "ACE", 1)}
    last = len(heavy) - 1
    names |= {last - 1: ("N", "NME", 3), last: ("C", "NME", 3)}
    own = {3: "N", last - 3: "C", last - 2: "O"}
    alpha = next(a for a in heavy[last - 3].GetNeighbors() if a.GetSymbol() == "C" and a.GetIdx() > 3)
    own[alpha.GetIdx()] = "CA"
    for atom in heavy:
        index = atom.GetIdx()
        title = names.get(index, (own.get(index, f"{atom.GetSymbol()}{index}"), name, 2))
        lines.append((title[2], atom_line(index, *title, places[index], atom.GetSymbol().upper())))
        for other in atom.GetNeighbors() if hydrogens and title[1] == name else ():
            if other.GetAtomicNum() == 1:
                number = other.GetIdx()
                lines.append((2, atom_line(number, f"H{number}", name, 2, places[number], "H")))
    text = "\n".join(line for _, line in sorted(lines, key=lambda pair: pair[0]))
    return f"{text}\nEND\n", Atoms([atom.GetSymbol() for atom in molecule.GetAtoms()], places)


def complete(text: str, tmp_path: Path, **options) -> tuple[Atoms, int]:
    from helio.build.openmm_atoms import to_atoms

    (tmp_path / "in.pdb").write_text(text)
    structure = complete_structure(tmp_path / "in.pdb", Repair(**options))
    assert not structure.unknown
    atoms = to_atoms(structure.topology, structure.positions, structure.formal_charges)
    return atoms, sum(structure.formal_charges.values())


@pytest.mark.parametrize("name", IN_CHAIN)
def test_modified_residues_stay(name: str, tmp_path: Path) -> None:
    text, expected = capped(name)
    atoms, charge = complete(text, tmp_path)
    assert atoms.get_chemical_formula() == expected.get_chemical_formula()
    assert charge == IN_CHAIN[name][1]
    assert set(atoms.arrays["residuenames"]) == {"ACE", name, "NME"}
    distances = atoms.get_all_distances() + 10 * np.eye(len(atoms))
    assert distances.min() > 0.9
    # every hydrogen is bonded to one atom: the nearest other one is far
    for index in np.flatnonzero(atoms.numbers == 1):
        near = np.sort(distances[index])
        assert near[0] < 1.15 and near[1] > 1.3


def test_all_known_residues_are_sound() -> None:
    from rdkit import Chem

    for name, known in KNOWN_RESIDUES.items():
        molecule = read_chemistry(known.smiles).molecule
        assert not any(atom.GetNumRadicalElectrons() for atom in molecule.GetAtoms()), name
        if known.pka is not None:
            acid = read_chemistry(known.at(known.pka - 1)).molecule
            assert Chem.GetFormalCharge(acid) == Chem.GetFormalCharge(molecule) + 1


def test_hydrogens_of_the_file_stay_where_they_are(tmp_path: Path) -> None:
    text, expected = capped("SEP", hydrogens=True)
    atoms, charge = complete(text, tmp_path)
    assert atoms.get_chemical_formula() == expected.get_chemical_formula() and charge == -2
    given = [line[30:54] for line in text.splitlines() if line[76:78] == " H"]
    there = {f"{x:8.3f}{y:8.3f}{z:8.3f}" for x, y, z in atoms.positions}
    assert len(given) == 4 and set(given) <= there
    acid, charge = complete(text, tmp_path, ph=4.0)  # one more, so that those of the file cannot stay
    assert len(acid) == len(atoms) + 1 and charge == -1


def test_the_end_of_a_chain(tmp_path: Path) -> None:
    text, whole = capped("PTR")
    lines = [line for line in text.splitlines() if " NME " not in line]
    atoms, charge = complete("\n".join(lines), tmp_path)
    assert charge == -3 and "OXT" in atoms.arrays["atomtypes"]
    assert len(atoms) == len(whole) - len("NCHHHH") + 1
    ends = [list(atoms.arrays["atomtypes"]).index(name) for name in ("C", "O", "OXT")]
    ends[0] = int(np.flatnonzero((atoms.arrays["atomtypes"] == "C") & (atoms.arrays["residuenames"] == "PTR"))[0])
    ends[1] = int(np.flatnonzero((atoms.arrays["atomtypes"] == "O") & (atoms.arrays["residuenames"] == "PTR"))[0])
    assert atoms.get_angle(ends[1], ends[0], ends[2]) == pytest.approx(120, abs=8)


def test_charges_of_atoms_sum_to_the_charge() -> None:
    atoms = peptide("GDEHKRCYG", caps=False)
    located = atoms.arrays[FORMAL_CHARGES]
    assert located.sum() == atoms.info["charge"] == 0
    rows = zip(atoms.arrays["residuenames"], atoms.arrays["atomtypes"], located, strict=True)
    assert {(str(residue), str(name), int(charge)) for residue, name, charge in rows if charge} == {
        ("GLY", "N", 1),
        ("ASP", "OD2", -1),
        ("GLU", "OE2", -1),
        ("LYS", "NZ", 1),
        ("ARG", "NH2", 1),
        ("GLY", "OXT", -1),
    }


def phosphotyrosine(tmp_path: Path) -> Path:
    path = tmp_path / "ptr.pdb"
    path.write_text(capped("PTR")[0])
    return path


def test_replacing_is_asked_for(tmp_path: Path) -> None:
    path = phosphotyrosine(tmp_path)
    options = ["--padding", "4", "--shape", "box", "--counter-ions", "none", "--no-relax", "--overwrite"]
    command = ["build", "solvate", str(path), *options, "--out", str(tmp_path / "out.pdb")]
    kept = CliRunner().invoke(app, command)
    assert kept.exit_code == 0 and "kept 1 PTR (phosphotyrosine), each of charge -2" in kept.output
    assert "charge -2" in kept.output and "does not hold" not in kept.output
    assert 15 in read_structure(tmp_path / "out.pdb").numbers
    charges = [line[78:80].strip() for line in (tmp_path / "out.pdb").read_text().splitlines() if line[:6] == "HETATM"]
    assert sorted(filter(None, charges)) == ["1-", "1-"]
    replaced = CliRunner().invoke(app, [*command, "--replace-residues", "PTR"])
    assert replaced.exit_code == 0 and "replaced 1 PTR by TYR" in replaced.output
    assert 15 not in read_structure(tmp_path / "out.pdb").numbers
    wrong = CliRunner().invoke(app, [*command, "--replace-residues", "SEP"])
    assert wrong.exit_code != 0


def test_what_would_change_is_refused(tmp_path: Path) -> None:
    selenium = atom_line(900, "SE", "MSE", 90, (30, 0, 0), "SE")
    text = capped("PTR")[0].replace("END\n", f"{selenium}\nEND\n")
    with pytest.raises(HelioError, match=r"Se \(1 atom\).*--drop MSE.*--replace-residues MSE \(MSE becomes MET\)"):
        complete(text, tmp_path)
    with pytest.raises(HelioError, match=r"SER A 2 .*has atoms that SER has not.*--ligand SER=SMILES"):
        complete(capped("SEP")[0].replace("SEP", "SER"), tmp_path)
    with pytest.raises(HelioError, match="charge of CSX"):
        complete(capped("SAR")[0].replace("SAR", "CSX"), tmp_path)
    # a loop of phosphoserine that is listed and not placed
    lines = pdb_text(peptide("AASAA", caps=False)).splitlines()
    listed = "SEQRES   1 A    5  ALA ALA SEP ALA ALA"
    gap = [listed, *(line for line in lines if " SER " not in line and not line[76:78] == " H")]
    with pytest.raises(HelioError, match=r"lists residues SEP .*--replace-residues SEP"):
        complete("\n".join(gap), tmp_path)


BENZAMIDINE = "NC(=[NH2+])c1ccccc1"


def ligand(name: str, number: int, at: tuple[float, float, float], *, smiles: str = BENZAMIDINE, seed: int = 1) -> str:
    molecule = embedded(smiles, seed=seed)
    places = molecule.GetConformer().GetPositions() + np.array(at)
    return "\n".join(
        atom_line(500, f"{a.GetSymbol()}{a.GetIdx()}", name, number, places[a.GetIdx()], a.GetSymbol().upper())
        for a in molecule.GetAtoms()
        if a.GetAtomicNum() > 1
    )


def complex_of(tmp_path: Path) -> Path:
    """A peptide with two benzamidines and an acetate, without hydrogens."""
    lines = pdb_text(peptide("AFA", caps=True)).splitlines()
    heavy = [line for line in lines if line[:6] in ("ATOM  ", "HETATM") and line[76:78] != " H"]
    parts = [ligand("BEN", 50, (12, 0, 0)), ligand("BEN", 51, (-12, 0, 0), seed=2)]
    parts.append(ligand("ACT", 52, (0, 12, 0), smiles="CC(=O)[O-]"))
    path = tmp_path / "complex.pdb"
    path.write_text("\n".join([*heavy, "TER", *parts, "END", ""]))
    return path


def test_ligands_by_smiles_and_file(tmp_path: Path) -> None:
    from rdkit import Chem

    path = complex_of(tmp_path)
    command = ["build", "solvate", str(path), "--padding", "4", "--shape", "box", "--no-relax"]
    command += ["--out", str(tmp_path / "out.extxyz")]
    refused = CliRunner().invoke(app, command)
    assert refused.exit_code != 0
    said = " ".join(refused.stderr.split())
    assert "ACT, BEN (2)" in said and "--ligand ACT=SMILES --ligand BEN=SMILES" in said and "--drop ACT,BEN" in said

    Chem.MolToMolFile(embedded("CC(=O)[O-]"), str(tmp_path / "acetate.sdf"))
    given = ["--ligand", f"BEN={BENZAMIDINE}", "--ligand", f"ACT={tmp_path / 'acetate.sdf'}"]
    built = CliRunner().invoke(app, [*command, *given])
    assert built.exit_code == 0, built.output
    assert "kept 2 BEN, each of charge +1" in built.output and "kept 1 ACT, each of charge -1" in built.output
    assert "the solute has" in built.output and "and charge +1" in built.output
    atoms = read_structure(tmp_path / "out.extxyz")
    assert atoms.info["charge"] == 0
    names = atoms.arrays["residuenames"]
    benzamidine = atoms[names == "BEN"]
    assert isinstance(benzamidine, Atoms) and benzamidine.get_chemical_formula() == "C14H18N4"
    assert np.sum(names == "CL") == 1
    System.from_ase(atoms)


def test_a_ligand_that_does_not_fit(tmp_path: Path) -> None:
    path = complex_of(tmp_path)
    with pytest.raises(HelioError, match=r"BEN A 50 .* is not CCO: it has C7 N2"):
        solvate(path, ligands={"BEN": "CCO", "ACT": "CC(=O)[O-]"})
    with pytest.raises(HelioError, match="no SMILES that rdkit can read"):
        solvate(path, ligands={"BEN": "C1CC"})
    with pytest.raises(HelioError, match=r"no file .*ben\.sdf"):
        solvate(path, ligands={"BEN": "ben.sdf"})
    wrong = CliRunner().invoke(app, ["build", "solvate", str(path), "--out", "o.pdb", "--ligand", "BEN"])
    assert wrong.exit_code != 0 and "NAME=SMILES" in " ".join(wrong.stderr.split())


def test_a_sugar_on_asparagine(tmp_path: Path) -> None:
    """Both sides of the bond between ND2 and C1 give up a hydrogen, or the OH of the free sugar."""
    molecule = embedded("CC(=O)NC(CC(=O)NC1C(NC(C)=O)C(O)C(O)C(CO)O1)C(=O)NC")
    places = molecule.GetConformer().GetPositions()
    names = ["CH3", "C", "O", "N", "CA", "CB", "CG", "OD1", "ND2"]
    sugar = [9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22]
    lines = []
    for index, name in enumerate(names):
        residue, number = ("ACE", 1) if index < 3 else ("ASN", 2)
        lines.append(atom_line(index, name, residue, number, places[index], molecule.GetAtomWithIdx(index).GetSymbol()))
    lines += [atom_line(23, "C", "ASN", 2, places[23], "C"), atom_line(24, "O", "ASN", 2, places[24], "O")]
    lines += [atom_line(25, "N", "NME", 3, places[25], "N"), atom_line(26, "C", "NME", 3, places[26], "C"), "TER"]
    for index in sugar:
        symbol = molecule.GetAtomWithIdx(index).GetSymbol()
        lines.append(atom_line(index, f"{symbol}{index}", "NAG", 9, places[index], symbol))
    atoms, charge = complete("\n".join([*lines, "END"]), tmp_path)
    assert charge == 0 and len(atoms) == molecule.GetNumAtoms()


DISORDERED = """\
ATOM      1  N   ALA A   1       0.000   0.000   0.000  1.00  0.00           N
ATOM      2  CA AALA A   1       1.450   0.000   0.000  0.40  0.00           C
ATOM      3  CA BALA A   1       1.450   0.200   0.000  0.60  0.00           C
ATOM      4  C   ALA A   1       2.000   1.400   0.000  0.70  0.00           C
"""
DISORDERED_CIF = """\
data_x
loop_
_atom_site.group_PDB
_atom_site.label_atom_id
_atom_site.label_alt_id
_atom_site.label_comp_id
_atom_site.label_asym_id
_atom_site.label_seq_id
_atom_site.Cartn_y
_atom_site.occupancy
ATOM "C1'" . ALA A 1 0.0 1.0
ATOM CA A ALA A 1 0.0 0.4
ATOM CA B ALA A 1 0.2 0.6
#
"""


@pytest.mark.parametrize(("text", "cif"), [(DISORDERED, False), (DISORDERED_CIF, True)])
def test_locations(text: str, cif: bool) -> None:
    taken, said = single_locations(text, cif=cif, source="x")
    assert "CA B" in taken.replace("  ", " ") and "CA A" not in taken.replace("  ", " ")
    assert "1 residue has alternate locations: took B of 1" in said[0] and "ALA A 1" in said[0]
    first, _ = single_locations(text, cif=cif, source="x", altloc="A")
    assert "CA A" in first.replace("  ", " ") and "CA B" not in first.replace("  ", " ")
    with pytest.raises(HelioError, match="no locations C: there are A B"):
        single_locations(text, cif=cif, source="x", altloc="C")


def test_models(tmp_path: Path) -> None:
    one = [line for line in pdb_text(peptide("A", caps=True)).splitlines() if line[:4] == "ATOM"]
    two = [f"{line[:30]}{float(line[30:38]) + 50:8.3f}{line[38:]}" for line in one]
    text = "\n".join(["MODEL        1", *one, "ENDMDL", "MODEL        2", *two, "ENDMDL", "END", ""])
    (tmp_path / "models.pdb").write_text(text)
    first = complete_structure(tmp_path / "models.pdb", Repair())
    assert "took model 1 of the 2 in the file" in first.said[0]
    second = complete_structure(tmp_path / "models.pdb", Repair(frame=1))
    shift = np.array((second.positions - first.positions)._value)
    heavy = [atom.index for atom in first.topology.atoms() if atom.element.symbol != "H"]
    np.testing.assert_allclose(shift[heavy], np.tile([50.0, 0, 0], (len(heavy), 1)), atol=1e-4)
    with pytest.raises(HelioError, match="no --frame 2"):
        complete_structure(tmp_path / "models.pdb", Repair(frame=2))


def test_water_that_is_there(tmp_path: Path) -> None:
    bare = tmp_path / "bare.pdb"
    bare.write_text(pdb_text(peptide("A", caps=True)))
    box = tmp_path / "box.pdb"
    solvated = solvate(bare, padding=5, shape="box")
    box.write_text(pdb_text(solvated))
    waters = int(np.sum((solvated.arrays["residuenames"] == "HOH") & (solvated.numbers == 8)))
    with pytest.raises(HelioError, match=rf"holds {waters} waters.*solvated already.*--existing-water only"):
        solvate(box, padding=5)
    said: list[str] = []
    same = solvate(box, existing_water="only", report=said.append)
    assert len(same) == len(solvated) and f"took the {waters} waters" in said[-1]
    np.testing.assert_allclose(same.cell.lengths(), solvated.cell.lengths(), atol=1e-3)
    anew = solvate(box, padding=5, shape="box", existing_water="drop")
    assert abs(len(anew) - len(solvated)) < 30
    crystal = tmp_path / "crystal.pdb"
    crystal.write_text(bare.read_text().replace("END\n", f"{atom_line(900, 'O', 'HOH', 90, (9, 0, 0), 'O')}\nEND\n"))
    said.clear()
    solvate(crystal, padding=4, shape="box", report=said.append)
    assert any("kept 1 water of the file" in line for line in said)
