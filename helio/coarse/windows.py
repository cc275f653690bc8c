"""Windows of motion, drawn at random and streamed, as batches for training and validation.

Each batch is a function of the seed and its number alone, so a stream is taken up again by its number. Systems are
drawn by how many windows they have, windows of a system evenly; noise, rotations and the levels of the refinement are
drawn with them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations, product
from typing import Any, NamedTuple

import jax
import numpy as np

from helio.coarse.loss import Batch
from helio.coarse.motion import Motion
from helio.coarse.topology import Sizes
from helio.errors import HelioError
from helio.train.order import batch_number


@dataclass(frozen=True)
class Disturbance:
    """What is done to windows; lengths in the data's unit."""

    noise: tuple[float, ...] = ()  # levels, of which each window has one, on every coordinate of its history
    rotate: bool = False  # at random: freely, or in boxes by the 48 symmetries of a cube
    sigmas: tuple[float, ...] = ()  # levels of the refinement, in units of the rms step


class Windows:
    """An endless stream of random batches (`helio.train.loop.Batches`)."""

    def __init__(
        self,
        motion: Motion,
        sizes: Sizes,
        *,
        history: int,
        systems_per_batch: int,
        windows_per_system: int,
        disturbance: Disturbance,
        seed: int,
    ) -> None:
        """Count the windows; raises `HelioError` for trajectories that are too short."""
        self._maker = _Maker(motion, sizes, history, disturbance)
        self._systems = min(systems_per_batch, len(motion.names))
        self._each, self._seed = windows_per_system, seed
        self._number = 0
        self.waited = 0.0
        self.batches_per_epoch = max(1, int(self._maker.counts.sum()) // (self._systems * self._each))

    @property
    def epoch(self) -> int:
        """Batches so far, over those that have as many windows as there are."""
        return self._number // self.batches_per_epoch

    def __iter__(self) -> Iterator[Batch]:
        while True:
            began = time.monotonic()
            batch = self.batch(self._number)
            self._number += 1
            self.waited += time.monotonic() - began
            yield batch

    def batch(self, number: int) -> Batch:
        """The batch of this number."""
        random = np.random.default_rng([self._seed, number])
        share = self._maker.counts / self._maker.counts.sum()
        chosen = random.choice(len(share), self._systems, replace=False, p=share)
        begins = [random.integers(self._maker.counts[system], size=self._each) for system in chosen]
        return self._maker.batch(chosen, np.array(begins), random)

    def state(self) -> dict[str, Any]:
        """Where the stream stands."""
        return {"number": self._number, "windows": self._maker.counts.tolist(), "seed": self._seed}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state; `HelioError` where the data are not those that it was made with."""
        if state["windows"] != self._maker.counts.tolist() or state["seed"] != self._seed:
            raise HelioError("the store holds other trajectories than when the run began: start a new run")
        self._number = batch_number(state["number"])


class FixedWindows:
    """Windows spread evenly over every system, the same in each pass (`helio.train.summary.Pass`)."""

    def __init__(
        self, motion: Motion, sizes: Sizes, *, history: int, windows_per_system: int, sigmas: tuple[float, ...]
    ) -> None:
        self._maker = _Maker(motion, sizes, history, Disturbance(sigmas=sigmas))
        self._each = windows_per_system

    def __iter__(self) -> Iterator[Batch]:
        for system, count in enumerate(self._maker.counts):
            begins = np.linspace(0, count - 1, self._each).astype(int)
            yield self._maker.batch(np.array([system]), begins[None], np.random.default_rng(system))

    def restart(self) -> None:
        """A pass begins with every iteration anyway."""


class _Window(NamedTuple):
    frames: np.ndarray
    box: np.ndarray | None
    gyration: np.ndarray


class _Maker:
    """Makes batches of given windows."""

    def __init__(self, motion: Motion, sizes: Sizes, history: int, disturbance: Disturbance) -> None:
        self._motion, self._history, self._disturbance = motion, history, disturbance
        self._sizes = sizes
        self.counts = np.array([motion.windows(number, history + 1) for number in range(len(motion.names))])
        self._first = np.concatenate([[0], np.cumsum(self.counts)])
        self._topologies = motion.topologies(sizes)

    def batch(self, systems: np.ndarray, begins: np.ndarray, random: np.random.Generator) -> Batch:
        """Windows that begin at `begins` (S, W) of `systems` (S,)."""
        windows = [[self._window(s, b, random) for b in row] for s, row in zip(systems, begins, strict=True)]
        frames = np.stack([[window.frames for window in row] for row in windows])
        boxes = None
        if windows[0][0].box is not None:
            boxes = np.array([[window.box for window in row] for row in windows], np.float32)
        noise = sigma = None
        if self._disturbance.sigmas:
            noise = random.standard_normal(frames[:, :, 0].shape, np.float32)
            sigma = random.choice(np.array(self._disturbance.sigmas, np.float32), begins.shape)
        return Batch(
            topology=jax.tree.map(lambda *leaves: np.stack(leaves), *(self._topologies[s] for s in systems)),
            frames=frames,
            boxes=boxes,
            gyration=np.stack([[window.gyration for window in row] for row in windows]),
            noise=noise,
            sigma=sigma,
            index=(self._first[systems][:, None] + begins).astype(np.int32),
            real=np.ones(begins.shape, bool),
        )

    def _window(self, system: int, begin: int, random: np.random.Generator) -> _Window:
        motion, disturbance = self._motion, self._disturbance
        frames = motion.frames(system, begin, self._history + 1).astype(np.float64)
        newest = begin + (self._history - 1) * motion.every[system]
        frames -= frames[-2].mean(axis=0)
        box = motion.box(system, newest)
        if disturbance.rotate:
            turn = rotation(random) if box is None else cube_symmetry(random)
            frames = frames @ turn.T
            box = None if box is None else np.abs(turn) @ box
        if disturbance.noise:
            frames[:-1] += random.choice(disturbance.noise) * random.standard_normal(frames[:-1].shape)
        padded = np.zeros((len(frames), self._sizes.groups, 3), np.float32)
        padded[:, : frames.shape[1]] = frames
        gyration = np.zeros(self._sizes.molecules, np.float32)
        found = motion.gyration(system, newest)
        gyration[: len(found)] = found
        return _Window(padded, box, gyration)


def rotation(random: np.random.Generator) -> np.ndarray:
    """A rotation matrix (3, 3), all being equally likely."""
    turn, upper = np.linalg.qr(random.normal(size=(3, 3)))
    turn = turn * np.sign(np.diag(upper))
    return turn * np.sign(np.linalg.det(turn))


_SYMMETRIES = [
    np.eye(3)[list(order)] * signs for order in permutations(range(3)) for signs in product((1, -1), repeat=3)
]


def cube_symmetry(random: np.random.Generator) -> np.ndarray:
    """One of the 48 matrices that map a cube onto itself."""
    return _SYMMETRIES[random.integers(len(_SYMMETRIES))]
