"""Fragments of large systems: what is kept whole, where caps sit, which charge a fragment has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule as small_molecule
from scipy.spatial.distance import pdist

from helio.build import molecule
from helio.distillation.fragments import CAP_LENGTH, Blocks, Fragment
from helio.distillation.parts import starts_of
from helio.distillation.perception import perceive
from helio.distillation.recipe import checked_recipe
from helio.distillation.sequences import smiles_of
from helio.errors import HelioError
from helio.files.structures import read_structure

Chem = pytest.importorskip("rdkit.Chem")
ELEMENTS = (1, 6, 7, 8, 9, 15, 16, 17)


def canonical(smiles: str) -> str:
    return Chem.MolToSmiles(Chem.MolFromSmiles(smiles), isomericSmiles=False)


def whole(atoms: Atoms) -> Fragment:
    blocks = Blocks.of(atoms)
    return blocks.cut_out(np.unique(blocks.of_atom))


@pytest.fixture(scope="module")
def peptide() -> Atoms:
    """Ac-KDFC-NMe with a charged lysine and a charged aspartate."""
    return molecule(smiles_of("peptide", "KDFC"), seed=3)


@pytest.mark.parametrize(
    "smiles",
    [
        "CC(=O)[O-]", "NC(N)=[NH2+]", "c1c[nH]c2ccccc12", "C[N+](=O)[O-]", "CS(=O)(=O)[O-]", "COP(=O)([O-])OC", "CC#N",
        "C=C=C", "C[S-]", "c1c[nH+]c[nH]1", "CS(C)=O", "C[S+](C)C", "C[N+](C)(C)[O-]", "Nc1ncnc2[nH]cnc12", "FC(Cl)=C",
        "O=c1cc[nH]c(=O)[nH]1", "[Cl-]", "[OH3+]",
    ],
)  # fmt: skip
def test_bonds_and_charges_are_those_of_the_molecule(smiles: str) -> None:
    assert canonical(whole(molecule(smiles, seed=1)).smiles()) == canonical(smiles)


@pytest.mark.parametrize("smiles", ["C[CH2]", "C[C-]=[NH2+]"])
def test_nothing_is_guessed(smiles: str) -> None:
    blocks = Blocks.of(molecule(smiles, seed=1))
    assert not blocks.system.known.any()
    with pytest.raises(HelioError, match="bonds and charge are not understood"):
        blocks.cut_out(np.array([0]))


def test_atoms_in_doubt_or_without_hydrogens_are_not_understood(peptide: Atoms) -> None:
    assert perceive(peptide).known.all()
    assert not perceive(peptide[peptide.numbers > 1]).known.any()  # pyright: ignore
    near = small_molecule("CH4") + small_molecule("CH4")
    near.positions[5:] += [0, 0, 2.4]
    assert perceive(near).known.all()
    near.positions[5:] -= [0, 0, 0.55]  # 1.85 A between the carbons
    assert not perceive(near).known.any()


@pytest.mark.parametrize("radius", [2.0, 4.0])
def test_spheres_of_a_peptide(peptide: Atoms, radius: float) -> None:
    blocks = Blocks.of(peptide)
    positions, numbers = blocks.system.atoms.positions, blocks.system.atoms.numbers
    assert blocks.system.charges.sum() == 0 and blocks.of_atom.max() > 10
    pairs = blocks.system.pairs
    degrees = np.bincount(pairs.ravel(), minlength=len(numbers))
    ring = np.flatnonzero(np.isin(np.arange(len(numbers)), _aromatic(peptide)))
    assert len(ring) == 6 and len(set(blocks.of_atom[ring])) == 1
    charged = set()
    for centre in np.flatnonzero(numbers > 1).tolist():
        fragment = blocks.cut_out(blocks.around(centre, radius), near=centre)
        kept = np.flatnonzero(np.isin(blocks.of_atom, blocks.around(centre, radius)))
        caps = np.arange(len(kept), len(fragment.atoms))
        assert set(np.flatnonzero(np.linalg.norm(positions - positions[centre], axis=1) < radius)) <= set(kept)
        np.testing.assert_allclose(fragment.atoms.positions[: len(kept)], positions[kept], atol=1e-12)
        for cap in caps:
            (bonded,) = fragment.pairs[(fragment.pairs == cap).any(axis=1)]
            arm = fragment.atoms.positions[cap] - fragment.atoms.positions[bonded.min()]
            assert np.linalg.norm(arm) == pytest.approx(CAP_LENGTH)
            cut = np.setdiff1d(pairs[(pairs == kept[bonded.min()]).any(axis=1)].ravel(), kept)
            bonds = positions[cut] - positions[kept[bonded.min()]]
            cosines = bonds @ arm / np.linalg.norm(bonds, axis=1) / CAP_LENGTH
            assert cosines.max() == pytest.approx(1)
        assert pdist(fragment.atoms.positions).min() > 0.9
        hydrogens = fragment.atoms.numbers == 1
        assert pdist(fragment.atoms.positions[hydrogens]).min(initial=9) > 1.2
        # Charges by counting: amines with four neighbours, and oxygens that end a carboxylate.
        amines = np.sum((numbers[kept] == 7) & (degrees[kept] == 4))
        ends = [atom for atom in kept.tolist() if numbers[atom] == 8 and degrees[atom] == 1]
        assert fragment.charge == amines - sum(_acid(pairs, numbers, end) for end in ends) // 2
        assert (fragment.atoms.numbers.sum() - fragment.charge) % 2 == 0
        assert Chem.GetFormalCharge(Chem.MolFromSmiles(fragment.smiles())) == fragment.charge
        charged.add(fragment.charge)
    assert {-1, 0, 1} <= charged


def _aromatic(atoms: Atoms) -> list[int]:
    """The carbons of the benzene ring, by rdkit's order of the very SMILES that made the molecule."""
    parsed = Chem.MolFromSmiles(smiles_of("peptide", "KDFC"))
    assert [atom.GetAtomicNum() for atom in parsed.GetAtoms()] == atoms.numbers[atoms.numbers > 1].tolist()
    return [atom.GetIdx() for atom in parsed.GetAtoms() if atom.GetIsAromatic()]


