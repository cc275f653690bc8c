"""Clusters of molecules placed at random, in contact but without overlap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation

# Atoms of different molecules come no closer than this times the sum of their covalent radii: a hydrogen bond has 1.9.
_CONTACT = 2.0
# How finely a molecule is drawn back until it touches (A).
_STEP = 0.05


def cluster(molecules: Sequence[Atoms], rng: np.random.Generator, *, gaps: tuple[float, float] = (0.0, 0.0)) -> Atoms:
    """Molecules around the first one, each turned at random and pushed along a random line until it touches another.

    Args:
        molecules: with `info["charge"]` and `info["spin"]`, which are summed.
        rng: random numbers.
        gaps: least and most further distance (A) from contact, uniformly drawn for each molecule.
    """
    placed = [_turned(molecules[0], rng)]
    for molecule in molecules[1:]:
        placed.append(_attached(placed, _turned(molecule, rng), rng, rng.uniform(*gaps)))
    whole = Atoms(np.concatenate([one.numbers for one in placed]), np.concatenate([one.positions for one in placed]))
    for name in ("charge", "spin"):
        whole.info[name] = sum(int(one.info[name]) for one in molecules)
    return whole


def _turned(molecule: Atoms, rng: np.random.Generator) -> Atoms:
    turned = Atoms(molecule.numbers, molecule.positions - molecule.positions.mean(axis=0))
    turned.positions = Rotation.random(rng=rng).apply(turned.positions)
    return turned


def _attached(placed: Sequence[Atoms], molecule: Atoms, rng: np.random.Generator, gap: float) -> Atoms:
    """The molecule at the first place along a random line from far away where it touches what is placed."""
    numbers = np.concatenate([one.numbers for one in placed])
    positions = np.concatenate([one.positions for one in placed])
    nearest = _CONTACT * (covalent_radii[numbers][:, None] + covalent_radii[molecule.numbers][None, :])
    direction = rng.normal(size=3)
    direction /= np.linalg.norm(direction)
    target = positions[rng.integers(len(positions))]
    far = 4 * _STEP + np.linalg.norm(positions - target, axis=1).max() + np.ptp(molecule.positions) + nearest.max()
    for distance in np.arange(far, 0, -_STEP):
        if (cdist(positions, molecule.positions + target + (distance - _STEP) * direction) < nearest).any():
            break
    molecule.positions += target + (distance + gap) * direction
    return molecule
