"""How gradients become changes of the weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import jax
import optax
from jaxtyping import Array

Kind = Literal["amsgrad", "adam", "adamw"]
Decay = Literal["constant", "exponential", "cosine"]
Rate = Callable[[Any], Any]


def learning_rate(
    peak: float,
    *,
    decay: Decay = "exponential",
    decay_rate: float = 0.85,
    decay_updates: int = 500_000,
    final: float = 0.0,
    warmup_updates: int = 0,
) -> Rate:
    """The learning rate as a function of the number of updates so far.

    It rises linearly from zero over `warmup_updates`; then "constant" keeps it, "exponential" multiplies it by
    `decay_rate` every `decay_updates`, smoothly, and "cosine" lowers it to `final` over `decay_updates`. The defaults
    are those of the published SO3LR.
    """
    if decay == "constant":
        after = optax.constant_schedule(peak)
    elif decay == "exponential":
        after = optax.exponential_decay(peak, decay_updates, decay_rate, end_value=final)
    else:
        after = optax.cosine_decay_schedule(peak, decay_updates, alpha=final / peak)
    if warmup_updates:
        after = optax.join_schedules([optax.linear_schedule(0.0, peak, warmup_updates), after], [warmup_updates])

    def rate(updates: Any) -> Any:
        with jax.numpy_dtype_promotion("standard"):  # optax divides integers
            return after(updates)

    return rate


def make_optimiser(
    kind: Kind,
    rate: Rate,
    *,
    weight_decay: float = 0.0,
    clip_norm: float | None = 10.0,
    accumulate: int = 1,
) -> optax.MultiSteps:
    """The optimiser: mean gradient of `accumulate` batches, clipped to a global norm, then Adam or a variant.

    Gradients that are not finite are left out. Weight decay (of "adamw") acts on matrices, never on biases, scales and
    tables of elements.
    """
    if kind == "adamw":
        variant = optax.adamw(rate, weight_decay=weight_decay, mask=_matrices)
    else:
        variant = {"amsgrad": optax.amsgrad, "adam": optax.adam}[kind](rate)
    clip = optax.identity() if clip_norm is None else optax.clip_by_global_norm(clip_norm)
    return optax.MultiSteps(
        optax.chain(clip, variant), every_k_schedule=accumulate, should_skip_update_fn=optax.skip_not_finite
    )


def _matrices(weights: Any) -> Any:
    """True for the leaves that are kernels of dense layers or of heads."""

    def is_matrix(path: tuple[Any, ...], _: Array) -> bool:
        return getattr(path[-1], "name", "") in ("kernel", "blocks")

    return jax.tree_util.tree_map_with_path(is_matrix, weights)