def _acid(pairs: np.ndarray, numbers: np.ndarray, oxygen: int) -> bool:
    (carbon,) = np.setdiff1d(pairs[(pairs == oxygen).any(axis=1)].ravel(), [oxygen])
    around = np.setdiff1d(pairs[(pairs == carbon).any(axis=1)].ravel(), [carbon])
    return int(np.sum(numbers[around] == 8)) == 2


def test_caps_never_collide() -> None:
    """Where two atoms with one carbon between them are kept, that carbon is kept as well."""
    butane = molecule("CCCC", seed=0)
    blocks = Blocks.of(butane)
    ends = blocks.of_atom[[0, 2]]
    assert set(blocks._filled(ends)) == set(blocks.of_atom[[0, 1, 2]])
    assert set(blocks._filled(blocks.of_atom[[0, 3]])) == set(blocks.of_atom)  # the two between are bonded


def test_water_stays_whole_across_a_boundary() -> None:
    edge, water = 9.3, small_molecule("H2O")
    box = Atoms(cell=[edge] * 3, pbc=True)
    for place in np.ndindex(3, 3, 3):
        one = water.copy()
        one.rotate(35 * sum(place), "x")
        one.positions += np.array(place) * edge / 3
        box += one
    box.wrap()
    blocks = Blocks.of(box)
    fragment = blocks.cut_out(blocks.around(0, 4.0), near=0)
    oxygens = fragment.atoms.numbers == 8
    assert 1 < oxygens.sum() < 27 and len(fragment.atoms) == 3 * oxygens.sum() and fragment.charge == 0
    distances = fragment.atoms.get_all_distances()[oxygens][:, ~oxygens]
    assert ((distances < 1.1).sum(axis=1) == 2).all()
    nearest = np.linalg.norm(fragment.atoms.positions - blocks.system.atoms.positions[0], axis=1)
    assert nearest.max() < 4.0 + 1.7
    with pytest.raises(HelioError, match="cell is less than twice 5 A high"):
        blocks.around(0, 5.0)


