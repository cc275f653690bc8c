"""From latents to frameworks: numbers of blocks and lattices from the heads, then the reverse diffusion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from helio.cells import inverse
from helio.frameworks.model.data import padded_size, padded_sizes
from helio.frameworks.model.diffusion import GenerativeModel
from helio.frameworks.model.equivariant import masked_mean
from helio.frameworks.model.guidance import CleanGuess, Guidance, guided
from helio.frameworks.model.heads import MOST_BLOCKS
from helio.frameworks.model.scaling import Scales
from helio.frameworks.model.schedules import Schedule, clean_embedding, embedding_step, place_step
from helio.frameworks.model.torus import cell_matrix, cell_parameters, length_unit, reduced, wrap
from helio.frameworks.model.wishes import Wishes

_SHAPES = 2  # of batches: each is compiled


@dataclass(frozen=True, eq=False)
class Skeletons:
    """M lattices with numbers of blocks, to be filled."""

    latent: np.ndarray  # (M, D)
    cell: np.ndarray  # (M, 3, 3) A, reduced
    count: np.ndarray  # (M,)
    lattice: np.ndarray  # (M, 6) standardised
    number: np.ndarray  # (M,) which draw each is
    impossible: int  # draws whose lattice is none


@dataclass(frozen=True, eq=False)
class Filled:
    """Blocks of M skeletons, padded."""

    fractional: np.ndarray  # (M, 20, 3)
    embedding: np.ndarray  # (M, 20, C) standardised
    finite: np.ndarray  # (M,) False where numbers ran away


@dataclass(frozen=True, eq=False)
class Draft:
    """Frameworks to be done again with blocks that are known by now."""

    fractional: np.ndarray  # (M, 20, 3)
    embedding: np.ndarray  # (M, 20, C) standardised, of the blocks
    sigma: float  # noise that places are given


class _One(eqx.Module):
    """What the reverse diffusion of one framework starts from."""

    latent: Any
    cell: Any
    lattice: Any
    mask: Any
    count: Any
    key: Any
    places: Any  # of a draft; or None
    embedding: Any


def skeletons(model: GenerativeModel, scales: Scales, latents: np.ndarray, wishes: Wishes) -> Skeletons:
    """Read numbers of blocks and lattices off latents (M, D), or take those that are wished for."""
    reading = jax.device_get(model.read(jnp.asarray(latents, jnp.float32)))
    count = np.argmax(reading.count[:, 1:], axis=1).astype(np.int32) + 1  # never none
    if wishes.blocks is not None:
        count = np.full_like(count, wishes.blocks)
    parameters = scales.lattice_out(np.asarray(reading.lattice, np.float64), count)
    if wishes.cell is not None:
        parameters = np.tile(wishes.cell, (len(latents), 1))
    kept, cells = [], []
    for number, own in enumerate(parameters):
        try:
            cells.append(reduced(cell_matrix(own), np.zeros((1, 3)))[0])
        except (ValueError, RuntimeError):  # no such cell, or none that can be reduced
            continue
        kept.append(number)
    cell, chosen = np.array(cells).reshape(-1, 3, 3), np.array(kept, int)
    lattice = np.array([cell_parameters(each) for each in cell]).reshape(-1, 6)
    return Skeletons(
        latent=latents[chosen],
        cell=cell,
        count=count[chosen],
        lattice=scales.lattice_in(lattice, count[chosen]),
        number=chosen,
        impossible=len(latents) - len(chosen),
    )


def fill(
    model: GenerativeModel,
    schedule: Schedule,
    found: Skeletons,
    *,
    channels: int,
    seed: int,
    batch: int = 64,
    guidance: Guidance | None = None,
    draft: Draft | None = None,
    report: Callable[[int], None] = lambda done: None,
) -> Filled:
    """Draw places and embeddings of all blocks, or with a draft places alone.

    A draw depends on the seed, its number and its skeleton alone, not on what it is drawn with.

    Args:
        model: the networks.
        schedule: of the noise.
        found: lattices, numbers of blocks and latents.
        channels: C.
        seed: of all random numbers.
        batch: frameworks that are drawn at once.
        guidance: wishes that are followed on the way.
        draft: what to begin with: its places are given noise, and at every step embeddings are those of its blocks
            with the noise of that step.
        report: told how many frameworks are done.
    """
    m = len(found.count)
    whole = Filled(np.zeros((m, MOST_BLOCKS, 3)), np.zeros((m, MOST_BLOCKS, channels), np.float32), np.zeros(m, bool))
    sizes = padded_sizes(found.count, _SHAPES) if m else ()
    padded = np.array([padded_size(count, sizes) for count in found.count])
    done = 0
    for size in sizes:
        members = np.flatnonzero(padded == size)
        for begin in range(0, len(members), batch):
            rows = members[begin : begin + batch]
            places, embeddings = _drawn(model, schedule, found, np.resize(rows, batch), size, seed, guidance, draft)
            whole.fractional[rows, :size] = places[: len(rows)]
            whole.embedding[rows, :size] = embeddings[: len(rows)]
            good = np.isfinite(np.concatenate([places, embeddings], axis=-1)).all(axis=(1, 2))
            whole.finite[rows] = np.asarray(good)[: len(rows)]
            done += len(rows)
            report(done)
    return whole


def _drawn(
    model: GenerativeModel,
    schedule: Schedule,
    found: Skeletons,
    rows: np.ndarray,
    size: int,
    seed: int,
    guidance: Guidance | None,
    draft: Draft | None,
) -> tuple[np.ndarray, np.ndarray]:
    key = jax.random.key(seed) if draft is None else jax.random.fold_in(jax.random.key(seed), 1)
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.asarray(found.number[rows], jnp.uint32))
    first, places, embedding = schedule.steps, None, None
    if draft is not None:
        first = max(1, int(np.searchsorted(schedule.sigmas, min(draft.sigma, schedule.sigma_max))))
        places = jnp.asarray(draft.fractional[rows, :size], jnp.float32)
        embedding = jnp.asarray(draft.embedding[rows, :size], jnp.float32)
    one = _One(
        latent=jnp.asarray(found.latent[rows], jnp.float32),
        cell=jnp.asarray(found.cell[rows], jnp.float32),
        lattice=jnp.asarray(found.lattice[rows], jnp.float32),
        mask=jnp.arange(size) < jnp.asarray(found.count[rows])[:, None],
        count=jnp.asarray(found.count[rows]),
        key=keys,
        places=places,
        embedding=embedding,
    )
    levels = (
        jnp.asarray(schedule.sigmas, jnp.float32),
        jnp.asarray(schedule.betas, jnp.float32),
        jnp.asarray(schedule.alpha_bars, jnp.float32),
    )
    return jax.device_get(_reverse(model, levels, one, size, first, guidance))


@eqx.filter_jit
def _reverse(
    model: GenerativeModel, levels: tuple[Any, Any, Any], one: _One, size: int, first: int, guidance: Guidance | None
) -> Any:
    return jax.vmap(lambda each: _trajectory(model, levels, each, size, first, guidance))(one)


def _trajectory(
    model: GenerativeModel, levels: tuple[Any, Any, Any], one: _One, size: int, first: int, guidance: Guidance | None
) -> tuple[Any, Any]:
    """The steps of one framework from number `first` on."""
    sigmas, betas, alpha_bars = levels
    steps = len(sigmas) - 1
    channels = model.denoiser.leave.second.kernel.shape[-1]
    to_fractional = inverse(one.cell / length_unit(one.cell))

    def noise(number: Any) -> tuple[Any, Any]:
        """Standard normal, the same whatever the padding."""
        key = jax.random.fold_in(one.key, number)
        drawn = jax.random.normal(key, (MOST_BLOCKS, 3 + channels), jnp.float32)[:size]
        return drawn[:, :3], drawn[:, 3:]

    def back(state: tuple[Any, Any], t: Any) -> tuple[tuple[Any, Any], None]:
        x, h = state
        sigma, alpha_bar = sigmas[t], alpha_bars[t]
        place_noise, embedding_noise = noise(t)
        if one.embedding is not None:
            h = jnp.sqrt(alpha_bar) * one.embedding + jnp.sqrt(1 - alpha_bar) * embedding_noise
        pairs = model.pairs(x, one.cell, one.mask)
        time = t.astype(jnp.float32) / steps
        moved, predicted = model.denoise(h, pairs, one.latent, one.lattice, one.mask, time)
        moved = moved * sigma
        if guidance is not None:
            clean = CleanGuess(x - moved @ to_fractional, clean_embedding(h, predicted, alpha_bar))
            places, embeddings = guided(
                model, clean, guidance, one.cell, one.lattice, one.mask, one.count, sigma, alpha_bar
            )
            moved = moved - (places - masked_mean(places, one.mask))
            predicted = predicted - jnp.sqrt(alpha_bar / (1 - alpha_bar)) * embeddings
        before = jnp.where(t > 1, sigmas[t - 1], 0.0)  # the last step leaves no noise
        x = wrap(x + place_step(moved, place_noise, sigma, before) @ to_fractional)
        beta = jnp.minimum(betas[t], betas[-2])
        return (x, embedding_step(h, predicted, embedding_noise, beta, alpha_bar)), None

    start = jax.random.uniform(jax.random.fold_in(one.key, 0), (MOST_BLOCKS, 3), jnp.float32)[:size]
    other = noise(steps + 1)
    if one.places is not None:
        start = wrap(one.places + sigmas[first] * other[0] @ to_fractional)
    (x, h), _ = jax.lax.scan(back, (start, other[1]), jnp.arange(first, 0, -1))
    return x, h if one.embedding is None else one.embedding
