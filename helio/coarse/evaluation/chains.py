"""Size and shape of chains from the positions of their groups."""

from __future__ import annotations

import numpy as np

from helio.coarse.evaluation.track import CHAIN, Track


def gyration_of_groups(track: Track) -> np.ndarray:
    """Squared radii of gyration (T, C) of the chains, their groups being points with masses."""
    return np.column_stack([_rg_squared(*_of(track, chain)) for chain in track.of_kind(CHAIN)])


def centers_of_mass(track: Track, kind: str) -> np.ndarray:
    """Of the molecules of a kind, (T, C, 3)."""
    return np.stack([_center(*_of(track, molecule)) for molecule in track.of_kind(kind)], axis=1)


def end_to_end(track: Track) -> np.ndarray | None:
    """Vectors (T, C, 3) between the last groups of the chains, or None unless all are linear."""
    vectors = []
    for chain in track.of_kind(CHAIN):
        members = np.flatnonzero(track.molecules == chain)
        bonds = track.bonds[np.isin(track.bonds[:, 0], members)]
        degrees = np.bincount(bonds.ravel(), minlength=len(track.molecules))[members]
        ends = members[degrees == 1]
        if len(bonds) != len(members) - 1 or len(ends) != 2:
            return None
        vectors.append(track.centers[:, ends[1]].astype(float) - track.centers[:, ends[0]])
    return np.stack(vectors, axis=1) if vectors else None


def _of(track: Track, molecule: int) -> tuple[np.ndarray, np.ndarray]:
    members = track.molecules == molecule
    return track.centers[:, members].astype(float), track.masses[members]


def _center(positions: np.ndarray, masses: np.ndarray) -> np.ndarray:
    return np.tensordot(positions, masses / masses.sum(), axes=(1, 0))


def _rg_squared(positions: np.ndarray, masses: np.ndarray) -> np.ndarray:
    away = positions - _center(positions, masses)[:, None]
    return np.square(away).sum(axis=2) @ (masses / masses.sum())
