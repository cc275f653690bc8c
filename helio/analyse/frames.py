"""The frames of one trajectory, one at a time, whatever program wrote them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from helio.analyse.cut_off import whole_frames
from helio.analyse.topology import molecules_of, open_run, open_universe
from helio.errors import HelioError, excerpt, reason
from helio.files.log import read_log
from helio.files.run_folder import RunFolder

if TYPE_CHECKING:
    from MDAnalysis.coordinates.timestep import Timestep

_WHAT = {"velocity": "velocities", "charge": "charges", "hirshfeld_ratio": "hirshfeld_ratios", "force": "forces"}


@dataclass(frozen=True)
class Frames:
    """Chosen frames and atoms of a trajectory; iterating gives MDAnalysis' `Timestep`, with `atoms` following it.

    Never more than a few frames are in memory. `Timestep.data` holds what a run of Helio recorded beyond positions
    (`helio.analyse.run_reader`).
    """

    universe: Any  # of MDAnalysis
    atoms: Any  # the chosen AtomGroup
    numbers: range  # of the chosen frames
    path: Path
    label: str
    run: RunFolder | None  # where the log is, if a run of Helio
    periodic: tuple[bool, bool, bool]
    begin_ps: float | None = None
    end_ps: float | None = None
    attention: str | None = None  # what is wrong with the file
    note: str | None = None  # what was left out of it

    def __len__(self) -> int:
        """Number of chosen frames."""
        return len(self.numbers)

    def __iter__(self) -> Iterator[Timestep]:
        """The chosen frames; `HelioError` where one cannot be read."""
        for number in self.numbers:
            yield self.moment(number)

    def moment(self, number: int) -> Timestep:
        """The frame of this number in the file; `HelioError` if it cannot be read."""
        try:
            moment = self.universe.trajectory[number]
        except (OSError, ValueError, EOFError, StopIteration, IndexError) as error:
            raise HelioError(
                f"frame {number} of {self.path} cannot be read, the file is cut off or damaged: {error}"
            ) from error
        if not np.isfinite(moment.positions).all():
            raise HelioError(f"frame {number} of {self.path} holds positions that are no numbers")
        return moment

    def first(self) -> Timestep:
        """The first of the chosen frames."""
        return self.moment(self.numbers[0])

    @cached_property
    def times_ps(self) -> np.ndarray:
        """Times of the chosen frames."""
        trajectory = self.universe.trajectory
        if self.run is not None:
            return trajectory.times[self.numbers.start : self.numbers.stop : self.numbers.step]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about formats without times, where frames are taken as 1 ps apart
            return _start(trajectory) + np.array(self.numbers) * float(trajectory.dt)

    @property
    def interval_ps(self) -> float:
        """Between chosen frames; `HelioError` if it changes, or there is one frame."""
        self.need_frames(2)
        steps = np.diff(self.times_ps)
        if not np.allclose(steps, steps[0], rtol=1e-3) or steps[0] <= 0:
            raise HelioError(
                f"the frames of {self.label} are between {steps.min():g} and {steps.max():g} ps apart; this analysis "
                "needs them equally far apart: choose a part of the trajectory with --begin and --end"
            )
        return float(np.mean(steps))

    @property
    def unwrapped(self) -> bool:
        """Whether positions go on beyond the box, as those of a run do."""
        return self.run is not None

    @cached_property
    def atomic_numbers(self) -> np.ndarray:
        """Of all atoms of the universe, (n,)."""
        from ase.data import atomic_numbers

        return np.array([atomic_numbers.get(str(e).capitalize(), 0) for e in self.universe.atoms.elements])

    @cached_property
    def molecules(self) -> np.ndarray:
        """For each atom of the universe the number of its molecule (bonded atoms), (n,), from 0 and without gaps."""
        return molecules_of(self.universe)

    @cached_property
    def log(self) -> dict[str, np.ndarray]:
        """Columns of the run's log between the first and the last chosen time; empty without a log."""
        if self.run is None or not self.run.log.exists():
            return {}
        columns = {name: np.array(values) for name, values in read_log(self.run.log).items()}
        if not len(columns.get("time_ps", ())):
            return {}
        inside = (columns["time_ps"] >= (-np.inf if self.begin_ps is None else self.begin_ps - 1e-9)) & (
            columns["time_ps"] <= (np.inf if self.end_ps is None else self.end_ps + 1e-9)
        )
        return {name: column[inside] for name, column in columns.items()}

    def has(self, quantity: str) -> bool:
        """Whether frames hold "velocity", "force", "charge" or "hirshfeld_ratio"."""
        moment = self.first()
        if quantity in ("velocity", "force"):
            return bool(moment.has_velocities if quantity == "velocity" else moment.has_forces)
        return quantity in moment.data

    def need(self, quantity: str) -> None:
        """Raise `HelioError` unless frames hold `quantity` (`has`)."""
        if not self.has(quantity):
            words = _WHAT[quantity]
            raise HelioError(
                f"the frames of {self.label} hold no {words.replace('_', ' ')}; a run saves them with `--save {words}`"
            )

    def need_box(self) -> None:
        """Raise `HelioError` unless the frames are periodic in all directions."""
        if not self.has_box():
            raise HelioError(f"{self.label} has no periodic box, which this analysis needs")

    def has_box(self) -> bool:
        """Whether the frames are periodic in all directions."""
        return self._boxed

    @cached_property
    def smallest_height_A(self) -> float:
        """The smallest distance between opposite faces of the box, over all chosen frames."""
        heights = [np.inf]
        previous = None
        for moment in self:
            if previous is None or not np.array_equal(moment.dimensions, previous):
                previous = np.array(moment.dimensions)
                inverse = np.linalg.inv(np.asarray(moment.triclinic_dimensions, float))
                heights.append(float((1 / np.linalg.norm(inverse, axis=0)).min()))
        return min(heights)

    @cached_property
    def _boxed(self) -> bool:
        dimensions = self.first().dimensions
        return all(self.periodic) and dimensions is not None and bool((dimensions[:3] > 0).all())

    def need_frames(self, count: int) -> None:
        """Raise `HelioError` if fewer than `count` frames are chosen."""
        if len(self) < count:
            raise HelioError(
                f"{self.label} has too few frames for this analysis: {len(self)}, at least {count} are needed"
            )

    def need_log(self, *columns: str) -> None:
        """Raise `HelioError` unless the run's log has these columns."""
        if missing := [name for name in columns if name not in self.log]:
            raise HelioError(f"{self.label} has no log with {', '.join(missing)}, which this analysis needs")


