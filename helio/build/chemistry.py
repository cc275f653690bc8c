"""Chemistry of residues: bonds, hydrogens and charges, from SMILES or a file, for residues openmm does not know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helio.build.elements import check_elements
from helio.errors import HelioError, excerpt
from helio.packages import need

_FILES = (".sdf", ".mol", ".mol2")


@dataclass(frozen=True)
class Chemistry:
    """The heavy atoms of the free molecule as one of rdkit: Kekule bonds, formal charges, numbers of hydrogens."""

    source: str
    molecule: Any


@dataclass(frozen=True)
class KnownResidue:
    """A residue that Helio knows, as the free molecule at pH 7 and, where a proton more matters, below its pKa."""

    name: str
    smiles: str
    pka: float | None = None
    below_pka: str = ""

    def at(self, ph: float) -> str:
        """The SMILES at a pH."""
        return self.below_pka if self.pka is not None and ph < self.pka else self.smiles


def _amino_acid(side_chain: str, *, below: str = "") -> tuple[str, str]:
    """SMILES of an amino acid from that of its side chain with CB first, and of its form below the pKa."""
    return f"[NH3+]C({side_chain})C(=O)[O-]", f"[NH3+]C({below})C(=O)[O-]" if below else ""


# Side chains in the dictionary of the Protein Data Bank. Second pKa of phosphate: Xie, Jiang, Ben-Amotz, Anal. Biochem.
# 343, 230 (2005); Bienkiewicz and Lumb, J. Biomol. NMR 15, 203 (1999).
_SIDE_CHAINS = {
    "ABA": ("2-aminobutyric acid", "CC"),
    "ALY": ("acetyl-lysine", "CCCCNC(C)=O"),
    "CGU": ("carboxyglutamate", "CC(C(=O)[O-])C(=O)[O-]"),
    "CME": ("hydroxyethylthiocysteine", "CSSCCO"),
    "CSD": ("cysteine sulfinate", "CS(=O)[O-]"),
    "CSO": ("hydroxycysteine", "CSO"),
    "DAL": ("D-alanine", "C"),
    "DAR": ("D-arginine", "CCCNC(N)=[NH2+]"),
    "DAS": ("D-aspartate", "CC(=O)[O-]"),
    "DGL": ("D-glutamate", "CCC(=O)[O-]"),
    "DGN": ("D-glutamine", "CCC(N)=O"),
    "DIL": ("D-isoleucine", "C(C)CC"),
    "DLE": ("D-leucine", "CC(C)C"),
    "DLY": ("D-lysine", "CCCC[NH3+]"),
    "DPN": ("D-phenylalanine", "Cc1ccccc1"),
    "DSG": ("D-asparagine", "CC(N)=O"),
    "DSN": ("D-serine", "CO"),
    "DTH": ("D-threonine", "C(C)O"),
    "DTR": ("D-tryptophan", "Cc1c[nH]c2ccccc12"),
    "DTY": ("D-tyrosine", "Cc1ccc(O)cc1"),
    "DVA": ("D-valine", "C(C)C"),
    "KCX": ("lysine carbamate", "CCCCNC(=O)[O-]"),
    "M3L": ("trimethyl-lysine", "CCCC[N+](C)(C)C"),
    "MED": ("D-methionine", "CCSC"),
    "MHO": ("methionine sulfoxide", "CCS(C)=O"),
    "MLY": ("dimethyl-lysine", "CCCC[NH+](C)C"),
    "MLZ": ("methyl-lysine", "CCCC[NH2+]C"),
    "NLE": ("norleucine", "CCCC"),
    "NLN": ("asparagine with a sugar", "CC(N)=O"),
    "OCS": ("cysteate", "CS(=O)(=O)[O-]"),
    "OLS": ("serine with a sugar", "CO"),
    "OLT": ("threonine with a sugar", "C(C)O"),
    "OMT": ("methionine sulfone", "CCS(C)(=O)=O"),
    "ORN": ("ornithine", "CCC[NH3+]"),
    "SME": ("methionine sulfoxide", "CCS(C)=O"),
    "TYS": ("tyrosine sulfate", "Cc1ccc(OS(=O)(=O)[O-])cc1"),
}
_PHOSPHATES = {
    "SEP": ("phosphoserine", "COP(=O)([O-]){}", 5.6),
    "TPO": ("phosphothreonine", "C(C)OP(=O)([O-]){}", 5.9),
    "PTR": ("phosphotyrosine", "Cc1ccc(OP(=O)([O-]){})cc1", 5.9),
}
_OTHERS = {
    "AIB": ("aminoisobutyric acid", "[NH3+]C(C)(C)C(=O)[O-]"),
    "DPR": ("D-proline", "[NH2+]1CCCC1C(=O)[O-]"),
    "HYP": ("hydroxyproline", "[NH2+]1CC(O)CC1C(=O)[O-]"),
    "PCA": ("pyroglutamate", "N1C(=O)CCC1C(=O)[O-]"),
    "SAR": ("sarcosine", "C[NH2+]CC(=O)[O-]"),
    "BMA": ("mannose", "OCC1OC(O)C(O)C(O)C1O"),
    "FUC": ("fucose", "CC1OC(O)C(O)C(O)C1O"),
    "FUL": ("fucose", "CC1OC(O)C(O)C(O)C1O"),
    "GAL": ("galactose", "OCC1OC(O)C(O)C(O)C1O"),
    "GLA": ("galactose", "OCC1OC(O)C(O)C(O)C1O"),
    "BGC": ("glucose", "OCC1OC(O)C(O)C(O)C1O"),
    "GLC": ("glucose", "OCC1OC(O)C(O)C(O)C1O"),
    "MAN": ("mannose", "OCC1OC(O)C(O)C(O)C1O"),
    "NAG": ("N-acetylglucosamine", "CC(=O)NC1C(O)OC(CO)C(O)C1O"),
    "NDG": ("N-acetylglucosamine", "CC(=O)NC1C(O)OC(CO)C(O)C1O"),
    "SIA": ("sialic acid", "CC(=O)NC1C(O)CC(O)(C(=O)[O-])OC1C(O)C(O)CO"),
    "XYP": ("xylose", "OC1COC(O)C(O)C1O"),
    "XYS": ("xylose", "OC1COC(O)C(O)C1O"),
}
KNOWN_RESIDUES: Mapping[str, KnownResidue] = {
    **{code: KnownResidue(name, _amino_acid(chain)[0]) for code, (name, chain) in _SIDE_CHAINS.items()},
    **{
        code: KnownResidue(name, above, pka, below)
        for code, (name, chain, pka) in _PHOSPHATES.items()
        for above, below in [_amino_acid(chain.format("[O-]"), below=chain.format("O"))]
    },
    **{code: KnownResidue(name, smiles) for code, (name, smiles) in _OTHERS.items()},
}
# Standard residues that may be bonded to something else than a neighbour in their chain: glycans and covalent ligands.
LINKED_RESIDUES: Mapping[str, KnownResidue] = {
    "ASN": KnownResidue("asparagine", _amino_acid("CC(N)=O")[0]),
    "CYS": KnownResidue("cysteine", _amino_acid("CS")[0]),
    "SER": KnownResidue("serine", _amino_acid("CO")[0]),
    "THR": KnownResidue("threonine", _amino_acid("C(C)O")[0]),
    "TYR": KnownResidue("tyrosine", _amino_acid("Cc1ccc(O)cc1")[0]),
}


def read_chemistry(source: str) -> Chemistry:
    """From a SMILES, or a file with bonds: .sdf, .mol or .mol2. Formal charges and hydrogens are taken as they stand.

    Raises:
        HelioError: for what rdkit cannot read, several molecules, or elements that are not supported.
    """
    need("rdkit", extra="build")
    from rdkit import Chem, rdBase

    is_file = Path(source).suffix.lower() in _FILES
    if is_file and not Path(source).is_file():
        raise HelioError(f"there is no file {source}")
    with rdBase.BlockLogs():
        molecule = _from_file(Path(source)) if is_file else Chem.MolFromSmiles(source)
        if molecule is None or molecule.GetNumAtoms() == 0:
            kind = "no molecule that rdkit can read" if is_file else "no SMILES that rdkit can read, and no file"
            raise HelioError(
                f"{excerpt(source)} is {kind} (.sdf, .mol, .mol2): check bonds, charges, brackets and valences"
            )
        molecule = Chem.RemoveHs(molecule)
    if len(Chem.GetMolFrags(molecule)) > 1:
        raise HelioError(f"{excerpt(source)} holds {len(Chem.GetMolFrags(molecule))} molecules: give one")
    check_elements((atom.GetAtomicNum() for atom in molecule.GetAtoms()), excerpt(source), "choose another")
    for atom in molecule.GetAtoms():
        atom.SetNumExplicitHs(atom.GetTotalNumHs())
        atom.SetNoImplicit(True)
    Chem.Kekulize(molecule, clearAromaticFlags=True)
    return Chemistry(source, molecule)


def _from_file(path: Path) -> Any:
    from rdkit import Chem

    if path.suffix.lower() == ".mol2":
        return Chem.MolFromMol2File(str(path), removeHs=False)
    return next(iter(Chem.SDMolSupplier(str(path), removeHs=False)), None)
