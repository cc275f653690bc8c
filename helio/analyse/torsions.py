"""Torsion angles along a trajectory, and free-energy maps of pairs of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from helio.analyse.frames import Frames
from helio.analyse.free_energy import free_energy
from helio.analyse.observable import Map
from helio.units import BOLTZMANN, KCAL_PER_MOL


def torsion_angles(frames: Frames, quadruples: Sequence[Sequence[int]]) -> np.ndarray:
    """Angles (T, Q) in degrees, from -180 to 180, of atoms (Q, 4) by their numbers in the universe."""
    from MDAnalysis.lib.distances import calc_dihedrals

    atoms = np.asarray(quadruples, int)
    angles = np.empty((len(frames), len(atoms)))
    for i, moment in enumerate(frames):
        a, b, c, d = (moment.positions[atoms[:, corner]] for corner in range(4))
        angles[i] = np.degrees(calc_dihedrals(a, b, c, d, box=moment.dimensions))
    return angles


def free_energy_map(name: str, phi: np.ndarray, psi: np.ndarray, *, temperature_K: float, bins: int) -> Map:
    """Free energy over phi and psi from angles (T,) or (T, Q) in degrees, of which all Q count alike."""
    edges = np.linspace(-180.0, 180.0, bins + 1)
    thermal = BOLTZMANN * temperature_K / KCAL_PER_MOL
    energy, error = free_energy(phi, psi, edges, edges, thermal=thermal)
    middles = 0.5 * (edges[1:] + edges[:-1])
    return Map(name, middles, middles, energy, "phi (°)", "psi (°)", "free energy (kcal/mol)", "kcal/mol", error)
