"""Sums of errors, for losses of several kinds."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from helio.train.loss import Term


def class_term(logits: Float[Array, "B N"], wanted: Int[Array, " B"], real: Bool[Array, " B"]) -> Term:
    """Cross entropy; the absolute and the square error count what is wrong."""
    likely = jax.nn.log_softmax(logits)
    entropy = -jnp.take_along_axis(likely, wanted[:, None], axis=1)[:, 0]
    wrong = (jnp.argmax(logits, axis=1) != wanted).astype(logits.dtype)
    return numeric_term(entropy, wrong, real)


def square_term(error: Float[Array, " B"], known: Bool[Array, " B"]) -> Term:
    """Square error where it is known."""
    return numeric_term(error**2, error, known)


def numeric_term(penalty: Array, error: Array, counted: Array) -> Term:
    """Sums over what is counted."""
    penalty, error = (jnp.where(counted, value, 0.0) for value in (penalty, error))
    return Term(penalty.sum(), jnp.abs(error).sum(), (error**2).sum(), counted.sum().astype(penalty.dtype))
