"""Numbers that describe a molecule's shape: torsions as sine and cosine, or distances."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from helio.analyse.backbone import find_backbone
from helio.analyse.frames import Frames
from helio.analyse.segments import solute
from helio.analyse.sugars import find_glycosidic_bonds
from helio.analyse.torsions import torsion_angles
from helio.errors import HelioError

KINDS = ("dihedrals", "distances")
# Distances are between at most this many atoms, evenly along the molecule.
_MOST_ATOMS = 50


@dataclass(frozen=True)
class Features:
    """What describes the frames of one trajectory."""

    names: tuple[str, ...]  # (F,)
    values: np.ndarray  # (T, F)


def features(frames: Frames, kind: str) -> Features:
    """Features of a kind of `KINDS`, and of all frames.

    "dihedrals": sine and cosine of phi and psi of the backbone and of glycosidic bonds. "distances": in A, between
    alpha carbons, or heavy atoms of a solute without any, of at most 50 atoms.

    Raises:
        HelioError: there is no such kind, or nothing that it could be computed from.
    """
    if kind not in KINDS:
        raise HelioError(f"features are {' or '.join(KINDS)}, not {kind!r}")
    return _dihedrals(frames) if kind == "dihedrals" else _distances(frames)


def _dihedrals(frames: Frames) -> Features:
    quadruples: dict[str, tuple[int, ...]] = {}
    for residue in find_backbone(frames):
        if residue.phi_psi is not None:
            quadruples |= {
                f"{residue.name} {n}": atoms for n, atoms in zip(("phi", "psi"), residue.phi_psi, strict=True)
            }
    for bond in find_glycosidic_bonds(frames):
        quadruples |= {f"{bond.name} phi": bond.phi, f"{bond.name} psi": bond.psi}
    if not quadruples:
        raise HelioError(
            f"{frames.label} names no residues with phi and psi, and has no glycosidic bonds: give a --topology that "
            "names them, or describe it by distances"
        )
    angles = np.radians(torsion_angles(frames, list(quadruples.values())))
    names = tuple(f"{function} {name}" for name in quadruples for function in ("sin", "cos"))
    return Features(names, np.stack([np.sin(angles), np.cos(angles)], axis=2).reshape(len(angles), -1))


def _distances(frames: Frames) -> Features:
    from MDAnalysis.lib.distances import calc_bonds

    atoms = np.array([residue.ca for residue in find_backbone(frames) if residue.ca is not None], int)
    if len(atoms) < 3:
        atoms = solute(frames)
        atoms = atoms[frames.atomic_numbers[atoms] > 1]
    if len(atoms) < 3:
        raise HelioError(
            f"{frames.label} holds no solute with three heavy atoms, between which distances could be taken"
        )
    atoms = atoms[np.unique(np.linspace(0, len(atoms) - 1, min(len(atoms), _MOST_ATOMS)).round().astype(int))]
    first, second = np.array(list(combinations(atoms, 2))).T
    values = np.empty((len(frames), len(first)))
    for i, moment in enumerate(frames):
        values[i] = calc_bonds(moment.positions[first], moment.positions[second], box=moment.dimensions)
    return Features(tuple(f"distance {i} - {j}" for i, j in zip(first, second, strict=True)), values)
