"""The fine system: what beads there are and how they are bonded."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from helio.errors import HelioError


class FineSystem(eqx.Module):
    """Types, masses, bonds, molecules and box of N beads (host arrays); `fine_system` makes and checks one."""

    types: Int[np.ndarray, " N"]  # numbers in the list of type names that goes with the data
    masses: Float[np.ndarray, " N"]
    bonds: Int[np.ndarray, "P 2"]  # each once, i < j, sorted
    bond_types: Int[np.ndarray, " P"] | None
    molecules: Int[np.ndarray, " N"]  # from 0 on, in the order of their first beads
    box: Float[np.ndarray, " 3"] | None  # edges; None for systems without boundaries

    def __len__(self) -> int:
        return len(self.types)

    @property
    def molecule_count(self) -> int:
        """M, the number of molecules."""
        return int(self.molecules.max()) + 1


def fine_system(types: Any, masses: Any, bonds: Any, *, bond_types: Any = None, box: Any = None) -> FineSystem:
    """Make a system; its molecules are what the bonds join.

    Args:
        types: number of each bead's type, (N,).
        masses: (N,), all above zero.
        bonds: pairs of beads (P, 2) in any order; what is given twice counts once.
        bond_types: number of each bond's type, (P,), or None.
        box: edges (3,) of an orthogonal box, or None.

    Raises:
        HelioError: there are no beads, no bonds, or numbers that cannot be.
    """
    types, masses = np.asarray(types, np.int32), np.asarray(masses, np.float64)
    pairs = np.asarray(bonds, np.int64).reshape(-1, 2)
    if types.ndim != 1 or len(types) == 0:
        raise HelioError(f"a system needs a list of bead types; that given has the shape {types.shape}")
    if types.min() < 0:
        raise HelioError(f"bead {int(np.argmin(types))} has the type {int(types.min())}; types are counted from 0")
    if masses.shape != types.shape or not (np.isfinite(masses) & (masses > 0)).all():
        raise HelioError(f"each of the {len(types)} beads needs a mass above zero")
    _check_bonds(pairs, len(types))
    kinds = None if bond_types is None else np.asarray(bond_types, np.int32)
    if kinds is not None and (kinds.shape != (len(pairs),) or kinds.min() < 0):
        raise HelioError(f"{len(pairs)} bonds need as many types, counted from 0")
    pairs, first = np.unique(np.sort(pairs, axis=1), axis=0, return_index=True)
    return FineSystem(
        types=types,
        masses=masses,
        bonds=pairs.astype(np.int32),
        bond_types=None if kinds is None else kinds[first],
        molecules=_molecules(pairs, len(types)),
        box=None if box is None else checked_box(box),
    )


def checked_box(box: Any) -> np.ndarray:
    """Edges (3,) as float64; raises `HelioError` unless all are above zero."""
    edges = np.asarray(box, np.float64)
    if edges.shape != (3,) or not (np.isfinite(edges) & (edges > 0)).all():
        raise HelioError(f"a box is given by its three edges, all above zero, not {edges.tolist()}")
    return edges


def _check_bonds(pairs: np.ndarray, beads: int) -> None:
    if len(pairs) == 0:
        raise HelioError("the system has no bonds, which groups are made from: give a topology that holds them")
    if pairs.min() < 0 or pairs.max() >= beads:
        bad = pairs[((pairs < 0) | (pairs >= beads)).any(axis=1)][0]
        raise HelioError(f"the bond {bad.tolist()} names a bead that does not exist; there are {beads}, counted from 0")
    if (pairs[:, 0] == pairs[:, 1]).any():
        raise HelioError(f"bead {int(pairs[pairs[:, 0] == pairs[:, 1]][0, 0])} is bonded to itself")


def _molecules(pairs: np.ndarray, beads: int) -> np.ndarray:
    graph = coo_array((np.ones(len(pairs)), pairs.T), shape=(beads, beads))
    labels = connected_components(graph, directed=False)[1]
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].astype(np.int32)
