"""Where the atoms of a run lie, kept apart from the positions that are computed with.

In float32 a position at 10,000 A has a resolution of 0.001 A. A run therefore computes with positions near the origin,

    r_i = R_i - n_i H - o,

and gives R_i = r_i + n_i H + o to the user.

| symbol | variable |
|---|---|
| R_i | the user's coordinates, unwrapped |
| r_i | positions of the run |
| n_i | `images`: whole cells, the same for all atoms of a molecule |
| H | the cell, row vectors, as it is at that time |
| o | `origin` |
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import numpy as np
from ase import Atoms
from jaxtyping import Array, Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from helio.simulate.bias import Energy, as_tree
from helio.simulate.bonds import bonds
from helio.system import System

# A. What lies nearer stays where it is: float32 resolves 4e-6 A there.
_NEAR = 64.0


@dataclass(frozen=True)
class Placement:
    """Whole cells and an origin that are taken off the coordinates of N atoms."""

    images: Int[np.ndarray, "N 3"]
    origin: Float[np.ndarray, " 3"]  # A, in multiples of `_NEAR`

    @classmethod
    def nowhere(cls, atoms: int) -> Placement:
        """The placement of that many atoms whose positions are their coordinates."""
        return cls(np.zeros((atoms, 3), np.int64), np.zeros(3))

    @classmethod
    def of(cls, atoms: Atoms, system: System) -> Placement:
        """The placement that brings `system` (host arrays), made from `atoms`, near the origin."""
        images = _images(atoms, system)
        inside = system.positions - images @ system.cell
        center = (inside.min(axis=0) + inside.max(axis=0)) / 2
        return cls(images, _NEAR * np.round(center / _NEAR))

    def for_atoms(self, count: int) -> Placement:
        """The same for another number of atoms, which move by the origin alone."""
        return self if count == len(self.images) else Placement(np.zeros((count, 3), np.int64), self.origin)

    @property
    def is_nowhere(self) -> bool:
        """Whether positions are coordinates."""
        return not self.images.any() and not self.origin.any()

    def near(self, system: System) -> System:
        """The system (host arrays, float64) as the run computes with it."""
        return replace(system, positions=system.positions - self.images @ system.cell - self.origin)

    def coordinates(self, system: System) -> System:
        """The system (host arrays, without padding) at the user's coordinates, in float64 where these differ."""
        if self.is_nowhere:
            return system
        cell, positions = np.asarray(system.cell, np.float64), np.asarray(system.positions, np.float64)
        return replace(system, positions=positions + self.images @ cell + self.origin)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"images": self.images.tolist() if self.images.any() else None, "origin": self.origin.tolist()}

    @classmethod
    def from_json(cls, values: dict[str, Any], atoms: int) -> Placement:
        """From the values of `to_json`, for that many atoms."""
        images = np.zeros((atoms, 3), np.int64) if values["images"] is None else np.array(values["images"], np.int64)
        return cls(images, np.array(values["origin"], np.float64))


class AtCoordinates(eqx.Module):
    """An energy of the user's coordinates as a function of the positions of a run."""

    energy: Any  # System -> eV
    images: Float[Any, "M 3"]
    origin: Float[Any, " 3"]  # A

    def __call__(self, system: System) -> Float[Array, ""]:
        """The energy in eV of a system of up to M rows: padding stands last."""
        positions = system.positions + self.images[: len(system)] @ system.cell + self.origin
        return self.energy(eqx.tree_at(lambda s: s.positions, system, positions))


def at_coordinates(energy: Energy, placement: Placement, rows: int) -> Any:
    """The energy for positions of a run with that many rows; itself where these are coordinates."""
    if placement.is_nowhere:
        return energy
    images = np.zeros((rows, 3))
    images[: len(placement.images)] = placement.images
    return AtCoordinates(as_tree(energy), images, placement.origin)


def _images(atoms: Atoms, system: System) -> Int[np.ndarray, "N 3"]:
    """Whole cells between each molecule and the cell at the origin; zero where no atom lies far outside."""
    pbc = np.asarray(system.pbc)
    fractional = system.positions @ np.linalg.inv(system.cell)
    single = (np.floor(fractional) * pbc).astype(np.int64)
    if np.abs(single @ system.cell).max() <= _NEAR:
        return np.zeros_like(single)
    pairs, _ = bonds(atoms)
    count = len(system)
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    number, molecule = connected_components(graph, directed=False)
    centers = np.stack([np.bincount(molecule, f, number) for f in fractional.T], axis=1)
    centers /= np.bincount(molecule, minlength=number)[:, None]
    return ((np.floor(centers) * pbc).astype(np.int64))[molecule]
