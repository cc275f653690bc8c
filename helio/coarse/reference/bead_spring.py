"""Bead-spring chains in implicit solvent: harmonic bonds, Lennard-Jones pairs, Langevin dynamics, many chains at once.

U = sum_bonds k/2 (r - r0)^2 + sum_pairs 4 eps_ij ((1/r)^12 - (1/r)^6 - shift) for r < 2.5 sigma, bonded pairs left out;
the shift makes the energy zero at the cutoff. Solvent quality is in eps_ij. The integrator is BAOAB (Leimkuhler and
Matthews, Appl. Math. Res. Express 2013, 34), masses are one.

| symbol | variable |
|---|---|
| eps_ij | `Chains.epsilon` |
| r0, k | `BOND_LENGTH`, `BOND_STIFFNESS` |
| kT, gamma | `temperature`, `friction` |

Chains of a batch are padded to the longest; padding feels and exerts nothing. All pairs are computed, without a list.
"""

from __future__ import annotations

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

BOND_LENGTH = 0.97  # sigma, about that of FENE bonds of Kremer and Grest, J. Chem. Phys. 92, 5057 (1990)
BOND_STIFFNESS = 400.0  # epsilon / sigma^2: a bond oscillates in 0.22 tau, 22 steps of 0.01
CUTOFF = 2.5  # sigma
_SHIFT = CUTOFF**-12 - CUTOFF**-6
# Forces of a start structure are cut here while overlaps are pushed apart, epsilon / sigma.
_PUSH_LIMIT = 50.0


class Chains(eqx.Module):
    """What does not move of B chains, padded to N beads; K is the largest number of bonds at a bead."""

    epsilon: Float[Array, "B N N"]  # of each pair, epsilon; 0 for bonded pairs, a bead with itself, and padding
    partners: Int[Array, "B N K"]  # beads bonded to a bead; itself where there is none
    bonded: Bool[Array, "B N K"]  # whether there is one
    real: Bool[Array, "B N"]


def make_chains(types: list[np.ndarray], bonds: list[np.ndarray], table: np.ndarray, *, dtype: str) -> Chains:
    """Chains with bead types (n,) and bonds (p, 2) each; `table` is eps of each pair of types."""
    size = max(map(len, types))
    degree = max(int(np.bincount(pairs.ravel()).max()) for pairs in bonds)
    epsilon = np.zeros((len(types), size, size))
    partners = np.tile(np.arange(size)[None, :, None], (len(types), 1, degree))
    bonded = np.zeros(partners.shape, bool)
    real = np.zeros((len(types), size), bool)
    for chain, (own, pairs) in enumerate(zip(types, bonds, strict=True)):
        count = len(own)
        real[chain, :count] = True
        epsilon[chain, :count, :count] = table[own[:, None], own]
        epsilon[chain, pairs[:, 0], pairs[:, 1]] = epsilon[chain, pairs[:, 1], pairs[:, 0]] = 0
        np.fill_diagonal(epsilon[chain], 0)
        used = np.zeros(count, int)
        for i, j in np.concatenate([pairs, pairs[:, ::-1]]):
            partners[chain, i, used[i]], bonded[chain, i, used[i]] = j, True
            used[i] += 1
    return Chains(jnp.asarray(epsilon, dtype), jnp.asarray(partners), jnp.asarray(bonded), jnp.asarray(real))


def energies(chains: Chains, positions: Float[Array, "B N 3"]) -> Float[Array, " B"]:
    """U of each chain, epsilon; the slow form that the forces are held to."""

    def one(chain: Chains, r: Array) -> Array:
        squares = _squares(r, chain.epsilon)
        inverse = 1 / squares**3
        pairs = jnp.where(squares < CUTOFF**2, 4 * chain.epsilon * (inverse**2 - inverse - _SHIFT), 0)
        vectors = jnp.where(chain.bonded[..., None], r[:, None] - r[chain.partners], 1)
        stretch = jnp.linalg.norm(vectors, axis=-1) - BOND_LENGTH
        bonds = jnp.where(chain.bonded, BOND_STIFFNESS / 2 * stretch**2, 0)
        return (pairs.sum() + bonds.sum()) / 2  # each pair is seen from both beads

    return jax.vmap(one)(chains, positions)


