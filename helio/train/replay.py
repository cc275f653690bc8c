"""Replay against forgetting: batches of another store among those that a model is fine-tuned on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

import equinox as eqx
import jax
from jaxtyping import Int

from helio.errors import HelioError
from helio.train.batches import Batch
from helio.train.loader import Loader
from helio.train.shapes import Shape, Waste


class ReplayLoader:
    """Batches of two loaders in turn; which comes when follows from the number of the batch alone.

    Of the first n batches, floor(n * share) are replayed. What is said of passes and padding is that of the first
    loader. Numbers of replayed structures are -1 - number, so that they can be told apart.
    """

    def __init__(self, own: Loader, replay: Loader, share: float, change: Callable[[Batch], Batch]) -> None:
        """Take both loaders without an end; `change` is applied to replayed batches."""
        self._own, self._replay, self._share, self._change = own, replay, share, change
        self._number = 0

    @property
    def batches_per_epoch(self) -> int:
        """Batches in a pass over the structures of the first loader."""
        return math.ceil(self._own.batches_per_epoch / (1 - self._share))

    @property
    def epoch(self) -> int:
        """Number of passes over these that are finished."""
        return self._own.epoch

    @property
    def waited(self) -> float:
        """Seconds spent waiting for data."""
        return self._own.waited + self._replay.waited

    @property
    def shapes(self) -> list[Shape]:
        """Shapes of all batches."""
        return list(dict.fromkeys([*self._own.shapes, *self._replay.shapes]))

    def waste(self) -> Waste:
        """Shares of padding."""
        return self._own.waste()

    def __iter__(self) -> ReplayLoader:
        return self

    def __next__(self) -> Batch:
        replayed = self._replayed(self._number + 1) > self._replayed(self._number)
        self._number += 1
        return self._change(next(self._replay)) if replayed else next(self._own)

    def _replayed(self, batches: int) -> int:
        return math.floor(batches * self._share + 1e-9)

    def state(self) -> dict[str, Any]:
        """The position after the batches that were handed out, as plain values."""
        return {"batch": self._number, "own": self._own.state(), "replay": self._replay.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on after a position; raises `HelioError` as `Loader.restore` does."""
        if "replay" not in state:
            raise HelioError("the run began without replay: leave it out, or start a new run")
        self._own.restore(state["own"])
        self._replay.restore(state["replay"])
        self._number = int(state["batch"])

    def close(self) -> None:
        """Stop the workers of both."""
        with closing(self._own), closing(self._replay):
            pass


@jax.jit  # also for batches over several hosts
def renumbered(batch: Batch, levels: Int[Any, " L"]) -> Batch:
    """A replayed batch with its levels by the numbers that they have among all, and negative structure numbers."""
    return eqx.tree_at(lambda b: (b.level, b.index), batch, (levels[batch.level], -1 - batch.index))
