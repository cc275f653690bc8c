"""What the loss and the training step see: structures in padded blocks, with their labels.

A batch is the tree of one system with a leading axis B. All structures of a batch have the same periodic directions,
because these are static; the leaves are numpy arrays (floats in float64, numbers in int32) until `astype`.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Bool, Float, Int

from helio.neighbors import Neighbors
from helio.system import System


class Labels(eqx.Module):
    """Reference values; zero where they are not known and in rows of padding atoms."""

    energy: Float[Any, " B"]  # eV, less the reference energies of the atoms
    forces: Float[Any, "B N 3"]  # eV/A
    stress: Float[Any, "B 3 3"]  # eV/A^3, tension positive
    dipole: Float[Any, "B 3"]  # e A; for a charged structure relative to the coordinate origin
    charges: Float[Any, "B N"]  # e
    hirshfeld_ratios: Float[Any, "B N"]  # effective over free atomic volume
    atomic_energies: Float[Any, "B N"]  # eV, as a teacher model gives them: without free atoms, nothing is subtracted


class Known(eqx.Module):
    """Which labels are given for each structure; False for padding structures."""

    energy: Bool[Any, " B"]
    forces: Bool[Any, " B"]
    stress: Bool[Any, " B"]
    dipole: Bool[Any, " B"]
    charges: Bool[Any, " B"]
    hirshfeld_ratios: Bool[Any, " B"]
    atomic_energies: Bool[Any, " B"]


class Batch(eqx.Module):
    """B structures of up to N atoms, their lists and labels.

    Padding atoms have Z = 0; padding structures are copies of a real one with `real` False, `weight` zero and no
    label known. Neighbours: the short list names each pair once (`half`), the long one holds full rows: all other
    atoms where nothing is periodic, else those within the long-range cutoff. B, N and the lists' widths take few
    values in a run, one set for each of `Loader.shapes`. For D devices a batch is made of D equal blocks along B.
    """

    system: System
    neighbors: Neighbors
    labels: Labels
    known: Known
    weight: Float[Any, " B"]  # of the structure in the loss: of its source times that of its level of theory
    level: Int[Any, " B"]  # number of the level of theory in `Store.levels`
    source: Int[Any, " B"]  # number of the source in `Store.sources`
    index: Int[Any, " B"]  # number of the structure in the store, to name the worst ones
    real: Bool[Any, " B"]  # False for padding structures

    def astype(self, dtype: str) -> Batch:
        """The same batch as JAX arrays, floating-point ones in `dtype`."""

        def cast(leaf: Any) -> np.ndarray:
            return leaf.astype(dtype) if np.issubdtype(leaf.dtype, np.floating) else leaf

        return jax.device_put(jax.tree.map(cast, self))  # all leaves at once
