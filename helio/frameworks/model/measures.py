"""How good a model is on frameworks that it was not trained on, and how sensible samples are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from helio.frameworks.framework import Framework
from helio.frameworks.library import Library
from helio.frameworks.model.data import FrameworkArrays
from helio.frameworks.model.diffusion import GenerativeModel, displaced
from helio.frameworks.model.embedding import nearest_blocks
from helio.frameworks.model.model_file import FrameworkModel
from helio.frameworks.model.scaling import signed_log
from helio.frameworks.model.schedules import clean_embedding

# Levels of noise, as shares of all steps, at which denoising is measured.
LEVELS = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class ModelErrors:
    """Errors over frameworks; lattices and labels are those read off the mean of the latent."""

    frameworks: int
    count_accuracy: float
    nodes_accuracy: float
    length_error: float  # mean |error| / length
    angle_error: float  # mean, degrees
    volume_error: float  # mean |error| / volume
    labels: dict[str, float]  # mean |error| in their own units
    log_labels: dict[str, float]  # likewise of signed logarithms
    places: dict[float, float]  # rms error of the displacement after one step over rms displacement, by level
    blocks: dict[float, float]  # share of blocks that one step from that level names rightly


def matched(framework: Framework, library: Library) -> bool:
    """Whether nodes and linkers have the same number of connections, at least one."""
    counts = [0, 0]
    for block in framework.blocks:
        counts[library[block].node] += len(library[block].connections)
    return counts[0] == counts[1] > 0


def shuffled_blocks(frameworks: Sequence[Framework], library: Library, *, seed: int) -> list[Framework]:
    """The same frameworks with blocks of the library put in their places at random: a baseline for samples."""
    random = np.random.default_rng(seed)
    return [replace(each, blocks=random.integers(len(library), size=len(each)).astype(np.int32)) for each in frameworks]


def encode(model: FrameworkModel, arrays: FrameworkArrays, embeddings: np.ndarray) -> np.ndarray:
    """Means of the latents (M, D) of frameworks; `embeddings` (library, C) are not standardised."""
    return np.asarray(_encoded(model.generative, *_inputs(model, arrays, embeddings)))


def model_errors(
    model: FrameworkModel, arrays: FrameworkArrays, embeddings: np.ndarray, *, seed: int = 0
) -> ModelErrors:
    """All errors of a model on frameworks; to be called in the scope of the precision float32."""
    latent = encode(model, arrays, embeddings)
    reading: Any = jax.device_get(model.generative.read(jnp.asarray(latent)))
    true = arrays.parameters
    found = model.scales.lattice_out(np.asarray(reading.lattice, np.float64), arrays.count)
    volumes = _volumes(true), _volumes(found)
    labels = model.scales.labels_out(np.asarray(reading.labels, np.float64))
    own = np.abs(labels - arrays.labels)
    logs = np.abs(signed_log(labels) - signed_log(arrays.labels))
    places, blocks = {}, {}
    for level in LEVELS:
        places[level], blocks[level] = _denoising(model, arrays, embeddings, latent, level, seed)
    return ModelErrors(
        frameworks=len(arrays),
        count_accuracy=float(np.mean(np.argmax(reading.count, axis=1) == arrays.count)),
        nodes_accuracy=float(np.mean(np.argmax(reading.nodes, axis=1) == arrays.nodes)),
        length_error=float(np.mean(np.abs(found[:, :3] / true[:, :3] - 1))),
        angle_error=float(np.mean(np.abs(found[:, 3:] - true[:, 3:]))),
        volume_error=float(np.mean(np.abs(volumes[1] / volumes[0] - 1))),
        labels=dict(zip(model.scales.names, np.nanmean(own, axis=0).tolist(), strict=True)),
        log_labels=dict(zip(model.scales.names, np.nanmean(logs, axis=0).tolist(), strict=True)),
        places=places,
        blocks=blocks,
    )


def _inputs(model: FrameworkModel, arrays: FrameworkArrays, embeddings: np.ndarray) -> tuple[Any, ...]:
    size = int(arrays.count.max())
    embedding = model.scales.embedding_in(embeddings)[arrays.blocks[:, :size]] * arrays.mask[:, :size, None]
    lattice = model.scales.lattice_in(arrays.parameters, arrays.count)
    floats = (embedding, arrays.fractional[:, :size], arrays.cell, lattice)
    return *(jnp.asarray(value, jnp.float32) for value in floats), arrays.mask[:, :size], arrays.count


@eqx.filter_jit
def _encoded(
    model: GenerativeModel, embedding: Any, places: Any, cell: Any, lattice: Any, mask: Any, count: Any
) -> Any:
    def one(embedding: Any, places: Any, cell: Any, lattice: Any, mask: Any, count: Any) -> Any:
        return model.encode(embedding, model.pairs(places, cell, mask), lattice, mask, count)[0]

    return jax.vmap(one)(embedding, places, cell, lattice, mask, count)


def _denoising(
    model: FrameworkModel, arrays: FrameworkArrays, embeddings: np.ndarray, latent: np.ndarray, level: float, seed: int
) -> tuple[float, float]:
    """What one step from a level of noise gets wrong of places, and right of blocks."""
    schedule = model.schedule_settings.schedule
    step = max(1, round(level * schedule.steps))
    embedding, places, cell, lattice, mask, _ = _inputs(model, arrays, embeddings)
    random = np.random.default_rng([seed, step])
    noise = [random.normal(size=value.shape).astype(np.float32) for value in (places, embedding)]
    numbers = [np.float32(value) for value in (schedule.sigmas[step], schedule.alpha_bars[step], step / schedule.steps)]
    wrong, true, clean = jax.device_get(
        _denoised(model.generative, embedding, places, cell, lattice, mask, latent, *noise, *numbers)
    )
    real = arrays.mask[:, : mask.shape[1]]
    named = nearest_blocks(clean[real], model.scales.embedding_in(embeddings))
    right = np.mean(named == arrays.blocks[:, : mask.shape[1]][real])
    return float(np.sqrt((wrong[real] ** 2).sum() / (true[real] ** 2).sum())), float(right)


@eqx.filter_jit
def _denoised(
    model: GenerativeModel,
    embedding: Any,
    places: Any,
    cell: Any,
    lattice: Any,
    mask: Any,
    latent: Any,
    place_noise: Any,
    embedding_noise: Any,
    sigma: Any,
    alpha_bar: Any,
    time: Any,
) -> Any:
    def one(h: Any, x: Any, cell: Any, lattice: Any, mask: Any, latent: Any, move: Any, noise: Any) -> Any:
        moved, displacement = displaced(x, cell, mask, sigma, move)
        noisy = jnp.sqrt(alpha_bar) * h + jnp.sqrt(1 - alpha_bar) * noise
        found, predicted = model.denoise(noisy, model.pairs(moved, cell, mask), latent, lattice, mask, time)
        return found * sigma - displacement, displacement, clean_embedding(noisy, predicted, alpha_bar)

    return jax.vmap(one)(embedding, places, cell, lattice, mask, latent, place_noise, embedding_noise)


def _volumes(parameters: np.ndarray) -> np.ndarray:
    """Of cells with these parameters (M, 6), not a number for cells that cannot be."""
    x, y, z = np.cos(np.radians(parameters[:, 3:])).T
    square = 1 - x**2 - y**2 - z**2 + 2 * x * y * z
    return parameters[:, :3].prod(axis=1) * np.sqrt(np.where(square > 0, square, np.nan))