def open_frames(
    path: str | Path,
    topology: str | Path | None = None,
    *,
    begin_ps: float | None = None,
    end_ps: float | None = None,
    every: int = 1,
    selection: str = "all",
) -> Frames:
    """Open a trajectory.

    Args:
        path: a run folder of Helio, its `trajectory.h5md`, or a trajectory that MDAnalysis opens.
        topology: file with the atoms, where `path` does not say who they are; for a run folder, names instead of its.
        begin_ps: leave out frames before this time.
        end_ps: leave out frames after this time.
        every: take every n-th of the remaining frames.
        selection: atoms to treat, in the language of MDAnalysis; applied to the first chosen frame.

    Raises:
        HelioError: MDAnalysis is missing; there is no such file, it cannot be read, or it is the folder of several
            replicas (`open_all`); no frame or no atom is left.
    """
    path = Path(path)
    if not path.exists():
        raise HelioError(f"there is no {path}")
    if every < 1:
        raise HelioError(f"every n-th frame needs n of at least 1, not {every}")
    folder = path if path.is_dir() else path.parent if _is_run_file(path) else None
    run = None if folder is None else RunFolder(folder)
    attention, note = None, None
    if run is not None:
        universe, periodic = open_run(run, None if topology is None else Path(topology))
        frames = len(universe.trajectory)
    else:
        universe, periodic, note = open_universe(path, None if topology is None else Path(topology))
        frames, attention = whole_frames(path, universe)
    whole = Frames(universe, universe.atoms, range(frames), path, path.name, run, periodic)
    label = (folder or path).resolve().name
    if run is not None and label.startswith("replica-"):
        label = f"{run.path.resolve().parent.name}/{label}"
    numbers = _between(whole, begin_ps, end_ps)[::every]
    chosen = Frames(universe, universe.atoms, numbers, path, label, run, periodic, begin_ps, end_ps)
    chosen.first()
    atoms = _select(universe, selection)
    return Frames(universe, atoms, numbers, path, label, run, periodic, begin_ps, end_ps, attention, note)


def open_all(
    paths: Sequence[str | Path],
    topology: str | Path | None = None,
    *,
    begin_ps: float | None = None,
    end_ps: float | None = None,
    every: int = 1,
    selection: str = "all",
) -> list[Frames]:
    """Open several trajectories of the same atoms; a folder of replicas counts as its replicas.

    Arguments are those of `open_frames`, and so are the errors.

    Raises:
        HelioError: the atoms are not the same in all of them.
    """
    opened = [
        open_frames(replica, topology, begin_ps=begin_ps, end_ps=end_ps, every=every, selection=selection)
        for path in paths
        for replica in _replicas(Path(path))
    ]
    for other in opened[1:]:
        if not np.array_equal(other.atomic_numbers, opened[0].atomic_numbers):
            raise HelioError(
                f"{opened[0].label} ({len(opened[0].universe.atoms)} atoms) and {other.label} "
                f"({len(other.universe.atoms)} atoms) are not of the same atoms; analyse them one by one"
            )
    return opened


def _replicas(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return [folder.path for folder in RunFolder(path).existing_replicas()]


def _is_run_file(path: Path) -> bool:
    return path.name == "trajectory.h5md" and (path.parent / "topology.pdb").exists()


def _start(trajectory) -> float:
    return float(trajectory[0].time)


def _between(frames: Frames, begin_ps: float | None, end_ps: float | None) -> range:
    if len(frames.numbers) == 0:
        raise HelioError(f"{frames.path} holds no frame")
    times = frames.times_ps
    inside = np.flatnonzero(
        (times >= (-np.inf if begin_ps is None else begin_ps - 1e-6))
        & (times <= (np.inf if end_ps is None else end_ps + 1e-6))
    )
    if len(inside) == 0:
        raise HelioError(
            f"no frame of {frames.path} is in the chosen time: its frames go from {times[0]:g} to {times[-1]:g} ps"
        )
    return range(int(inside[0]), int(inside[-1]) + 1)


def _select(universe: Any, selection: str) -> Any:
    import MDAnalysis

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            chosen = universe.select_atoms(selection)
    except (MDAnalysis.SelectionError, AttributeError, RecursionError, TypeError, ValueError) as error:
        raise HelioError(f"the selection {excerpt(selection)} is not understood: {reason(error)}") from None
    if len(chosen) == 0:
        raise HelioError(f"the selection {excerpt(selection)} holds no atom of these frames")
    return chosen
