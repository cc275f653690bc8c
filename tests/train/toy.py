"""A model of three numbers, to test what trains any model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from helio.train.loss import Term


class ToyBatch(eqx.Module):
    """Points and values of an unknown line."""

    x: Any  # (B, 3)
    y: Any  # (B,)
    real: Any
    index: Any


class ToyLoss:
    """Mean square of w . x - y."""

    weights: Mapping[str, float] = {"fit": 2.0}

    def __call__(self, model: dict[str, Array], batch: ToyBatch) -> dict[str, Term]:
        error = jnp.where(batch.real, jnp.tanh(batch.x @ model["w"]) - batch.y, 0)
        count = jnp.sum(batch.real.astype(error.dtype))
        return {"fit": Term(jnp.sum(error**2), jnp.sum(jnp.abs(error)), jnp.sum(error**2), count)}


class ToyLoader:
    """Endless batches of eight points, the last two of them padding; batch `broken` holds a NaN."""

    def __init__(self, seed: int = 0, *, broken: tuple[int, ...] = (), count: int | None = None) -> None:
        self.seed, self.broken, self.count, self.number, self.waited = seed, broken, count, 0, 0.0

    @property
    def epoch(self) -> int:
        return self.number // 10

    def __iter__(self) -> Iterator[ToyBatch]:
        while self.count is None or self.number < self.count:
            rng = np.random.default_rng([self.seed, self.number])
            x = rng.normal(size=(8, 3)).astype(np.float32)
            y = np.tanh(x @ np.array([1.0, -2.0, 0.5], np.float32)) + 0.1 * rng.normal(size=8).astype(np.float32)
            y = np.asarray(y, np.float32)
            if self.number in self.broken:
                y[1] = np.nan
            self.number += 1
            index = np.arange(8 * self.number, 8 * self.number + 8)
            yield ToyBatch(x, y, np.arange(8) < 6, index.astype(np.int32))

    def restart(self) -> None:
        self.number = 0

    def state(self) -> dict[str, Any]:
        return {"number": self.number}

    def restore(self, state: dict[str, Any]) -> None:
        self.number = state["number"]


def toy_model() -> dict[str, Array]:
    return {"w": jnp.zeros(3, jnp.float32)}
