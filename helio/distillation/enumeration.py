"""Small molecules enumerated from fragments: a core with two places, and a substituent on each."""

from __future__ import annotations

import numpy as np

from helio.distillation.starts import generator
from helio.errors import HelioError
from helio.packages import need

CORES = (
    "[*:1][*:2]", "[*:1]C[*:2]", "[*:1]CC[*:2]", "[*:1]C=C[*:2]", "[*:1]C#C[*:2]", "[*:1]CCC[*:2]", "[*:1]C(C)[*:2]",
    "[*:1]C(O)C[*:2]", "[*:1]C(=O)[*:2]", "[*:1]COC[*:2]", "[*:1]CSC[*:2]", "[*:1]NC[*:2]", "[*:1]C(=O)N[*:2]",
    "[*:1]C(=O)OC[*:2]", "[*:1]COP(=O)([O-])OC[*:2]", "[*:1]COP(=O)(O)OC[*:2]", "[*:1]S(=O)(=O)[*:2]",
    "[*:1]S(=O)(=O)N[*:2]", "[*:1]CSSC[*:2]", "[*:1]c1ccc([*:2])cc1", "[*:1]c1cccc([*:2])c1", "[*:1]c1ccccc1[*:2]",
    "[*:1]c1ccc([*:2])nc1", "[*:1]c1cnc([*:2])[nH]1", "[*:1]c1ccc([*:2])o1", "[*:1]c1ccc([*:2])s1",
    "[*:1]c1cc([*:2])[nH]n1", "[*:1]c1ncnc([*:2])n1", "[*:1]C1CCC([*:2])CC1", "[*:1]C1CC1[*:2]", "[*:1]N1CCN([*:2])CC1",
    "[*:1]N1CCC([*:2])C1", "[*:1]C1CCOC1[*:2]", "[*:1]C[N+](C)(C)C[*:2]", "[*:1]C(F)(F)[*:2]", "[*:1]C(Cl)C[*:2]",
    "[*:1]N=C[*:2]", "[*:1]NC(=O)N[*:2]", "[*:1]C(C)(O)[*:2]", "[*:1]c1c[nH]c2ccc([*:2])cc12",
)  # fmt: skip
SUBSTITUENTS = (
    "[H]", "C", "F", "Cl", "CC", "CO", "CN", "CF", "C=C", "C#C", "C#N", "C=O", "CS", "C(=O)[O-]", "C[NH3+]", "C(N)=O",
    "C(=O)O", "C(=O)OC", "C(F)(F)F", "CCl", "OC", "SC", "COP(=O)([O-])O", "CS(C)(=O)=O", "C(C)(C)C", "c1ccccc1",
    "c1ccncc1", "c1cnc[nH]1", "C(N)=[NH2+]", "CN(C)C", "C[N+](C)(C)C", "C[S-]", "CNC(N)=[NH2+]", "[N+](=O)[O-]", "O",
    "N", "CP(C)C", "c1cc[nH+]cc1",
)  # fmt: skip


def enumerated(count: int, *, seed: int, most_charge: int = 2, heavy_atoms: tuple[int, int] = (1, 20)) -> list[str]:
    """Canonical SMILES of `count` different molecules, drawn at random from all combinations.

    Args:
        count: how many.
        seed: of the draw.
        most_charge: largest charge in e, of either sign.
        heavy_atoms: least and most atoms besides hydrogen.

    Raises:
        HelioError: there are fewer such molecules.
    """
    need("rdkit", extra="build")
    shape = (len(CORES), len(SUBSTITUENTS), len(SUBSTITUENTS))
    found: dict[str, None] = {}
    for number in generator(seed, "enumerated").permutation(int(np.prod(shape))):
        core, first, second = (int(i) for i in np.unravel_index(number, shape))
        smiles = _joined(CORES[core], SUBSTITUENTS[first], SUBSTITUENTS[second], most_charge, heavy_atoms)
        if smiles is not None:
            found[smiles] = None
        if len(found) == count:
            return list(found)
    raise HelioError(f"only {len(found)} different molecules can be made of the fragments, not {count}")


def _joined(core: str, first: str, second: str, most_charge: int, heavy_atoms: tuple[int, int]) -> str | None:
    """The canonical SMILES; None for what is too large, too charged or has impossible valences."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        parts = Chem.MolFromSmiles(f"{core}.[*:1]{first}.[*:2]{second}")
        whole = Chem.RemoveHs(Chem.molzip(parts), sanitize=False)
        if Chem.SanitizeMol(whole, catchErrors=True) != Chem.SanitizeFlags.SANITIZE_NONE:
            return None
    fits = heavy_atoms[0] <= whole.GetNumHeavyAtoms() <= heavy_atoms[1]
    return Chem.MolToSmiles(whole) if fits and abs(Chem.GetFormalCharge(whole)) <= most_charge else None
