"""Torsion angles along a trajectory, free-energy maps of pairs of them, and populations of regions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from helio.analyse.frames import Frames
from helio.analyse.free_energy import free_energy
from helio.analyse.observable import Map, Value
from helio.analyse.statistics import few_notes, mean_and_error, spread_error
from helio.errors import HelioError
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


def torsion_pairs(
    frames: Frames, pairs: Sequence[tuple[Sequence[int], Sequence[int]]]
) -> tuple[np.ndarray, np.ndarray]:
    """Phi and psi (T, Q) in degrees, of Q pairs of four atoms each."""
    angles = torsion_angles(frames, [atoms for pair in pairs for atoms in pair])
    return angles[:, ::2], angles[:, 1::2]


def free_energy_map(name: str, phi: np.ndarray, psi: np.ndarray, *, temperature_K: float, bins: int) -> Map:
    """Free energy over phi and psi from angles (T,) or (T, Q) in degrees, of which all Q count alike."""
    if bins < 4:
        raise HelioError(f"a map needs at least 4 bins in each direction, not {bins}")
    edges = np.linspace(-180.0, 180.0, bins + 1)
    thermal = BOLTZMANN * temperature_K / KCAL_PER_MOL
    energy, error = free_energy(phi, psi, edges, edges, thermal=thermal)
    middles = 0.5 * (edges[1:] + edges[:-1])
    return Map(name, middles, middles, energy, "phi (°)", "psi (°)", "free energy", "kcal/mol", error)


def populations(series: Mapping[str, Sequence[np.ndarray]]) -> tuple[Value, ...]:
    """Mean shares of series (T,) of one or several runs, by name.

    The error of one run is from its autocorrelation, that of several from the spread between them; it is unknown where
    the share is none or all.
    """
    values = []
    for name, runs in series.items():
        means = np.array([run.mean() for run in runs])
        mean = float(means.mean())
        error = mean_and_error(runs[0])[1] if len(runs) == 1 else float(spread_error(means))
        values.append(Value(name, mean, error if 0 < mean < 1 else float("nan"), note="population"))
    return tuple(values)


def population_notes(series: Mapping[str, Sequence[np.ndarray]]) -> tuple[str, ...]:
    """A sentence where a population of one run rests on few changes."""
    return few_notes(runs[0] for runs in series.values() if len(runs) == 1)
