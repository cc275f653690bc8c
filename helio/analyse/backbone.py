"""The backbone of peptides and proteins, found by the names of atoms and the bonds between residues."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from helio.analyse.frames import Frames
from helio.errors import HelioError


@dataclass(frozen=True)
class BackboneResidue:
    """Numbers of a residue's atoms in the universe, None where it has no such atom.

    A cap in front (ACE) has c and o alone, one behind (NME) n and h alone.
    """

    name: str  # "ALA 2"
    chain: int  # residues of a chain are joined by peptide bonds
    place: int  # in the chain, from 0
    n: int | None
    h: int | None  # on n, unless there are none or several
    ca: int | None
    c: int | None
    o: int | None
    before: int | None  # c of the residue before
    after: int | None  # n of the residue behind

    @property
    def complete(self) -> bool:
        """Whether it is an amino acid and no cap."""
        return None not in (self.n, self.ca, self.c, self.o)

    @property
    def phi_psi(self) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        """Atoms of the torsions C-N-CA-C and N-CA-C-N; None at the ends of a chain without caps."""
        phi = (self.before, self.n, self.ca, self.c)
        psi = (self.n, self.ca, self.c, self.after)
        if None in phi or None in psi:
            return None
        return tuple(i for i in phi if i is not None), tuple(i for i in psi if i is not None)


def backbone(frames: Frames) -> list[BackboneResidue]:
    """Residues joined by peptide bonds, chain by chain in their order, of the chosen atoms.

    Raises:
        HelioError: no two residues with atoms of these names are joined.
    """
    if not (found := find_backbone(frames)):
        raise HelioError(
            f"{frames.label} names no residues with a peptide's backbone (atoms N, CA, C and O); if it holds a "
            "peptide, give a --topology, such as a PDB file, that names them"
        )
    return found


def find_backbone(frames: Frames) -> list[BackboneResidue]:
    """As `backbone`, empty where there is none."""
    universe = frames.universe
    if not hasattr(universe.atoms, "names") or not hasattr(universe.atoms, "resnames"):
        return []
    names = np.asarray(universe.atoms.names).astype(str)
    residue = universe.atoms.resindices
    chosen = np.isin(np.arange(len(names)), frames.atoms.ix)
    joined = _peptide_bonds(np.asarray(universe.bonds.indices).reshape(-1, 2), names, residue, chosen)
    if not joined:
        return []
    behind = {int(residue[c]): int(residue[n]) for c, n in joined}
    before_c = {int(residue[n]): c for c, n in joined}
    after_n = {int(residue[c]): n for c, n in joined}
    made: list[BackboneResidue] = []
    done: set[int] = set()
    # Chains from their first residue on; what is left are rings.
    for first in [r for r in behind if r not in before_c] + sorted(behind):
        chain, place, here = len({residue.chain for residue in made}), 0, first
        while here is not None and here not in done:
            done.add(here)
            made.append(_residue(frames, here, chain, place, before_c.get(here), after_n.get(here)))
            here, place = behind.get(here), place + 1
    return made


def _peptide_bonds(
    bonds: np.ndarray, names: np.ndarray, residue: np.ndarray, chosen: np.ndarray
) -> list[tuple[int, int]]:
    """Pairs of a C and the N of another residue that are bonded, in ascending order."""
    both = np.concatenate([bonds, bonds[:, ::-1]])
    if len(both) == 0:
        return []
    carbon, nitrogen = both[(names[both[:, 0]] == "C") & (names[both[:, 1]] == "N") & chosen[both].all(axis=1)].T
    apart = residue[carbon] != residue[nitrogen]
    return sorted(zip(carbon[apart].tolist(), nitrogen[apart].tolist(), strict=True))


def _residue(
    frames: Frames, number: int, chain: int, place: int, before: int | None, after: int | None
) -> BackboneResidue:
    residue = frames.universe.residues[number]
    by_name = {str(atom.name): atom for atom in reversed(residue.atoms)}
    n, ca, c = (by_name.get(name) for name in ("N", "CA", "C"))
    oxygens = [] if c is None else [a for a in c.bonded_atoms if a.element == "O" and len(a.bonded_atoms) == 1]
    hydrogens = [] if n is None else [a for a in n.bonded_atoms if a.element == "H"]
    return BackboneResidue(
        name=f"{residue.resname} {residue.resid}",
        chain=chain,
        place=place,
        n=None if n is None else int(n.ix),
        h=int(hydrogens[0].ix) if len(hydrogens) == 1 else None,
        ca=None if ca is None else int(ca.ix),
        c=int(c.ix) if c is not None and oxygens else None,
        o=int(oxygens[0].ix) if oxygens else None,
        before=before,
        after=after,
    )
