"""How long a step takes, for previews."""

from __future__ import annotations

import time
from typing import Any

import jax

from helio.train.step import Step, TrainState


def timed(step: Step, state: TrainState, batch: Any) -> tuple[TrainState, float, float]:
    """Take two steps with a batch, the first of which compiles.

    Returns:
        The state after them, the loss of the first, and the seconds of the second.
    """
    state, first = step(state, batch)
    loss = float(first.loss)
    began = time.perf_counter()
    state, _ = jax.block_until_ready(step(state, batch))
    return state, loss, time.perf_counter() - began
