"""The units in which networks see and say things, measured on the systems that are trained on.

The published model is fed raw numbers; here all inputs and targets have a root mean square of about one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from helio.coarse.groups import Groups
from helio.coarse.network.architecture import Target


@dataclass(frozen=True)
class Scales:
    """Units of the standardised quantities, and what was seen at most."""

    step: float  # rms displacement of a group per model step and coordinate
    change: float  # rms of x(t+1) - 2 x(t) + x(t-1), likewise
    bond: float  # rms distance of bonded groups; the radius where there are none
    bead_mass: float  # means
    group_mass: float
    gyration: float  # rms radius of gyration of a molecule
    longest_bond: float
    largest_gyration: float

    def target(self, target: Target) -> float:
        """The unit of what is predicted."""
        return self.change if target == "acceleration" else self.step

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Sample:
    """Some of one system's motion: consecutive frames one model step apart."""

    centers: np.ndarray  # (T, G, 3), unwrapped
    gyration: np.ndarray  # (T, M)
    boxes: np.ndarray | None  # (T, 3)
    groups: Groups
    bead_masses: np.ndarray


def measure_scales(samples: Iterable[Sample], *, radius: float | None) -> Scales:
    """The scales of a training set; systems count by their numbers of groups and frames."""
    found = {name: _Mean() for name in ("step", "change", "bond", "bead_mass", "group_mass", "gyration")}
    longest = largest = 0.0
    for sample in samples:
        centers = sample.centers.astype(np.float64)
        steps = np.diff(centers, axis=0)
        found["step"].add(steps**2)
        found["change"].add(np.diff(steps, axis=0) ** 2)
        found["bead_mass"].add(sample.bead_masses)
        found["group_mass"].add(sample.groups.masses)
        found["gyration"].add(sample.gyration.astype(np.float64) ** 2)
        largest = max(largest, float(sample.gyration.max()))
        if len(sample.groups.bonds):
            between = centers[:, sample.groups.bonds[:, 1]] - centers[:, sample.groups.bonds[:, 0]]
            squares = (_shortest(between, sample.boxes) ** 2).sum(axis=-1)
            found["bond"].add(squares)
            longest = max(longest, float(squares.max()) ** 0.5)
    bond = found["bond"].root() if found["bond"].count else (radius or 1.0)
    return Scales(
        step=found["step"].root(),
        change=found["change"].root(),
        bond=bond,
        bead_mass=found["bead_mass"].mean(),
        group_mass=found["group_mass"].mean(),
        gyration=found["gyration"].root() or 1.0,
        longest_bond=longest,
        largest_gyration=largest,
    )


def _shortest(vectors: np.ndarray, boxes: np.ndarray | None) -> np.ndarray:
    if boxes is None:
        return vectors
    edges = boxes[:, None]
    return vectors - edges * np.round(vectors / edges)


class _Mean:
    def __init__(self) -> None:
        self.total, self.count = 0.0, 0

    def add(self, values: np.ndarray) -> None:
        self.total += float(values.sum())
        self.count += values.size

    def mean(self) -> float:
        return self.total / self.count

    def root(self) -> float:
        return self.mean() ** 0.5
