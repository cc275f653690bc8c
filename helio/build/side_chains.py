"""Side chains of the amino acids on a given backbone."""

from __future__ import annotations

from functools import cache, partial
from itertools import product

import numpy as np
from ase import Atoms

from helio.build.backbone import BackboneResidue
from helio.errors import HelioError
from helio.packages import need

_BACKBONE = ("N", "CA", "C", "O", "OXT")
# Turns of a side chain about its first two bonds, in degrees: staggered ones, and where these leave no room, others.
_TURNS = (0.0, 120.0, 240.0)
_FINE_TURNS = tuple(float(angle) for angle in range(0, 360, 30))
# Heavy atoms that are closer (A) have no room: somewhat less than nitrogen and oxygen in a hydrogen bond.
_CLOSE = 2.6


@cache
def residue_template(letter: str) -> tuple[str, Atoms]:
    """Three-letter name and heavy atoms, named, of an L-amino acid with a free acid group, by rdkit.

    Raises:
        HelioError: for a letter that stands for none of the 20 amino acids.
    """
    need("rdkit", extra="build")
    from rdkit import Chem
    from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

    molecule = Chem.MolFromSequence(letter) if letter in "ACDEFGHIKLMNPQRSTVWY" else None
    if molecule is None:
        raise HelioError(f"{letter!r} is no amino acid: the sequence is made of the letters ACDEFGHIKLMNPQRSTVWY")
    whole = Chem.AddHs(molecule)
    rdDistGeom.EmbedMolecule(whole, randomSeed=1)
    rdForceFieldHelpers.MMFFOptimizeMolecule(whole, maxIters=2000)
    atoms = Atoms(
        [atom.GetSymbol() for atom in molecule.GetAtoms()],
        whole.GetConformer().GetPositions()[: molecule.GetNumAtoms()],
    )
    info = [atom.GetPDBResidueInfo() for atom in molecule.GetAtoms()]
    atoms.arrays["atomtypes"] = np.array([each.GetName().strip() for each in info], "U4")
    _correct_names(atoms, letter)
    return info[0].GetResidueName(), atoms


def _correct_names(atoms: Atoms, letter: str) -> None:
    """Exchange the names, in place, that rdkit (2026.9) gives otherwise than the Protein Data Bank.

    In isoleucine CG1 is the carbon that bears CD1; in leucine CD1 is the pro-R methyl group.
    """
    at = {str(name): index for index, name in enumerate(atoms.arrays["atomtypes"])}
    names = atoms.arrays["atomtypes"]
    if letter == "I" and atoms.get_distance(at["CG1"], at["CD1"]) > 2.0:
        names[[at["CG1"], at["CG2"]]] = ["CG2", "CG1"]
    elif letter == "L":
        to_cb, to_1, to_2 = (atoms.positions[at[name]] - atoms.positions[at["CG"]] for name in ("CB", "CD1", "CD2"))
        if np.dot(to_cb, np.cross(to_1, to_2)) > 0:
            names[[at["CD1"], at["CD2"]]] = ["CD2", "CD1"]


def side_chain(letter: str, residue: BackboneResidue, others: np.ndarray) -> Atoms:
    """The side chain of an amino acid, turned so that its own backbone and `others` repel it least: sum of d^-12.

    It is staggered, unless that would leave atoms too close to `others`.

    Args:
        letter: of the amino acid.
        residue: its backbone.
        others: positions of atoms to keep away from, A, (N, 3).
    """
    atoms = residue_template(letter)[1].copy()
    _superpose(atoms, residue)
    if letter in "GAP":
        return _kept(atoms)
    around = np.vstack([residue.n, residue.c, residue.o, others])
    best = min((_kept(_turned(atoms, *turns)) for turns in product(_TURNS, _TURNS)), key=partial(_repulsion, around))
    if len(others) == 0 or _distances(others, best).min() > _CLOSE:
        return best
    return min(
        (_kept(_turned(atoms, *turns)) for turns in product(_FINE_TURNS, _FINE_TURNS)), key=partial(_repulsion, around)
    )


def _repulsion(around: np.ndarray, atoms: Atoms) -> float:
    return float(np.sum(_distances(around, atoms) ** -12))


def _distances(around: np.ndarray, atoms: Atoms) -> np.ndarray:
    """In A, without CB, which does not turn."""
    return np.linalg.norm(atoms.positions[1:, None] - around[None], axis=-1)


def _kept(atoms: Atoms) -> Atoms:
    return atoms[~np.isin(atoms.arrays["atomtypes"], _BACKBONE)]  # pyright: ignore[reportReturnType]


def _superpose(atoms: Atoms, residue: BackboneResidue) -> None:
    """Lay N, CA and C of `atoms`, in place, on those of the backbone (Kabsch, Acta Cryst. A32, 922, 1976)."""
    names = list(atoms.arrays["atomtypes"])
    here = atoms.positions[[names.index(name) for name in ("N", "CA", "C")]]
    there = np.array([residue.n, residue.ca, residue.c])
    u, _, vt = np.linalg.svd((here - here.mean(axis=0)).T @ (there - there.mean(axis=0)))
    proper = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    atoms.positions = (atoms.positions - here[1]) @ (u @ proper @ vt) + residue.ca


def _turned(atoms: Atoms, first: float, second: float) -> Atoms:
    """A copy turned about CA-CB and, where there is a CG, about CB-CG."""
    turned = atoms.copy()
    names = turned.arrays["atomtypes"]
    for angle, (start, end) in ((first, ("CA", "CB")), (second, ("CB", "CG"))):
        if angle == 0 or end not in names:
            continue
        origin = turned.positions[names == start][0]
        axis = turned.positions[names == end][0] - origin
        fixed = np.isin(names, (*_BACKBONE, "CB", *(["CG"] if end == "CG" else [])))
        mobile = Atoms(positions=turned.positions[~fixed], symbols=turned.symbols[~fixed])
        if len(mobile):
            mobile.rotate(angle, axis, center=origin)
            turned.positions[~fixed] = mobile.positions
    return turned
