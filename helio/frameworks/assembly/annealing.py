"""All blocks turned together, for many starts and frameworks at once, on the device.

    minimise  -(1/P) sum_ab exp(-m_ab / sigma)

over one rotation per block, a over the nodes' connections and b over the linkers', m as in the folder's contract, the
nearest image by rounding in the reduced cell (exact where it matters: for pairs that are near). sigma falls linearly
from `_SIGMA[0]` to `_SIGMA[1]`; each step is one of Adam's in the tangent space, R <- exp(step) R.

| here | equation |
|---|---|
| `turns` | R, (G, 3, 3) |
| `misfit` | m, (P, Q) |
| `sigma` | sigma, A |
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from helio.cells import inverse
from helio.frameworks.assembly.matching import TIP_WEIGHT
from helio.frameworks.assembly.sites import Joints, Sites

_STEPS = 150
_SIGMA = (2.0, 0.3)  # A
_RATE = (0.15, 0.01)  # radians, of a step
_DECAY = (0.9, 0.95)  # of the running means of the slope and of its square
_SMALLEST = 1e-4  # A2, under the root: m has a slope at zero
_BLOCKS, _SITES = 8, 16  # sizes are rounded up to multiples, so that few programs are compiled


@dataclass(frozen=True)
class Start:
    """A framework to be annealed: connections, centres (G, 3) in A, reduced cell, first turns (S, G, 3, 3)."""

    joints: Joints
    centers: np.ndarray
    cell: np.ndarray
    turns: np.ndarray


def annealed(starts: list[Start]) -> list[np.ndarray]:
    """The rotations (S, G, 3, 3) that each start of each framework ends at; all have the same number of starts."""
    blocks = _up(max(len(start.centers) for start in starts), _BLOCKS)
    sites = _up(max(len(start.joints.nodes) for start in starts), _SITES)
    padded = [_padded(start, blocks, sites) for start in starts]
    padded += [padded[0]] * ((1 << (len(padded) - 1).bit_length()) - len(padded))  # likewise to a power of two
    turns = _annealed(*(np.stack(part) for part in zip(*padded, strict=True)))
    return [
        np.asarray(one, np.float64)[:, : len(start.centers)]
        for one, start in zip(np.asarray(turns), starts, strict=False)
    ]


@jax.jit
@partial(jax.vmap, in_axes=(0, 0, 0, 0, 0, 0, 0, 0))
@partial(jax.vmap, in_axes=(0, None, None, None, None, None, None, None))
def _annealed(turns, centers, cell, node_block, node_local, linker_block, linker_local, mask):
    """One start of one framework; `mask` (P,) is 1 where there is a connection."""
    back = inverse(cell)

    def score(step, turns, sigma):
        now = _exponential(step) @ turns
        misfit = _misfit(
            _placed(now, centers, node_block, node_local), _placed(now, centers, linker_block, linker_local), cell, back
        )
        near = jnp.exp(-misfit / sigma) * mask[:, None] * mask[None, :]
        return -jnp.sum(near) / jnp.sum(mask)

    def step(carry, fraction):
        turns, mean, square, decay = carry
        sigma = _SIGMA[0] + (_SIGMA[1] - _SIGMA[0]) * fraction
        rate = _RATE[0] * (_RATE[1] / _RATE[0]) ** fraction
        slope = jax.grad(score)(jnp.zeros_like(mean), turns, sigma)
        mean = _DECAY[0] * mean + (1 - _DECAY[0]) * slope
        square = _DECAY[1] * square + (1 - _DECAY[1]) * slope**2
        decay = decay * jnp.asarray(_DECAY, turns.dtype)
        change = mean / (1 - decay[0]) / (jnp.sqrt(square / (1 - decay[1])) + 1e-8)
        return (_exponential(-rate * change) @ turns, mean, square, decay), None

    still = jnp.zeros((turns.shape[0], 3), turns.dtype)
    fractions = jnp.linspace(0, 1, _STEPS, dtype=turns.dtype)
    (turns, *_), _ = jax.lax.scan(step, (turns, still, still, jnp.ones(2, turns.dtype)), fractions)
    return turns


def _placed(turns: Float[Array, "G 3 3"], centers, block, local) -> Float[Array, "P 3 3"]:
    return jnp.einsum("pxy,pky->pkx", turns[block], local) + centers[block][:, None]


def _misfit(nodes: Float[Array, "P 3 3"], linkers: Float[Array, "Q 3 3"], cell, back) -> Float[Array, "P Q"]:
    between = nodes[:, None, 0] - linkers[None, :, 0]
    shifts = jnp.round(between @ back) @ cell
    tips = jnp.sum((nodes[:, None, 1] - linkers[None, :, 2] - shifts) ** 2, axis=-1)
    tips = tips + jnp.sum((nodes[:, None, 2] - linkers[None, :, 1] - shifts) ** 2, axis=-1)
    return jnp.sqrt(jnp.sum((between - shifts) ** 2, axis=-1) + TIP_WEIGHT / 2 * tips + _SMALLEST)


def _exponential(vectors: Float[Array, "G 3"]) -> Float[Array, "G 3 3"]:
    """Rotation matrices of rotation vectors (Rodrigues), smooth at zero."""
    square = jnp.sum(vectors**2, axis=-1)[:, None, None] + 1e-12
    angle = jnp.sqrt(square)
    x, y, z = vectors.T
    zero = jnp.zeros_like(x)
    skew = jnp.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(-1, 3, 3)
    eye = jnp.eye(3, dtype=vectors.dtype)
    return eye + jnp.sin(angle) / angle * skew + (1 - jnp.cos(angle)) / square * (skew @ skew)


def _padded(start: Start, blocks: int, sites: int) -> tuple[np.ndarray, ...]:
    turns = np.tile(np.eye(3, dtype=np.float32), (len(start.turns), blocks, 1, 1))
    turns[:, : len(start.centers)] = start.turns
    centers = np.zeros((blocks, 3), np.float32)
    centers[: len(start.centers)] = start.centers
    mask = np.arange(sites) < len(start.joints.nodes)
    return (
        turns,
        centers,
        start.cell.astype(np.float32),
        *_padded_sites(start.joints.nodes, sites),
        *_padded_sites(start.joints.linkers, sites),
        mask.astype(np.float32),
    )


def _padded_sites(sites: Sites, count: int) -> tuple[np.ndarray, np.ndarray]:
    block, local = np.zeros(count, np.int32), np.zeros((count, 3, 3), np.float32)
    block[: len(sites)], local[: len(sites)] = sites.block, sites.local
    return block, local


def _up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple
