"""The loop: exact continuation after a kill at any step, skipped batches, early stop, logs."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from helio.errors import HelioError
from helio.files.checkpoint import read_arrays, read_checkpoint
from helio.files.log import read_log
from helio.train.compiling import Compiling
from helio.train.devices import make_mesh
from helio.train.logs import Logs, TensorBoard, Tracker
from helio.train.loop import Outcome, Position, Progress, Rhythm, Work, run_loop
from helio.train.optimiser import learning_rate, make_optimiser
from helio.train.step import Step, TrainState, make_measure, make_step, start_state
from helio.train.summary import make_validate
from tests.train.toy import ToyLoader, ToyLoss, toy_model

RATE = learning_rate(0.05, decay="cosine", decay_updates=30)
OPTIMISER = make_optimiser("amsgrad", RATE, toy_model(), accumulate=2)


@pytest.fixture(scope="module")
def step() -> Step:
    return make_step(ToyLoss(), OPTIMISER, mesh=make_mesh(1), averaging=0.9)


@pytest.fixture(scope="module")
def measure() -> Any:
    return make_measure(ToyLoss(), mesh=make_mesh(1))


class Killed(BaseException):
    """What no code can see coming."""


def run(
    folder: Path,
    step: Step,
    measure: Any,
    *,
    steps: int = 40,
    kill_at: int | None = None,
    broken: tuple[int, ...] = (),
    stop: threading.Event | None = None,
    trackers: tuple[Tracker, ...] = (),
    **rhythm: Any,
) -> tuple[TrainState, Outcome, list[Progress], list[Any]]:
    """A training in `folder`, from its checkpoint where there is one."""
    folder.mkdir(exist_ok=True)
    loader, state, position = ToyLoader(broken=broken), start_state(toy_model(), OPTIMISER), Position()
    if (folder / "checkpoint.npz").exists():
        state, info = read_checkpoint(folder / "checkpoint.npz", jax.device_get(state))
        position = Position(**info["position"])
        loader.restore(info["data"])

    def stepped(state: TrainState, batch: Any) -> Any:
        if kill_at is not None and int(state.step) == kill_at:
            raise Killed
        return step(state, batch)

    released: list[Any] = []
    work = Work(
        step=stepped,
        batches=loader,
        weights={"fit": 2.0},
        rate=RATE,
        validate=make_validate(measure, ToyLoader(seed=1, count=5), {"fit": 2.0}),
        release=lambda model: released.append(jax.device_get(model)),
        checkpoint=folder / "checkpoint.npz",
    )
    shown: list[Progress | Compiling] = []
    logs = Logs(folder, ["fit"], trackers, last_step=position.step or None)
    try:
        state, outcome = run_loop(
            work,
            state,
            Rhythm(**{"steps": steps, "log_every": 5, "validate_every": 8, "checkpoint_every": 7} | rhythm),
            position=position,
            logs=logs,
            report=shown.append,
            stop=stop or threading.Event(),
        )
    finally:
        logs.close()
    compiled = [each for each in shown if isinstance(each, Compiling)]
    assert compiled == ([Compiling(1, 1, (8,))] if outcome.step > position.step else [])  # the toy has one shape
    return state, outcome, [each for each in shown if isinstance(each, Progress)], released


def same(one: Any, other: Any) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True))


def test_run_killed_at_random_steps_ends_bit_for_bit_the_same(tmp_path: Path, step: Step, measure: Any) -> None:
    whole, outcome, _, released = run(tmp_path / "whole", step, measure)
    assert outcome == Outcome(40, 40, "done", outcome.best_step, 0)
    for kill_at in sorted(random.Random(5).sample(range(1, 40), 4)):
        with pytest.raises(Killed):
            run(tmp_path / "killed", step, measure, kill_at=kill_at)
    resumed, outcome_too, _, released_too = run(tmp_path / "killed", step, measure)
    assert same(whole, resumed) and outcome == outcome_too and same(released[-1], released_too[-1])
    for name in ("log.csv", "validation.csv"):
        one, other = read_log(tmp_path / "whole" / name), read_log(tmp_path / "killed" / name)
        assert one["step"] == other["step"]
    assert read_log(tmp_path / "whole" / "validation.csv") == read_log(tmp_path / "killed" / "validation.csv")


def test_asked_to_stop_it_saves_and_goes_on(tmp_path: Path, step: Step, measure: Any) -> None:
    whole, *_ = run(tmp_path / "whole", step, measure, steps=20)
    stop = threading.Event()
    stop.set()
    _, outcome, *_ = run(tmp_path / "stopped", step, measure, steps=20, stop=stop)
    assert (outcome.reason, outcome.step) == ("interrupted", 0)
    resumed, outcome, *_ = run(tmp_path / "stopped", step, measure, steps=20)
    assert outcome.reason == "done" and same(whole, resumed)


def test_skipped_batches_are_listed_and_too_many_end_the_run(tmp_path: Path, step: Step, measure: Any) -> None:
    state, outcome, shown, _ = run(tmp_path / "some", step, measure, broken=(3, 11))
    assert outcome.skipped == 2 and shown[-1].skipped == 2
    lines = (tmp_path / "some" / "skipped.csv").read_text().splitlines()
    assert lines[1:] == ["4,32 33 34 35 36 37", "12,96 97 98 99 100 101"]  # without padding
    assert np.isfinite(state.model["w"]).all() and np.isfinite(read_log(tmp_path / "some" / "log.csv")["loss"]).all()

    with pytest.raises(HelioError, match="gradients of 6 batches in a row, up to step 15, were not finite"):
        run(tmp_path / "all", step, measure, broken=tuple(range(9, 40)), most_skips=6)
    arrays, _ = read_arrays(tmp_path / "all" / "checkpoint.npz")
    assert all(np.isfinite(array).all() for array in arrays.values())


def test_early_stop_keeps_the_best_model(tmp_path: Path, step: Step, measure: Any) -> None:
    _, outcome, _, released = run(tmp_path, step, measure, steps=400, validate_every=2, patience=4)
    losses = read_log(tmp_path / "validation.csv")
    best = int(np.argmin(losses["loss"]))
    assert outcome.reason == "patience" and outcome.step == losses["step"][-1] < 400
    assert outcome.best_step == losses["step"][best] == outcome.step - 8
    validate = make_validate(measure, ToyLoader(seed=1, count=5), {"fit": 2.0})
    assert validate(released[-1]).loss == losses["loss"][best]


def test_run_ends_when_the_time_is_up(tmp_path: Path, step: Step, measure: Any) -> None:
    _, outcome, *_ = run(tmp_path, step, measure, seconds=0.0)
    assert (outcome.reason, outcome.step) == ("time", 0)


def test_log_holds_means_since_the_row_before(tmp_path: Path, step: Step, measure: Any) -> None:
    _, _, shown, _ = run(tmp_path, step, measure, steps=10)
    log = read_log(tmp_path / "log.csv")
    state, losses = start_state(toy_model(), OPTIMISER), []
    for _, batch in zip(range(10), ToyLoader(), strict=False):
        state, found = step(state, batch)
        losses.append(float(found.loss))
    assert log["step"] == [5, 10]
    assert log["loss"] == pytest.approx([np.mean(losses[:5]), np.mean(losses[5:])], rel=1e-6)
    assert log["fit_rmse"][0] == pytest.approx((log["loss"][0] / 2) ** 0.5)
    assert log["learning_rate"][1] == pytest.approx(float(RATE(5)))
    assert [progress.step for progress in shown] == [5, 10] and shown[-1].structures_per_second > 0


class Points:
    """A tracker that remembers."""

    def __init__(self) -> None:
        self.points: dict[tuple[int, str], float] = {}
        self.closed = False

    def add(self, step: int, values: Mapping[str, float]) -> None:
        self.points |= {(step, name): value for name, value in values.items()}

    def close(self) -> None:
        self.closed = True


def test_trackers_get_what_the_tables_hold(tmp_path: Path, step: Step, measure: Any) -> None:
    tracker = Points()
    run(tmp_path, step, measure, steps=10, trackers=(tracker,))
    log, checked = read_log(tmp_path / "log.csv"), read_log(tmp_path / "validation.csv")
    assert tracker.closed
    assert [tracker.points[n, "training/loss"] for n in (5, 10)] == log["loss"]
    assert [tracker.points[n, "validation/fit_mae"] for n in (8, 10)] == checked["fit_mae"]


def test_tensorboard_files_are_written(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    board = TensorBoard(tmp_path, last_step=None)
    board.add(3, {"training/loss": 0.5})
    board.close()
    (file,) = tmp_path.iterdir()
    assert b"training/loss" in file.read_bytes()
