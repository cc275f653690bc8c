"""Trajectories of fine systems, read or simulated block after block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from helio.coarse.system import FineSystem

# Numbers of positions (t, N) that a block holds, about: readers give as many frames as fit.
BLOCK_BEADS = 200_000


class Block(NamedTuple):
    """Consecutive frames."""

    positions: np.ndarray  # (t, N, 3), unwrapped
    boxes: np.ndarray | None = None  # edges (t, 3), where they change; else those of the system hold


@dataclass(frozen=True)
class FineTrajectory:
    """A named system and how to read its frames, from the first on, as often as wanted."""

    name: str
    system: FineSystem
    type_names: tuple[str, ...]  # what the numbers in `system.types` stand for
    frames: Callable[[], Iterator[Block]]
    interval: float  # time between frames
    length_unit: str = "A"
    time_unit: str = "ps"


def block_frames(beads: int) -> int:
    """How many frames of `beads` beads make a block."""
    return max(1, BLOCK_BEADS // beads)
