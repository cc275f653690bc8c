"""What training data say about the last layer, and what they leave open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt32

from helio.force_field import ForceField
from helio.force_field.uncertainty import Uncertainty
from helio.neighbors import Neighbors
from helio.system import System
from helio.uncertainty.calibration import surprise
from helio.uncertainty.features import energy_features

LABELS = ("energy", "forces", "atomic_energies")
# Values of s^2 that are tried, in units of the mean eigenvalue of H.
RIDGES = tuple(float(10.0**power) for power in range(-10, 2))


class Slopes(eqx.Module):
    """Derivatives of what a model says about B structures in the weights w of its last layer; zero for padding."""

    atomic_energies: Float[Any, "B N F"]  # f_i, eV
    forces: Float[Any, "B K F"]  # of sum_i v_i . F_i, for K choices of v, eV/A
    signs: Float[Any, "B K N 3"]  # v: 1 or -1, at random


@eqx.filter_jit
def slopes(
    force_field: ForceField, system: System, neighbors: Neighbors, *, key: UInt32[Array, " 2"], probes: int
) -> Slopes:
    """The derivatives, of B padded structures and their lists.

    (v . dF/dw)^2 has for random signs v the mean of the sum over all 3N components of (dF/dw)^2, and costs one forward
    derivative instead of 3N.

    Args:
        force_field: with plain kernels, since it is differentiated forward.
        system: with a leading axis B, as all that follows.
        neighbors: its lists.
        key: of the signs.
        probes: K.
    """

    def one(system: System, neighbors: Neighbors, key: Array) -> Slopes:
        def features(positions: Array) -> Array:
            return energy_features(force_field, eqx.tree_at(lambda s: s.positions, system, positions), neighbors)

        own, along = jax.linearize(features, system.positions)
        signs = jax.random.rademacher(key, (probes, *system.positions.shape), own.dtype)
        signs = jnp.where(system.atom_mask[None, :, None], signs, 0)
        return Slopes(own, jax.lax.map(lambda v: -along(v).sum(axis=0), signs), signs)

    return jax.vmap(one)(system, neighbors, jax.random.split(key, len(system.positions)))


@dataclass(frozen=True)
class Curvature:
    """Sums over labels y of dy/dw dy/dw^T (F, F), and how many labels they are of, by the names in `LABELS`.

    y are energies per atom, components of forces, and atomic energies, as in the loss that they were trained with.
    """

    sums: Mapping[str, Float[np.ndarray, "F F"]]
    counts: Mapping[str, float]

    @classmethod
    def empty(cls, features: int) -> Curvature:
        """Of no labels."""
        return cls({name: np.zeros((features, features)) for name in LABELS}, dict.fromkeys(LABELS, 0.0))

    def including(
        self, found: Slopes, atoms: Int[np.ndarray, " B"], known: Mapping[str, Bool[np.ndarray, " B"]]
    ) -> Curvature:
        """With those of B more structures of so many atoms, for the labels that are known of each."""
        own, forces = (np.asarray(values, np.float64) for values in (found.atomic_energies, found.forces))
        rows = {
            "energy": own.sum(axis=1, keepdims=True) / atoms[:, None, None],
            "forces": forces / forces.shape[1] ** 0.5,
            "atomic_energies": own,
        }
        sizes = {"energy": np.ones_like(atoms), "forces": 3 * atoms, "atomic_energies": atoms}
        sums, counts = {}, {}
        for name in LABELS:
            chosen = rows[name][known[name]].reshape(-1, own.shape[-1])
            sums[name] = self.sums[name] + chosen.T @ chosen
            counts[name] = self.counts[name] + float(sizes[name][known[name]].sum())
        return Curvature(sums, counts)

    def weighted(self, weights: Mapping[str, float]) -> Float[np.ndarray, "F F"]:
        """H = sum over labels k of w_k H_k / C_k: half the second derivative of the loss sum_k w_k MSE_k in w."""
        parts = [weights.get(name, 0.0) / max(1.0, self.counts[name]) * self.sums[name] for name in LABELS]
        return np.sum(parts, axis=0)


@dataclass(frozen=True)
class Rigidity:
    """P = (H + s^2 1)^-1, the covariance of the last layer, by the eigenvectors of H."""

    vectors: Float[np.ndarray, "F F"]  # columns
    stiffness: Float[np.ndarray, " F"]  # eigenvalues of H
    ridge: float  # s^2

    @classmethod
    def of(cls, curvature: Float[np.ndarray, "F F"], *, relative_ridge: float) -> Rigidity:
        """With s^2 in units of the mean eigenvalue of H."""
        stiffness, vectors = np.linalg.eigh(curvature)
        stiffness = np.maximum(stiffness, 0)
        return cls(vectors, stiffness, relative_ridge * float(stiffness.mean()))

    @classmethod
    def most_likely(
        cls, curvature: Float[np.ndarray, "F F"], slopes: Float[np.ndarray, "S F"], errors: Float[np.ndarray, " S"]
    ) -> Rigidity:
        """With the s^2 among `RIDGES` by which errors of structures not in H are most likely, alpha being the best.

        Args:
            curvature: H.
            slopes: dy/dw of S predictions y.
            errors: of these.
        """
        candidates = [cls.of(curvature, relative_ridge=ridge) for ridge in RIDGES]
        return min(candidates, key=lambda one: surprise(errors, np.linalg.norm(slopes @ one.factor, axis=1)))

    @property
    def variances(self) -> Float[np.ndarray, " F"]:
        """Eigenvalues of P."""
        return 1 / (self.stiffness + self.ridge)

    @property
    def factor(self) -> Float[np.ndarray, "F F"]:
        """L with L L^T = P."""
        return self.vectors * np.sqrt(self.variances)[None, :]

    def uncertainty(
        self, *, members: int, energy_scale: float = 1.0, force_scale: float = 1.0, limit: float = np.inf,
        about: str = "", seed: int = 0,
    ) -> Uncertainty:  # fmt: skip
        """The record for a model, in float64, with `members` weights that are drawn.

        dw_m = sqrt(F) L q_m with random orthonormal q_m: the mean of dw dw^T is P on average, and exactly so for F
        members, with less scatter than of independent draws.

        Args:
            members: M, at most F.
            energy_scale: alpha of energies.
            force_scale: alpha of forces.
            limit: in eV/A, see `Uncertainty`.
            about: which data it comes from.
            seed: of the draw.
        """
        size = len(self.stiffness)
        drawn = np.random.default_rng(seed).normal(size=(size, min(members, size)))
        directions, _ = np.linalg.qr(drawn)
        with jax.enable_x64(True):
            return Uncertainty(
                factor=jnp.asarray(energy_scale * self.factor),
                members=jnp.asarray(force_scale * size**0.5 * (self.factor @ directions).T),
                limit=limit,
                about=about,
            )
