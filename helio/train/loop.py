"""The loop of a training: steps, logs, validation, checkpoints, and when to end.

It knows nothing of force fields: a step, a loader of batches and a function that validates are given to it, and any
model that is a tree of arrays goes through. A checkpoint holds all arrays of the state, the place in the data and
where the loop stands, so that a run goes on bit by bit as if it had never stopped.

Checkpoints are Helio's own npz files rather than orbax: the weights are whole on every process, so one file written
at once and atomically is all there is to keep. It takes a twentieth of the time for models of this size, one damaged
file is found by its checksums with the one before beside it, and a run needs fifteen packages less.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import jax
import numpy as np

from helio.errors import HelioError, excerpt
from helio.files.checkpoint import write_checkpoint
from helio.settings.checking import checked_record
from helio.simulate.processes import is_first
from helio.train.compiling import Compiling, SeenShapes
from helio.train.logs import Logs
from helio.train.optimiser import Rate
from helio.train.step import Step, StepReport, TrainState
from helio.train.summary import Summary, Validate, Window, own_part

# Steps that may be under way while the host prepares the next.
_AHEAD = 2


class Batches(Protocol):
    """An endless stream of batches that can be taken up again; a batch has `index` and `real` (B,)."""

    @property
    def epoch(self) -> int:
        """Number of passes that are finished."""
        ...

    @property
    def waited(self) -> float:
        """Seconds spent waiting for data."""
        ...

    def __iter__(self) -> Iterator[Any]:
        """The batches from here on."""
        ...

    def state(self) -> dict[str, Any]:
        """Plain values that stand for the position after the batches handed out so far."""
        ...


@dataclass(frozen=True)
class Rhythm:
    """How long, and how often; counted in steps."""

    steps: int
    log_every: int
    validate_every: int
    checkpoint_every: int
    patience: int | None = None  # validations without a better one before the end
    seconds: float | None = None  # of the whole run
    most_skips: int = 20  # batches in a row with gradients that are not finite before the run ends with an error


@dataclass(frozen=True)
class Position:
    """Where a loop stands, besides its arrays and data."""

    step: int = 0
    seconds: float = 0.0
    best_loss: float = math.inf
    best_step: int = 0
    not_better: int = 0  # validations since the best

    @classmethod
    def from_json(cls, values: Any) -> Position:
        """The position that a checkpoint holds as plain values; `ValueError` where it cannot be one."""
        position = checked_record(cls, values, "the position")
        if min(position.step, position.best_step, position.not_better) < 0 or not position.seconds >= 0:
            raise ValueError(f"{excerpt(values)} is no position")
        return position


@dataclass(frozen=True)
class Work:
    """What a loop works with."""

    step: Step
    batches: Batches
    weights: dict[str, float]  # of the loss
    rate: Rate
    validate: Validate | None  # of a model
    release: Callable[[Any], None]  # writes a model to be used; called with the averaged weights
    checkpoint: Path
    shapes: int = 1  # of batches that are to come
    info: dict[str, Any] = field(default_factory=dict)  # plain values kept with each checkpoint


@dataclass(frozen=True)
class Progress:
    """What can be shown of a run."""

    step: int
    steps: int
    epoch: int
    training: Summary | None  # since the last row of the log
    validation: Summary | None  # the last
    best_step: int
    structures_per_second: float
    seconds_left: float
    skipped: int


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    step: int
    steps: int
    reason: str  # done, interrupted, patience, time
    best_step: int
    skipped: int

    @property
    def interrupted(self) -> bool:
        """Whether it was stopped and can go on."""
        return self.reason == "interrupted"


Report = Callable[[Progress | Compiling], None]


def run_loop(
    work: Work,
    state: TrainState,
    rhythm: Rhythm,
    *,
    position: Position,
    logs: Logs | None,
    report: Report,
    stop: threading.Event,
) -> tuple[TrainState, Outcome]:
    """Train until the end, or until `stop` is set; a checkpoint is left in either case.

    `logs` is None on all processes but the first, which alone writes. Raises `HelioError` where too many batches in a
    row give gradients that are not finite, and for trouble with the disk.
    """
    loop = _Loop(work, state, rhythm, position, logs, report)
    reason = loop.why_end(stop)
    if position.step == 0:
        loop.save()
    for batch in work.batches if reason is None else ():
        loop.take(batch)
        loop.check()
        reason = loop.why_end(stop)
        loop.pause(last=reason is not None)
        if reason is not None:
            break
    return loop.state, Outcome(
        loop.position.step, rhythm.steps, reason or "done", loop.position.best_step, int(loop.state.skipped)
    )


class _Loop:
    """The changing parts of a run."""

    def __init__(
        self, work: Work, state: TrainState, rhythm: Rhythm, position: Position, logs: Logs | None, report: Report
    ) -> None:
        self.work, self.state, self.rhythm, self.position = work, state, rhythm, position
        self._logs, self._report = logs, report
        self._began = time.monotonic() - position.seconds
        self._shapes = SeenShapes(work.shapes)
        self._pending: deque[tuple[int, StepReport, Any]] = deque()
        self._window = Window(work.batches.waited)
        self._saved = -1
        self._skips = 0
        self._training: Summary | None = None
        self._validation: Summary | None = None

    def take(self, batch: Any) -> None:
        """One step, and what was found in an earlier one."""
        compiling, began = self._shapes.met(batch), time.monotonic()
        if compiling is not None:
            self._report(compiling)
        self.state, found = self.work.step(self.state, batch)
        if compiling is not None:  # says nothing about how fast steps are
            self._window.began += time.monotonic() - began
        self.position = replace(self.position, step=self.position.step + 1)
        self._pending.append((self.position.step, found, batch))
        self._read(keep=_AHEAD)

    def check(self) -> None:
        """Validate the averaged weights where it is time to, and release them if none were better."""
        step, rhythm = self.position.step, self.rhythm
        if self.work.validate is None or (step % rhythm.validate_every and step != rhythm.steps):
            return
        self._read(keep=0)
        began = time.monotonic()
        found = self._validation = self.work.validate(self.state.average)
        if self._logs is not None:
            self._logs.validation(self.position.step, found.columns())
        if found.loss < self.position.best_loss:
            self.position = replace(self.position, best_loss=found.loss, best_step=self.position.step, not_better=0)
            if is_first():
                self.work.release(self.state.average)
        else:
            self.position = replace(self.position, not_better=self.position.not_better + 1)
        self._window.began += time.monotonic() - began

    def pause(self, *, last: bool) -> None:
        """Log and save where it is time to."""
        step, rhythm = self.position.step, self.rhythm
        if step % rhythm.log_every == 0 or last:
            self._log()
        if step % rhythm.checkpoint_every == 0 or last:
            self._read(keep=0)
            self.save()

    def why_end(self, stop: threading.Event) -> str | None:
        """The reason to end here, the same on all processes."""
        if self.position.step >= self.rhythm.steps:
            return "done"
        if self.rhythm.patience is not None and self.position.not_better >= self.rhythm.patience:
            return "patience"
        spent = self.rhythm.seconds is not None and time.monotonic() - self._began >= self.rhythm.seconds
        found = 1 if stop.is_set() else 2 if spent else 0
        if jax.process_count() > 1:
            if self.position.step % self.rhythm.log_every:  # agreeing costs time
                return None
            from jax.experimental.multihost_utils import process_allgather

            found = int(np.max(process_allgather(np.int32(found))))
        return (None, "interrupted", "time")[found]

    def save(self) -> None:
        """Write a checkpoint, unless this step has one."""
        if self._saved == self.position.step:
            return
        self._saved = self.position.step
        self.position = replace(self.position, seconds=time.monotonic() - self._began)
        if not is_first():
            return
        if self.position.best_loss == math.inf and self.position.step > 0:  # nothing was validated so far
            self.work.release(self.state.average)
        info = {**self.work.info, "position": asdict(self.position), "data": self.work.batches.state()}
        write_checkpoint(self.work.checkpoint, jax.device_get(self.state), info)

    def _read(self, *, keep: int) -> None:
        """Wait for all steps but the last `keep`, and note what they found."""
        while len(self._pending) > keep:
            step, found, batch = self._pending.popleft()
            found = jax.device_get(found)
            if found.finite:
                self._window.add(found, batch)
                self._skips = 0
                continue
            self._skips += 1
            if self._logs is not None:
                self._logs.skipped(step, np.unique(own_part(batch.index)[own_part(batch.real)]))
            if self._skips >= self.rhythm.most_skips:
                self._pending.clear()
                self.save()
                raise HelioError(
                    f"the gradients of {self._skips} batches in a row, up to step {step}, were not finite; the weights "
                    "from before are kept. Look at the structures named in skipped.csv, or lower the learning rate, "
                    "and start anew"
                )

    def _log(self) -> None:
        self._read(keep=0)
        waited = self.work.batches.waited
        window, self._window = self._window, Window(waited)
        if not window.steps:
            return
        errors = self._training = window.sums.summary(self.work.weights)
        seconds = time.monotonic() - window.began
        speed = window.structures / seconds
        skipped = int(self.state.skipped)
        values = {
            "epoch": self.work.batches.epoch,
            "seconds": round(time.monotonic() - self._began, 2),
            "learning_rate": float(self.work.rate(window.updates)),
            "gradient_norm": window.norm / window.steps,
            "structures_per_second": round(speed, 2),
            "waiting": round((waited - window.waited) / seconds, 4),
            "skipped": skipped,
        }
        if self._logs is not None:
            self._logs.training(self.position.step, values | errors.columns())
        left = (self.rhythm.steps - self.position.step) * seconds / window.steps
        if self.rhythm.seconds is not None:
            left = min(left, max(0.0, self.rhythm.seconds - (time.monotonic() - self._began)))
        self._report(
            Progress(
                step=self.position.step,
                steps=self.rhythm.steps,
                epoch=self.work.batches.epoch,
                training=self._training,
                validation=self._validation,
                best_step=self.position.best_step,
                structures_per_second=speed,
                seconds_left=left,
                skipped=skipped,
            )
        )
