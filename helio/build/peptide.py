"""Peptides from their sequence."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np
from ase import Atoms

from helio.build.backbone import BackboneResidue, backbone
from helio.build.charge import formal_charges
from helio.build.openmm_atoms import add_hydrogens, to_atoms
from helio.build.side_chains import residue_template, side_chain
from helio.errors import HelioError
from helio.packages import need

HELIX = (-57.0, -47.0)  # phi and psi in degrees: the alpha helix of Arnott and Dover, J. Mol. Biol. 30, 209 (1967)
EXTENDED = (-139.0, 135.0)  # the strand of an antiparallel sheet, IUPAC-IUB, Biochemistry 9, 3471 (1970)
# The ring of proline holds its phi near this value (degrees).
_PROLINE_PHI = -65.0
# Changes of phi and psi (degrees) of the first, second and third residue before a proline in a helix, which bends:
# close to the smallest that keep the ring 2.75 A from the turn before it, found by minimisation.
_KINK = ((1.0, -6.0), (-12.0, 1.0), (-1.0, 37.0))
_LIKE_HELIX = 10.0  # degrees


def peptide(
    sequence: str,
    *,
    caps: bool,
    phi: float = EXTENDED[0],
    psi: float = EXTENDED[1],
    ph: float = 7.0,
    seed: int = 0,
) -> Atoms:
    """A peptide of L-amino acids with all hydrogens, not periodic.

    Args:
        sequence: one-letter codes from the N terminus on.
        caps: acetyl (ACE) and N-methylamide (NME) at the ends, which carry no charge; else free ends.
        phi: torsion C-N-CA-C of every residue, degrees; proline keeps -65, and bends a helix before it.
        psi: torsion N-CA-C-N of every residue, degrees; likewise.
        ph: decides which side chains and free ends are charged.
        seed: of the first positions of hydrogens.

    Raises:
        HelioError: for an empty sequence or letters that stand for no amino acid.
    """
    need("openmm", "rdkit", extra="build")
    for name, value in (("phi", phi), ("psi", psi), ("pH", ph)):
        if not isfinite(value):
            raise HelioError(f"{name} must be a finite number, not {value}")
    letters = sequence.strip().upper()
    if not letters:
        raise HelioError("the sequence is empty: give one-letter codes, such as ACDK")
    for letter in letters:
        residue_template(letter)
    topology, positions = _heavy_atoms(letters, caps, phi, psi)
    topology, positions = add_hydrogens(topology, positions, ph=ph, seed=seed)
    charges, _ = formal_charges(topology)
    atoms = to_atoms(topology, positions, charges)
    atoms.info = {"charge": sum(charges.values()), "spin": 0}
    return atoms


def _heavy_atoms(letters: str, caps: bool, phi: float, psi: float) -> tuple[Any, Any]:
    """Topology and positions of openmm, without hydrogens."""
    from openmm import app, unit

    chain = backbone([(180.0, 180.0), *_torsions(letters, phi, psi), (180.0, 180.0)])
    ends = [chain[0].ca, chain[0].c, chain[0].o, chain[-1].n, chain[-1].ca] if caps else [chain[-2].oxt]
    residues = _residues(letters, chain[1:-1], ends)
    if caps:
        residues.insert(0, ("ACE", ["CH3", "C", "O"], np.array([chain[0].ca, chain[0].c, chain[0].o])))
        residues.append(("NME", ["N", "C"], np.array([chain[-1].n, chain[-1].ca])))
    else:
        name, names, positions = residues[-1]
        residues[-1] = (name, [*names, "OXT"], np.vstack([positions, chain[-2].oxt]))
    topology = app.Topology()
    only = topology.addChain("A")
    for number, (name, names, _) in enumerate(residues, 1):
        residue = topology.addResidue(name, only, str(number))
        for atom in names:
            topology.addAtom(atom, app.Element.getBySymbol(atom[0]), residue)
    topology.createStandardBonds()
    return topology, np.concatenate([positions for _, _, positions in residues]) * unit.angstrom


def _torsions(letters: str, phi: float, psi: float) -> list[tuple[float, float]]:
    """Phi and psi of every residue, degrees."""
    found = [(_PROLINE_PHI if letter == "P" else phi, psi) for letter in letters]
    if max(abs(phi - HELIX[0]), abs(psi - HELIX[1])) > _LIKE_HELIX:
        return found
    for place in (place for place, letter in enumerate(letters) if letter == "P"):
        for before, (of_phi, of_psi) in zip(range(place - 1, -1, -1), _KINK, strict=False):
            found[before] = found[before][0] + of_phi, psi + of_psi
    return found


def _residues(
    letters: str, chain: Sequence[BackboneResidue], ends: list[np.ndarray]
) -> list[tuple[str, list[str], np.ndarray]]:
    """Name, atom names and positions of every residue; side chains keep away from all that is placed before them."""
    frames = [np.array([r.n, r.ca, r.c, r.o]) for r in chain]
    placed = [np.array(ends).reshape(-1, 3), *frames]
    residues = []
    for index, (letter, residue) in enumerate(zip(letters, chain, strict=True)):
        others = np.concatenate([*placed[: index + 1], *placed[index + 2 :]])
        added = side_chain(letter, residue, others)
        placed.append(added.positions)
        names = ["N", "CA", "C", "O", *map(str, added.arrays["atomtypes"])]
        residues.append((residue_template(letter)[0], names, np.vstack([frames[index], added.positions])))
    return residues
