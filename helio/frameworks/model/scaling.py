"""The units in which the networks see things, fitted to the frameworks that a model is trained on.

Everything has mean 0 and deviation 1 over them: embeddings channel by channel, lattices as edges over the cube root of
the number of blocks (the same in the labels, in the loss and in the input of the encoder) and angles, labels after
sign(y) ln(1 + |y|).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Deviations below these, in A and degrees, are those of a set of equal lattices.
_LEAST = np.array([0.1, 0.1, 0.1, 1.0, 1.0, 1.0])
_SMALL = 1e-6


@dataclass(frozen=True, eq=False)
class Scales:
    """Means and deviations."""

    lattice: np.ndarray  # (2, 6)
    embedding: np.ndarray  # (2, C)
    labels: np.ndarray  # (2, L), of signed logarithms
    names: tuple[str, ...]  # of the labels

    def lattice_in(self, parameters: np.ndarray, count: np.ndarray) -> np.ndarray:
        """Standardised lattices (..., 6) of cells with these parameters (A, degrees) and numbers of blocks (...)."""
        return (_per_block(parameters, count, -1) - self.lattice[0]) / self.lattice[1]

    def lattice_out(self, standardised: np.ndarray, count: np.ndarray) -> np.ndarray:
        """Parameters (..., 6) in A and degrees."""
        return _per_block(standardised * self.lattice[1] + self.lattice[0], count, 1)

    def embedding_in(self, embedding: np.ndarray) -> np.ndarray:
        """Standardised embeddings."""
        return (embedding - self.embedding[0]) / self.embedding[1]

    def labels_in(self, values: np.ndarray) -> np.ndarray:
        """Standardised labels (..., L) of values in their own units."""
        return (signed_log(values) - self.labels[0]) / self.labels[1]

    def labels_out(self, standardised: np.ndarray) -> np.ndarray:
        """Labels in their own units."""
        logarithm = standardised * self.labels[1] + self.labels[0]
        return np.sign(logarithm) * np.expm1(np.abs(logarithm))


def fit_scales(
    parameters: np.ndarray, count: np.ndarray, embedding: np.ndarray, labels: np.ndarray, names: tuple[str, ...]
) -> Scales:
    """Scales of M frameworks.

    Args:
        parameters: of their cells, (M, 6).
        count: of blocks, (M,).
        embedding: of all their blocks, (sum of counts, C).
        labels: (M, L), not a number where unknown.
        names: of the labels.
    """
    lattice = _per_block(parameters, count, -1)
    logarithms = signed_log(labels)
    return Scales(
        lattice=np.stack([lattice.mean(axis=0), np.maximum(lattice.std(axis=0), _LEAST)]),
        embedding=np.stack([embedding.mean(axis=0), np.maximum(embedding.std(axis=0), _SMALL)]),
        labels=np.stack([np.nanmean(logarithms, axis=0), np.maximum(np.nanstd(logarithms, axis=0), _SMALL)]),
        names=names,
    )


def signed_log(values: np.ndarray) -> np.ndarray:
    """sign(y) ln(1 + |y|)."""
    return np.sign(values) * np.log1p(np.abs(values))


def _per_block(parameters: np.ndarray, count: np.ndarray, power: int) -> np.ndarray:
    """Edges times the cube root of the count to this power; angles as they are."""
    factor = np.asarray(count, np.float64)[..., None] ** (power / 3)
    return np.concatenate([parameters[..., :3] * factor, parameters[..., 3:]], axis=-1)
