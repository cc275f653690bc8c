"""SMILES of chains: peptides, nucleic acids, sugars and lipids from their sequences."""

from __future__ import annotations

from typing import Literal

import numpy as np

from helio.errors import HelioError
from helio.packages import need

Chain = Literal["peptide", "dna", "rna", "sugar", "lipid"]

# Side chains as they are at pH 7; small letters stand for the other state of protonation.
_SIDE_CHAINS = {
    "G": "", "A": "C", "V": "C(C)C", "L": "CC(C)C", "I": "[C@@H](C)CC", "S": "CO", "T": "[C@H](O)C", "C": "CS",
    "M": "CCSC", "F": "Cc1ccccc1", "Y": "Cc1ccc(O)cc1", "W": "Cc1c[nH]c2ccccc12", "D": "CC(=O)[O-]",
    "E": "CCC(=O)[O-]", "N": "CC(N)=O", "Q": "CCC(N)=O", "K": "CCCC[NH3+]", "R": "CCCNC(N)=[NH2+]",
    "H": "Cc1c[nH]cn1",
    "d": "CC(=O)O", "e": "CCC(=O)O", "k": "CCCCN", "r": "CCCNC(N)=N", "h": "Cc1c[nH]c[nH+]1", "c": "C[S-]",
}  # fmt: skip
_PROLINE = "N1CCC[C@H]1C(=O)"
AMINO_ACIDS = "".join(_SIDE_CHAINS) + "P"
# What rdkit calls its kinds of nucleic acids: no phosphate at the ends.
_RDKIT_FLAVOURS = {"dna": 6, "rna": 2}
_BASES = {"dna": "ACGT", "rna": "ACGU"}
# A beta-pyranose with its ring closed by {ring}, bound by carbon 1 to what stands before, by carbon 4 to {right}.
_SUGARS = {
    "G": "[C@@H]{ring}O[C@H](CO)[C@@H]({right})[C@H](O)[C@H]{ring}O",  # D-glucose
    "L": "[C@@H]{ring}O[C@H](CO)[C@H]({right})[C@H](O)[C@H]{ring}O",  # D-galactose
    "N": "[C@@H]{ring}O[C@H](CO)[C@@H]({right})[C@H](O)[C@H]{ring}NC(C)=O",  # N-acetyl-D-glucosamine
    "U": "[C@@H]{ring}O[C@H](C(=O)[O-])[C@@H]({right})[C@H](O)[C@H]{ring}O",  # D-glucuronate
}
_LIPID_HEADS = {
    "PC": "C[N+](C)(C)CCOP(=O)([O-])O{glycerol}",
    "PE": "[NH3+]CCOP(=O)([O-])O{glycerol}",
    "PG": "OCC(O)COP(=O)([O-])O{glycerol}",
    "PA": "OP(=O)([O-])O{glycerol}",
    "DG": "O{glycerol}",
}


def smiles_of(chain: Chain, sequence: str) -> str:
    """The SMILES of a chain.

    Args:
        chain: what it is made of.
        sequence: peptides: one-letter codes, capped by acetyl and N-methylamide unless they end in `-`, with lower
            case for the protonation state that is rarer at pH 7 (d, e, h, k, r, c); dna and rna: bases; sugars: G
            glucose, L galactose, N N-acetylglucosamine, U glucuronate, linked beta 1-4; lipids: a head (PC, PE, PG,
            PA, DG) and tails as carbons:double bonds, as in `PC 4:0/6:1`.

    Raises:
        HelioError: for letters that stand for nothing.
    """
    if not sequence.strip():
        raise HelioError(f"a {chain} needs a sequence")
    if chain == "peptide":
        return _peptide(sequence.strip())
    if chain == "lipid":
        return _lipid(sequence.strip())
    return _sugar(sequence.strip()) if chain == "sugar" else _nucleic(chain, sequence.strip())


def random_sequence(chain: Chain, length: int, rng: np.random.Generator) -> str:
    """A sequence of `length` units; of a lipid, whose tails have up to so many carbons."""
    if chain == "lipid":
        head = str(rng.choice(list(_LIPID_HEADS)))
        tails = [f"{n}:{int(n > 5 and rng.random() < 0.4)}" for n in rng.integers(2, max(3, length + 1), size=2)]
        return f"{head} {'/'.join(tails)}"
    letters = {"peptide": AMINO_ACIDS, "sugar": "".join(_SUGARS)}.get(chain) or _BASES[chain]
    return "".join(rng.choice(list(letters), size=length))


def _peptide(sequence: str) -> str:
    capped = not sequence.endswith("-")
    parts = []
    for letter in sequence.rstrip("-"):
        if letter == "P":
            parts.append(_PROLINE)
        elif letter in _SIDE_CHAINS:
            side = _SIDE_CHAINS[letter]
            parts.append(f"N[C@@H]({side})C(=O)" if side else "NCC(=O)")
        else:
            raise HelioError(f"{letter!r} in the sequence {sequence} stands for no amino acid: use {AMINO_ACIDS}")
    chain = "".join(parts)
    if capped:
        return f"CC(=O){chain}NC"
    return ("[NH2+]" if chain.startswith("N1") else "[NH3+]") + chain[1:] + "[O-]"


def _nucleic(chain: Chain, sequence: str) -> str:
    """With one negative charge on each phosphate between two units."""
    need("rdkit", extra="build")
    from rdkit import Chem

    bases = _BASES[chain]
    if set(sequence.upper()) - set(bases):
        raise HelioError(f"a {chain} sequence is made of {bases}, not {sequence}")
    made = Chem.MolFromSequence(sequence.upper(), flavor=_RDKIT_FLAVOURS[chain])
    for oxygen, _ in made.GetSubstructMatches(Chem.MolFromSmarts("[OX2H]P")):
        made.GetAtomWithIdx(oxygen).SetFormalCharge(-1)
        made.GetAtomWithIdx(oxygen).SetNumExplicitHs(0)
    Chem.SanitizeMol(made)
    return Chem.MolToSmiles(made)


def _sugar(sequence: str) -> str:
    chain = "O"
    for number, letter in enumerate(reversed(sequence)):
        if letter not in _SUGARS:
            raise HelioError(f"{letter!r} in {sequence} stands for no sugar: use {''.join(_SUGARS)}")
        chain = "O" + _SUGARS[letter].format(ring=f"%{10 + number}", right=chain)
    return chain


def _lipid(sequence: str) -> str:
    head, _, tails = sequence.partition(" ")
    try:
        first, second = (_tail(tail) for tail in tails.split("/"))
        template = _LIPID_HEADS[head]
    except (KeyError, ValueError):
        raise HelioError(
            f"{sequence!r} is no lipid: give one of {', '.join(_LIPID_HEADS)} and two tails, as in `PC 4:0/6:1`"
        ) from None
    return template.replace("{glycerol}", f"C[C@H](OC(=O){second})COC(=O){first}")


def _tail(text: str) -> str:
    """A chain of so many carbons, that of the ester not counted, with cis double bonds in its middle."""
    carbons, double = (int(number) for number in text.split(":"))
    if carbons < 1 or double not in (0, 1) or (double and carbons < 4):
        raise ValueError(text)
    if not double:
        return "C" * carbons
    left = (carbons - 2) // 2
    return "C" * left + "/C=C\\" + "C" * (carbons - 2 - left)
