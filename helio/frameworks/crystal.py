"""All atoms of a periodic structure, with its bonds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from helio.frameworks.framework import Framework
from helio.frameworks.library import Library

AVOGADRO_AMU = 1.66053906660  # g/cm3 of one amu per A3 (CODATA 2018)


@dataclass(frozen=True, eq=False)
class Crystal:
    """N atoms in a cell with B bonds; the bond b joins atom i to the image `images[b]` of atom j."""

    name: str
    cell: np.ndarray  # (3, 3) float64, rows are vectors, A
    numbers: np.ndarray  # (N,) int32
    positions: np.ndarray  # (N, 3) float64, Cartesian, A, anywhere
    bonds: np.ndarray  # (B, 2) int32
    images: np.ndarray  # (B, 3) int32: bond vector = r_j + image @ cell - r_i

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def volume(self) -> float:
        """Of the cell, A^3."""
        return float(abs(np.linalg.det(self.cell)))

    @property
    def bond_vectors(self) -> np.ndarray:
        """From i to j, (B, 3), A."""
        i, j = self.bonds.T
        return self.positions[j] + self.images @ self.cell - self.positions[i]


def wrapped(crystal: Crystal) -> Crystal:
    """The same crystal with all atoms in the cell, fractional coordinates in [0, 1)."""
    fractional = crystal.positions @ np.linalg.inv(crystal.cell)
    shifts = np.floor(fractional).astype(np.int32)
    fractional = fractional - shifts
    over = fractional >= 1  # what was a rounding error below zero
    shifts, fractional = shifts + over, np.where(over, 0.0, fractional)
    i, j = crystal.bonds.T
    images = (crystal.images + shifts[j] - shifts[i]).astype(np.int32)
    return Crystal(crystal.name, crystal.cell, crystal.numbers, fractional @ crystal.cell, crystal.bonds, images)


def block_positions(framework: Framework, library: Library) -> list[np.ndarray]:
    """Cartesian positions (n, 3) of each block's atoms, whole blocks about their centres."""
    centers = framework.centers @ framework.cell
    return [
        library[b].positions @ rotation.T + center
        for b, rotation, center in zip(framework.blocks, framework.rotations, centers, strict=True)
    ]


def connection_positions(framework: Framework, library: Library) -> list[np.ndarray]:
    """Cartesian positions (c, 3) of each block's connections."""
    centers = framework.centers @ framework.cell
    return [
        library[b].connections @ rotation.T + center
        for b, rotation, center in zip(framework.blocks, framework.rotations, centers, strict=True)
    ]


def connection_gaps(framework: Framework, library: Library) -> np.ndarray:
    """Distance (E,) between the two connections that meet at each edge, A; zero where blocks fit exactly."""
    points = connection_positions(framework, library)
    gaps = [
        points[i][a] - points[j][b] - np.array(image) @ framework.cell
        for (i, j, *image), (a, b) in zip(framework.edges.tolist(), framework.ends.tolist(), strict=True)
    ]
    return np.linalg.norm(np.array(gaps).reshape(-1, 3), axis=1)


def crystal_of(framework: Framework, library: Library) -> Crystal:
    """All atoms of a framework; every edge becomes a bond between the atoms that its two connections leave from."""
    blocks = [library[b] for b in framework.blocks]
    offsets = np.concatenate([[0], np.cumsum([len(block) for block in blocks])])
    inner = [block.bonds + offset for block, offset in zip(blocks, offsets[:-1], strict=True)]
    outer = [
        (offsets[i] + blocks[i].docking[a], offsets[j] + blocks[j].docking[b])
        for (i, j, *_), (a, b) in zip(framework.edges.tolist(), framework.ends.tolist(), strict=True)
    ]
    bonds = np.concatenate([*inner, np.array(outer).reshape(-1, 2)]).astype(np.int32)
    images = np.zeros((len(bonds), 3), np.int32)
    images[len(bonds) - len(outer) :] = framework.edges[:, 2:]
    return wrapped(
        Crystal(
            name=framework.name,
            cell=framework.cell,
            numbers=np.concatenate([block.numbers for block in blocks]),
            positions=np.concatenate(block_positions(framework, library)),
            bonds=bonds,
            images=images,
        )
    )


def density(crystal: Crystal) -> float:
    """In g/cm3."""
    from ase.data import atomic_masses

    return float(atomic_masses[crystal.numbers].sum() / crystal.volume * AVOGADRO_AMU)
