"""A label that a model was not trained on, read off its latents by a regression on frameworks that have it.

A Gaussian process with mean zero on what is known of a framework, x = (z / s, y / t): its latent z and what the heads
say of its labels, both standardised,

f(x) = sum_i w_i k(x, x_i),  (K + n) w = f,  k(x, x') = exp(-|z - z'|^2 / (2 D s^2) - |y - y'|^2 / (2 L t^2))

of the standardised signed logarithm f of the label. The lengths s and t and the noise n are those of a grid that have
the least error when each framework is left out in turn, which has a closed form (Rasmussen and Williams, Gaussian
Processes for Machine Learning, 2006, eq. 5.12). Far from all frameworks f is their mean, so that a search has
nothing to gain there. The error that is told is that of frameworks which neither fit nor choice had seen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from helio.errors import HelioError
from helio.frameworks.model.data import framework_arrays
from helio.frameworks.model.embedding import embed_library
from helio.frameworks.model.heads import MOST_BLOCKS
from helio.frameworks.model.measures import encode
from helio.frameworks.model.model_file import FrameworkModel
from helio.frameworks.model.scaling import Scales, signed_log
from helio.frameworks.store import FrameworkStore
from helio.precision import numerics

LEAST = 20  # frameworks to learn a label from
_LENGTHS = (0.5, 1.0, 2.0, 4.0, np.inf)
_NOISES = (0.03, 0.1, 0.3, 1.0)
_FOLDS = 10
_SMALL = 1e-6


@dataclass(frozen=True)
class FitErrors:
    """How well a label is told of frameworks that were left out."""

    frameworks: int
    mean_error: float  # mean |error|, in the label's unit
    spread: float  # mean |deviation from the median|, likewise: the error of knowing nothing
    correlation: float  # of told and true signed logarithms


class FittedLabels(eqx.Module):
    """The labels of a model's head, and one more after them."""

    head: Any
    spread: Float[Array, " D"]  # of latents
    lengths: Float[Array, " DL"]  # s and t of each number of x, infinite where it does not matter
    places: Float[Array, "N DL"]  # x of the frameworks
    weights: Float[Array, " N"]

    def __call__(self, latent: Float[Array, "... D"]) -> Float[Array, "... L"]:
        """All, standardised."""
        own = self.head(latent)
        x = jnp.concatenate([latent / self.spread, own], axis=-1) / self.lengths
        squares = jnp.sum((x[..., None, :] - self.places / self.lengths) ** 2, axis=-1)
        return jnp.concatenate([own, (jnp.exp(-0.5 * squares) @ self.weights)[..., None]], axis=-1)


def with_label(model: FrameworkModel, store: FrameworkStore, name: str) -> tuple[FrameworkModel, FitErrors]:
    """A model that also tells the label `name`, from the frameworks of a store that have it.

    Raises:
        HelioError: the model knows the label, or too few frameworks of the store have it.
    """
    if name in model.scales.names:
        raise HelioError(f"the model knows the label {name} already")
    known = [each for each in store.frameworks() if name in each.labels and len(each) <= MOST_BLOCKS]
    if len(known) < LEAST:
        raise HelioError(f"{store.path}: {len(known)} frameworks have the label {name!r}, and {LEAST} are needed")
    values = np.array([each.labels[name] for each in known])
    logarithms = signed_log(values)
    unit = np.array([logarithms.mean(), max(logarithms.std(), _SMALL)])
    true = (logarithms - unit[0]) / unit[1]
    with numerics("float32"):
        embeddings = embed_library(model.encoder, store.library)
        latents = encode(model, framework_arrays(known, store.library, model.scales.names), embeddings)
        labels = np.asarray(model.generative.heads.labels(jnp.asarray(latents)), np.float64)
    spread = np.maximum(model.latents.std(axis=0), _SMALL)
    x, sizes = np.concatenate([latents / spread, labels], axis=1), (latents.shape[1], labels.shape[1])
    scales = _extended(model.scales, name, unit)
    told = scales.labels_out(np.column_stack([labels, _left_out(x, true, sizes)]))[:, -1]
    lengths, weights = _fit(x, true, sizes)
    fitted = FittedLabels(
        model.generative.heads.labels, *(jnp.asarray(part, jnp.float32) for part in (spread, lengths, x, weights))
    )
    generative = eqx.tree_at(lambda whole: whole.heads.labels, model.generative, fitted)
    errors = FitErrors(
        frameworks=len(known),
        mean_error=float(np.abs(told - values).mean()),
        spread=float(np.abs(values - np.median(values)).mean()),
        correlation=float(np.corrcoef(signed_log(told), logarithms)[0, 1]),
    )
    return replace(model, generative=generative, scales=scales), errors


def _extended(scales: Scales, name: str, unit: np.ndarray) -> Scales:
    return replace(scales, labels=np.column_stack([scales.labels, unit]), names=(*scales.names, name))


def _left_out(x: np.ndarray, true: np.ndarray, sizes: tuple[int, int]) -> np.ndarray:
    """What is told of each framework by a fit to nine tenths of the others, whose lengths are chosen on these alone."""
    fold = np.random.default_rng(0).permutation(len(x)) % _FOLDS
    told = np.zeros(len(x))
    for number in range(_FOLDS):
        out = fold == number
        lengths, weights = _fit(x[~out], true[~out], sizes)
        told[out] = _kernel(x[out], x[~out], lengths) @ weights
    return told


def _fit(x: np.ndarray, true: np.ndarray, sizes: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Lengths (D + L,) and weights (N,) of the least error where each framework is left out in turn."""
    best, found = np.inf, (np.full(sum(sizes), np.inf), np.zeros(len(x)))
    for pair in product(_LENGTHS, repeat=2):
        lengths = np.repeat(np.array(pair) * np.sqrt(sizes), sizes)
        kernel = _kernel(x, x, lengths)
        for noise in _NOISES:
            inverse = np.linalg.inv(kernel + noise * np.eye(len(x)))
            weights = inverse @ true
            error = float(np.mean((weights / np.diag(inverse)) ** 2))
            if error < best:
                best, found = error, (lengths, weights)
    return found


def _kernel(one: np.ndarray, other: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    from scipy.spatial.distance import cdist

    return np.exp(-0.5 * cdist(one / lengths, other / lengths, "sqeuclidean"))
