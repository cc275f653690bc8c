"""Backbones of peptides from their torsions.

Every atom is placed from three others by a bond length, an angle and a torsion. Lengths and angles are those of Engh
and Huber, Acta Cryst. A47, 392 (1991); the peptide bonds are trans.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_N_CA, _CA_C, _C_N, _C_O = 1.458, 1.525, 1.329, 1.231  # A
_N_CA_C, _CA_C_N, _C_N_CA, _CA_C_O = 111.2, 116.2, 121.7, 120.8  # degrees
_C_OXT, _CA_C_OXT = 1.25, 117.0  # of a carboxylate


@dataclass(frozen=True)
class BackboneResidue:
    """Positions in A, (3,) each, of one residue's backbone."""

    n: np.ndarray
    ca: np.ndarray
    c: np.ndarray
    o: np.ndarray
    oxt: np.ndarray  # where the second oxygen of a free end belongs


def place(a: np.ndarray, b: np.ndarray, c: np.ndarray, length: float, angle: float, torsion: float) -> np.ndarray:
    """The point d at a distance (A) from c, with the angle b-c-d and the torsion a-b-c-d (degrees)."""
    bond = (c - b) / np.linalg.norm(c - b)
    normal = np.cross(b - a, bond)
    normal /= np.linalg.norm(normal)
    theta, phi = np.radians(180 - angle), np.radians(torsion)
    across = np.cross(normal, bond)
    return c + length * (np.cos(theta) * bond + np.sin(theta) * (np.cos(phi) * across + np.sin(phi) * normal))


def backbone(torsions: Sequence[tuple[float, float]]) -> list[BackboneResidue]:
    """Backbone of a chain from phi and psi (degrees) of each residue; phi of the first one has no effect."""
    n = np.zeros(3)
    ca = np.array([_N_CA, 0.0, 0.0])
    c = place(np.array([0.0, 1.0, 0.0]), n, ca, _CA_C, _N_CA_C, 180.0)
    residues = []
    for index, (_, psi) in enumerate(torsions):
        oxygen = place(n, ca, c, _C_O, _CA_C_O, psi + 180)
        residues.append(BackboneResidue(n, ca, c, oxygen, place(n, ca, c, _C_OXT, _CA_C_OXT, psi)))
        if index + 1 < len(torsions):
            next_n = place(n, ca, c, _C_N, _CA_C_N, psi)
            next_ca = place(ca, c, next_n, _N_CA, _C_N_CA, 180.0)
            next_c = place(c, next_n, next_ca, _CA_C, _N_CA_C, torsions[index + 1][0])
            n, ca, c = next_n, next_ca, next_c
    return residues
