"""What training data say about the last layer, and what they leave open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, UInt32

from helio.force_field import ForceField
from helio.force_field.uncertainty import Uncertainty
from helio.neighbors import Neighbors
from helio.system import System
from helio.uncertainty.features import energy_features

LABELS = ("energy", "forces", "atomic_energies")


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

    def __add__(self, other: Curvature) -> Curvature:
        """Of the labels of both."""
        return Curvature(
            {name: self.sums[name] + other.sums[name] for name in LABELS},
            {name: self.counts[name] + other.counts[name] for name in LABELS},
        )

    def weighted(self, weights: Mapping[str, float]) -> Float[np.ndarray, "F F"]:
        """H = sum over labels k of w_k H_k / C_k: half the second derivative of the loss sum_k w_k MSE_k in w."""
        return sum(
            (weights.get(name, 0.0) / max(1.0, self.counts[name]) * self.sums[name] for name in LABELS),
            start=np.zeros_like(self.sums["energy"]),
        )


@eqx.filter_jit
def add_structures(
    force_field: ForceField,
    system: System,
    neighbors: Neighbors,
    known: Mapping[str, Bool[Array, " B"]],
    *,
    key: UInt32[Array, " 2"],
    probes: int,
) -> tuple[dict[str, Float[Array, "F F"]], dict[str, Float[Array, ""]]]:
    """Sums and counts of `Curvature` over a block of structures, which have a leading axis B.

    The sum over the 3N components of the forces is that of `probes` random signs v, sum_k (v_k . dF/dw)^2 / probes:
    each costs one forward derivative instead of 3N, and its mean is exact.

    Args:
        force_field: with plain kernels, since it is differentiated forward.
        system: B padded structures.
        neighbors: their lists.
        known: by label, which structures have it.
        key: of the signs.
        probes: how many for each structure.
    """

    def one(system: System, neighbors: Neighbors, key: Array) -> tuple[Array, Array, Array]:
        own, along = jax.linearize(lambda r: _features_at(force_field, system, neighbors, r), system.positions)
        signs = jax.random.rademacher(key, (probes, *system.positions.shape), own.dtype)
        signs = jnp.where(system.atom_mask[None, :, None], signs, 0)
        slopes = jax.lax.map(lambda v: along(v).sum(axis=0), signs)
        total = own.sum(axis=0) / system.atom_mask.sum().astype(own.dtype)
        return jnp.outer(total, total), slopes.T @ slopes / probes, own.T @ own

    keys = jax.random.split(key, len(system.positions))
    energy, forces, atoms = jax.vmap(one)(system, neighbors, keys)
    sums, counts = {"energy": energy, "forces": forces, "atomic_energies": atoms}, {}
    size = system.atom_mask.sum(axis=1)
    for name, each in zip(LABELS, (jnp.ones_like(size), 3 * size, size), strict=True):
        sums[name] = jnp.sum(jnp.where(known[name][:, None, None], sums[name], 0), axis=0)
        counts[name] = jnp.sum(jnp.where(known[name], each, 0))
    return sums, counts


@eqx.filter_jit
def force_slopes(
    force_field: ForceField, system: System, neighbors: Neighbors, directions: Float[Array, "F D"]
) -> tuple[Float[Array, "B D"], Float[Array, "B N 3 D"]]:
    """Derivatives of energies and forces along `directions` of the weights, of structures with a leading axis B."""

    def one(system: System, neighbors: Neighbors) -> tuple[Array, Array]:
        own, back = jax.vjp(lambda r: _features_at(force_field, system, neighbors, r), system.positions)
        slopes = jax.lax.map(lambda d: -back(jnp.broadcast_to(d[None, :], own.shape))[0], directions.T)
        return own.sum(axis=0) @ directions, jnp.moveaxis(slopes, 0, -1)

    return jax.vmap(one)(system, neighbors)


def _features_at(force_field: ForceField, system: System, neighbors: Neighbors, positions: Array) -> Array:
    return energy_features(force_field, eqx.tree_at(lambda s: s.positions, system, positions), neighbors)


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
