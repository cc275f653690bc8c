"""Mean errors, from sums over many batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import jax
import numpy as np

from helio.train.loss import Term, total
from helio.train.step import StepReport


@dataclass(frozen=True)
class Summary:
    """The loss and the errors of each label; NaN for labels that nothing is known of."""

    loss: float
    mae: dict[str, float]
    rmse: dict[str, float]

    def columns(self) -> dict[str, float]:
        """Names and numbers, as in a log."""
        errors = {f"{name}_mae": value for name, value in self.mae.items()}
        return {"loss": self.loss, **errors, **{f"{name}_rmse": value for name, value in self.rmse.items()}}


class Pass(Protocol):
    """A loader that goes through its batches once, and again after `restart`."""

    def __iter__(self) -> Iterator[Any]:
        """The batches."""
        ...

    def restart(self) -> None:
        """Begin another pass."""
        ...


Validate = Callable[[Any], Summary]


class Sums:
    """Terms added up in float64."""

    def __init__(self) -> None:
        self.terms: dict[str, Term] = {}

    def add(self, terms: Mapping[str, Term]) -> None:
        """Add the terms of a batch."""
        for name, term in terms.items():
            numbers = jax.tree.map(np.float64, term)
            known = self.terms.get(name)
            self.terms[name] = numbers if known is None else jax.tree.map(np.add, known, numbers)

    def summary(self, weights: Mapping[str, float]) -> Summary:
        """Means over everything that was added."""
        with np.errstate(invalid="ignore", divide="ignore"):
            mae = {name: float(term.absolute / term.count) for name, term in self.terms.items()}
            rmse = {name: float(np.sqrt(term.square / term.count)) for name, term in self.terms.items()}
        return Summary(float(total(weights, self.terms)), mae, rmse)


def make_validate(
    measure: Callable[[Any, Any], dict[str, Term]], loader: Pass, weights: Mapping[str, float]
) -> Validate:
    """A function that gives the errors of a model over all batches of `loader`."""

    def validate(model: Any) -> Summary:
        loader.restart()
        sums = Sums()
        for terms in _one_behind(measure(model, batch) for batch in loader):
            sums.add(jax.device_get(terms))
        return sums.summary(weights)

    return validate


def _one_behind(values: Iterable[Any]) -> Iterator[Any]:
    """The same values, each asked for before the one before it is handed out, so that devices need not wait."""
    last = None
    for value in values:
        if last is not None:
            yield last
        last = value
    if last is not None:
        yield last


class Window:
    """What happened since the last row of the log."""

    def __init__(self, waited: float) -> None:
        self.began = time.monotonic()
        self.waited = waited
        self.sums = Sums()
        self.steps = self.structures = self.updates = 0
        self.norm = 0.0

    def add(self, found: StepReport, batch: Any) -> None:
        """Add what a step with `batch` found."""
        self.sums.add(found.terms)
        self.steps += 1
        self.structures += int(own_part(batch.real).sum()) * jax.process_count()
        self.updates = int(found.updates)
        self.norm += float(found.gradient_norm)


def own_part(array: Any) -> np.ndarray:
    """The rows of an array over several hosts that lie on this one."""
    if not isinstance(array, jax.Array) or array.is_fully_addressable:
        return np.asarray(array)
    return np.concatenate([np.asarray(shard.data) for shard in array.addressable_shards])