def forces(chains: Chains, positions: Float[Array, "B N 3"]) -> Float[Array, "B N 3"]:
    """-dU/dr, epsilon / sigma.

    The force of all pairs on bead i, sum_j w_ij (r_i - r_j), is a product of the matrix w with positions: no vectors of
    pairs are stored.
    """

    def one(chain: Chains, r: Array) -> Array:
        r = r - r[:1]  # keeps the digits of chains that have gone far
        squares = _squares(r, chain.epsilon)
        inverse = 1 / squares
        sixth = inverse * inverse * inverse
        weights = jnp.where(squares < CUTOFF**2, 24 * chain.epsilon * inverse * sixth * (2 * sixth - 1), 0)
        sums = weights @ jnp.concatenate([r, jnp.ones_like(r[:, :1])], axis=1)
        vectors = r[:, None] - r[chain.partners]
        lengths = jnp.sqrt(jnp.where(chain.bonded, (vectors**2).sum(axis=-1), 1))
        tensions = jnp.where(chain.bonded, -BOND_STIFFNESS * (1 - BOND_LENGTH / lengths), 0)
        return r * sums[:, 3:] - sums[:, :3] + (tensions[..., None] * vectors).sum(axis=1)

    return jax.vmap(one)(chains, positions)


class Motion(eqx.Module):
    """Positions and velocities of B chains, the forces there, and the random key."""

    positions: Float[Array, "B N 3"]
    velocities: Float[Array, "B N 3"]
    forces: Float[Array, "B N 3"]
    key: Array


def start(chains: Chains, positions: np.ndarray, *, temperature: float, seed: int) -> Motion:
    """Chains at `positions` (B, N, 3) with velocities of the temperature."""
    return _started(chains, jnp.asarray(positions, chains.epsilon.dtype), jax.random.key(seed), temperature)


@jax.jit
def _started(chains: Chains, positions: Array, key: Array, temperature: float) -> Motion:
    key, own = jax.random.split(key)
    velocities = temperature**0.5 * jax.random.normal(own, positions.shape, positions.dtype)
    velocities = jnp.where(chains.real[..., None], velocities, 0)
    return Motion(positions, velocities, forces(chains, positions), key)


@partial(jax.jit, static_argnames=("frames", "steps"))
def advance(
    chains: Chains,
    motion: Motion,
    *,
    frames: int,
    steps: int,
    timestep: float,
    temperature: float,
    friction: float,
) -> tuple[Motion, Float[Array, "frames B N 3"]]:
    """BAOAB for `frames` times `steps` steps of `timestep` tau, in one compiled loop; positions after each `steps`.

    `friction` is gamma, 1 / tau.
    """
    dtype = motion.positions.dtype
    half = jnp.asarray(timestep / 2, dtype)
    decay = jnp.exp(jnp.asarray(-friction * timestep, dtype))
    kick = jnp.where(chains.real[..., None], jnp.sqrt(jnp.asarray(temperature, dtype) * (1 - decay**2)), 0)

    def step(_: int, motion: Motion) -> Motion:
        key, own = jax.random.split(motion.key)
        v = motion.velocities + half * motion.forces
        r = motion.positions + half * v
        v = decay * v + kick * jax.random.normal(own, v.shape, dtype)
        r = r + half * v
        found = forces(chains, r)
        return Motion(r, v + half * found, found, key)

    def frame(motion: Motion, _: None) -> tuple[Motion, Array]:
        motion = jax.lax.fori_loop(0, steps, step, motion)
        return motion, motion.positions

    return jax.lax.scan(frame, motion, None, length=frames)


@partial(jax.jit, static_argnames="steps")
def push_apart(chains: Chains, positions: Float[Array, "B N 3"], *, steps: int) -> Float[Array, "B N 3"]:
    """Steepest descent with limited forces: overlaps of a start structure become contacts."""

    def step(_: int, r: Array) -> Array:
        found = forces(chains, r)
        size = jnp.linalg.norm(found, axis=-1, keepdims=True)
        return r + 5e-4 * found * jnp.minimum(1, _PUSH_LIMIT / jnp.maximum(size, 1e-6))

    return jax.lax.fori_loop(0, steps, step, positions)


def _squares(r: Array, epsilon: Array) -> Array:
    """Squared distances (N, N); far beyond the cutoff for pairs that do not interact."""
    x, y, z = (r[:, axis] for axis in range(3))
    squares = (x[:, None] - x) ** 2 + (y[:, None] - y) ** 2 + (z[:, None] - z) ** 2
    # Nearer than 0.5 sigma, where only a start structure has beads, forces would overflow single precision.
    return jnp.where(epsilon > 0, jnp.maximum(squares, 0.25), 2 * CUTOFF**2)
