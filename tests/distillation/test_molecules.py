from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from helio.build import molecule
from helio.distillation import enumeration
from helio.distillation.enumeration import enumerated
from helio.distillation.placement import cluster
from helio.distillation.sequences import AMINO_ACIDS, random_sequence, smiles_of
from helio.errors import HelioError

Chem = pytest.importorskip("rdkit.Chem")


def canonical(smiles: str) -> str:
    return Chem.MolToSmiles(Chem.MolFromSmiles(smiles))


@pytest.mark.parametrize(
    ("chain", "sequence", "smiles"),
    [
        ("peptide", "A", "CNC(=O)[C@H](C)NC(C)=O"),  # alanine dipeptide
        ("peptide", "GK-", "[NH3+]CC(=O)N[C@@H](CCCC[NH3+])C(=O)[O-]"),
        ("peptide", "P-", "[NH2+]1CCC[C@H]1C(=O)[O-]"),
        ("rna", "A", "c1nc(c2c(n1)n(cn2)[C@H]3[C@@H]([C@@H]([C@H](O3)CO)O)O)N"),  # adenosine
        # cellobiose
        ("sugar", "GG", "OC[C@H]1O[C@@H](O[C@H]2[C@H](O)[C@@H](O)[C@H](O)O[C@@H]2CO)[C@H](O)[C@@H](O)[C@@H]1O"),
        ("lipid", "PC 3:0/3:0", "CCCC(=O)OC[C@H](COP(=O)([O-])OCC[N+](C)(C)C)OC(=O)CCC"),
    ],
)
def test_chains_are_the_molecules_that_databases_list(chain, sequence, smiles):
    assert canonical(smiles_of(chain, sequence)) == canonical(smiles)


def test_phosphates_between_nucleosides_are_charged():
    assert Chem.GetFormalCharge(Chem.MolFromSmiles(smiles_of("dna", "ACG"))) == -2


@pytest.mark.parametrize("chain", ["peptide", "dna", "rna", "sugar", "lipid"])
def test_random_sequences_are_molecules(chain):
    rng = np.random.default_rng(5)
    for _ in range(10):
        assert Chem.MolFromSmiles(smiles_of(chain, random_sequence(chain, 5, rng))) is not None


@pytest.mark.parametrize(("chain", "sequence"), [("peptide", "AXB"), ("dna", "AU"), ("sugar", "Z"), ("lipid", "PC 3")])
def test_letters_that_stand_for_nothing(chain, sequence):
    with pytest.raises(HelioError):
        smiles_of(chain, sequence)


def test_every_amino_acid_has_a_side_chain():
    whole = Chem.MolFromSmiles(smiles_of("peptide", AMINO_ACIDS))
    assert len(whole.GetSubstructMatches(Chem.MolFromSmarts("NCC(=O)N"))) == len(AMINO_ACIDS) == 26


def test_enumerated_molecules(monkeypatch):
    found = enumerated(120, seed=4, most_charge=1, heavy_atoms=(3, 9))
    assert len(set(found)) == 120
    assert found == enumerated(120, seed=4, most_charge=1, heavy_atoms=(3, 9)) != enumerated(20, seed=5)
    molecules = [Chem.MolFromSmiles(smiles) for smiles in found]
    assert {Chem.GetFormalCharge(one) for one in molecules} == {-1, 0, 1}
    assert all(3 <= one.GetNumHeavyAtoms() <= 9 for one in molecules)
    monkeypatch.setattr(enumeration, "CORES", ("[*:1]C[*:2]",))
    with pytest.raises(HelioError, match="only"):
        enumerated(2000, seed=4)


def test_clusters_touch_without_overlap():
    parts = [molecule("O"), molecule("CC(=O)[O-]"), molecule("O"), molecule("c1ccccc1")]
    for seed in range(5):
        found = cluster(parts, np.random.default_rng(seed), gaps=(0.0, 0.3))
        assert found.info == {"charge": -1, "spin": 0}
        edges = np.cumsum([0, *map(len, parts)])
        places = [found.positions[a:b] for a, b in pairwise(edges)]
        for number, one in enumerate(places):
            others = np.concatenate([other for i, other in enumerate(places) if i != number])
            assert 1.2 < cdist(one, others).min() < 4.5
            inside = parts[number].get_all_distances()
            np.testing.assert_allclose(cdist(one, one), inside, atol=1e-9)