@pytest.mark.parametrize(
    ("smiles", "most", "expected"),
    [
        ("CCCC", 4, {"C", "CC", "CCC", "CCCC"}),
        ("CCCC", 2, {"C", "CC"}),
        ("Cc1ccccc1", 7, {"C", "c1ccccc1", "Cc1ccccc1"}),
        ("CCNC(C)=O", 9, {"C", "CNC=O", "CCNC=O", "CNC(C)=O", "CCNC(C)=O"}),
        ("CCC(=O)[O-]", 9, {"C", "CC", "O=C[O-]", "CC(=O)[O-]", "CCC(=O)[O-]"}),
        ("C1CCC1CO", 9, {"C1CCC1", "CO", "OCC1CCC1"}),
        ("C=CC=C", 9, {"C=CC=C"}),
    ],
)
def test_all_bonded_fragments(smiles: str, most: int, expected: set[str]) -> None:
    blocks = Blocks.of(molecule(smiles, seed=0))
    unions = list(blocks.unions((1, most)))
    assert {blocks.cut_out(union).smiles() for union in unions} == {canonical(one) for one in expected}
    assert len({tuple(union) for union in unions}) == len(unions)


def part(folder: Path, **values: object):
    values = {"kind": "fragments", "paths": ["system.extxyz"], **values}
    return checked_recipe({"parts": {"cut": values}}, folder).parts["cut"]


def test_starts_follow_from_the_seed(peptide: Atoms, tmp_path: Path) -> None:
    peptide.write(tmp_path / "system.extxyz")

    def made(seed: int, **values: object):
        starts = starts_of(part(tmp_path, **values), "cut", seed=seed, elements=ELEMENTS)
        return [starts.make(number) for number in range(starts.count)]

    one, again, other = (made(seed, count=6, radius=3.0) for seed in (0, 0, 1))
    assert len(one) == 6 and all(a.atoms == b.atoms and a.group == b.group for a, b in zip(one, again, strict=True))
    assert any(a.atoms != b.atoms for a, b in zip(one, other, strict=True))
    assert all(start.atoms.info["spin"] == 0 and not start.atoms.pbc.any() for start in one)
    molecules = made(0, way="bottom-up", heavy_atoms=[2, 3])
    charges = {start.group: start.atoms.info["charge"] for start in molecules}
    assert charges.items() >= {"CS": 0, "CC": 0, "O=C[O-]": -1, "CC[NH3+]": 1}.items()
    assert len(made(0, way="bottom-up", heavy_atoms=[2, 6], count=2)) == 2


def test_bad_input_is_one_sentence(peptide: Atoms, tmp_path: Path) -> None:
    def first(**values: object):
        return starts_of(part(tmp_path, **values), "cut", seed=0, elements=ELEMENTS).make(0)

    with pytest.raises(HelioError, match="there is no file"):
        first()
    peptide.write(tmp_path / "system.extxyz")
    with pytest.raises(HelioError, match="more than 9 atoms"):
        first(radius=9.0, most_atoms=9)
    with pytest.raises(HelioError, match="no fragment of the part cut has the elements"):
        first(way="bottom-up", heavy_atoms=[60, 61])
    with pytest.raises(HelioError, match=r"parts.cut.fragments.radius"):
        first(radius=-1)
    molecule("CC[CH2]").write(tmp_path / "system.extxyz")
    with pytest.raises(HelioError, match=r"no molecule of .* is understood"):
        first()
    peptide[peptide.numbers > 1].write(tmp_path / "system.extxyz")  # pyright: ignore
    with pytest.raises(HelioError, match="has no hydrogens"):
        first()


@pytest.mark.slow
def test_a_membrane_in_water_is_understood(shared: Path) -> None:
    atoms = read_structure(shared / "data" / "popc" / "POPC.pdb")
    blocks = Blocks.of(atoms)
    assert blocks.system.known.all() and np.unique(blocks.system.molecules).size == 128 + 5120
    assert blocks.system.charges.sum() == 0 and np.sum(blocks.system.charges == -1) == 128  # zwitterions
    centre = int(np.flatnonzero(atoms.numbers == 15)[0])
    fragment = blocks.cut_out(blocks.around(centre, 5.0), near=centre)
    assert "C[N+](C)(C)CCOP(=O)([O-])OCC(COC=O)OC=O" in fragment.smiles().split(".")
    assert Chem.GetFormalCharge(Chem.MolFromSmiles(fragment.smiles())) == fragment.charge
