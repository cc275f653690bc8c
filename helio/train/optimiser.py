"""How gradients become changes of the weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from helio.train.low_rank import MATRICES
from helio.train.parts import as_vector

Kind = Literal["amsgrad", "adam", "adamw"]
Decay = Literal["constant", "exponential", "cosine"]
Rate = Callable[[Any], Any]

# Names of the arrays on which weight decay acts.
DECAYING = (*MATRICES, "narrow", "wide")


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
    model: Any,
    *,
    weight_decay: float = 0.0,
    clip_norm: float | None = 10.0,
    accumulate: int = 1,
    factors: Any = None,
) -> optax.GradientTransformation:
    """The optimiser: mean gradient of `accumulate` batches, clipped to a global norm, then Adam or a variant.

    A gradient that is not finite changes nothing. Weight decay (of "adamw") acts on matrices, never on biases, scales
    and tables of elements. `factors`, a tree like the model, multiply the changes of its arrays, weight decay included:
    where they are zero nothing changes. All weights are handled as one vector, which for small models takes a fraction
    of the time; the state is that of `optax.MultiSteps`.
    """
    scaling = optax.scale_by_amsgrad() if kind == "amsgrad" else optax.scale_by_adam()
    steps = [scaling, optax.scale_by_learning_rate(rate)]
    if kind == "adamw":
        steps.insert(1, _weight_decay(weight_decay, model))
    if clip_norm is not None:
        steps.insert(0, optax.clip_by_global_norm(clip_norm))
    if factors is not None:
        steps.append(_scaled(as_vector(model, factors)))
    several = optax.MultiSteps(optax.chain(*steps), accumulate, should_skip_update_fn=_not_finite)
    return optax.flatten(several.gradient_transformation())  # pyright: ignore[reportArgumentType]


def _not_finite(updates: Any, gradient_step: Any, params: Any) -> Any:
    del gradient_step, params
    return ~jnp.isfinite(optax.global_norm(updates)), ()


def _weight_decay(rate: float, model: Any) -> optax.GradientTransformation:
    """Decay of the kernels of dense layers and heads, for weights as one vector."""

    def is_matrix(path: tuple[Any, ...], leaf: Array) -> np.ndarray:
        return np.full(leaf.size, getattr(path[-1], "name", "") in DECAYING)

    chosen = np.concatenate(jax.tree.leaves(jax.tree_util.tree_map_with_path(is_matrix, model)))

    def decayed(update: Any, weights: Any) -> Any:
        return update + rate * weights * chosen.astype(weights.dtype)

    return optax.stateless(decayed)


def _scaled(factors: np.ndarray) -> optax.GradientTransformation:
    """Changes times factors, for weights as one vector."""

    def scaled(update: Any, weights: Any) -> Any:
        del weights
        return update * factors.astype(update.dtype)

    return optax.stateless(scaled)
