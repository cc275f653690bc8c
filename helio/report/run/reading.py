"""Runs as a page needs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from helio.analyse import Frames, open_all
from helio.analyse.run_settings import settings_of
from helio.report.run.course import Course, courses
from helio.report.run.scene import Shown, run_scene

# In settings of runs that differ by chance and in length alone.
_IGNORED = ("seed", "steps", "save", "save_every", "log_every", "checkpoint_every", "devices", "kernels")


@dataclass(frozen=True)
class Run:
    """All that a page shows of a run but its analyses."""

    label: str
    frames: Frames
    courses: dict[str, Course]
    shown: Shown

    @property
    def description(self) -> str:
        """Of pictures, for those who cannot see them."""
        return f"{len(self.shown.scene.numbers):,} atoms of {self.label}"


def read_runs(folders: Sequence[str | Path], topology: str | Path | None = None, *, most_bytes: int) -> list[Run]:
    """Runs, or the replicas of one; their views share `most_bytes`. Arguments and errors are those of `open_all`."""
    opened = [frames for folder in folders for frames in open_all([folder], topology)]
    labels = _numbered([_label(frames) for frames in opened])
    each = most_bytes // len(opened)
    return [
        Run(label, frames, courses(frames), run_scene(frames, most_bytes=each))
        for label, frames in zip(labels, opened, strict=True)
    ]


def alike(runs: Sequence[Run]) -> bool:
    """Whether the runs are of the same atoms and asked for the same, but for random numbers and length."""
    asked = [{name: value for name, value in settings_of(run.frames).items() if name not in _IGNORED} for run in runs]
    same_atoms = all(np.array_equal(run.frames.atomic_numbers, runs[0].frames.atomic_numbers) for run in runs)
    return same_atoms and not asked[0].get("replica_temperatures") and all(one == asked[0] for one in asked)


def _label(frames: Frames) -> str:
    """The name of the folder; of one that is called as by default, with that around it."""
    folder = frames.path if frames.path.is_dir() else frames.path.parent
    return f"{folder.resolve().parent.name}/{frames.label}" if frames.label == "run" else frames.label


def _numbered(labels: list[str]) -> list[str]:
    """Told apart by a number where they are the same."""
    return [
        f"{label} ({labels[:i].count(label) + 1})" if labels.count(label) > 1 else label
        for i, label in enumerate(labels)
    ]
