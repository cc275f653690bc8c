"""The motion of a store's systems in model steps: which frames there are, and how they are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from helio.coarse.groups import Groups
from helio.coarse.network.standardise import Sample, Scales, measure_scales
from helio.coarse.store import Store
from helio.coarse.system import FineSystem
from helio.coarse.topology import Sizes, Topology, sizes_of, topology
from helio.errors import HelioError

# Trajectories of systems that together have fewer bytes are kept in memory.
_IN_MEMORY = 500_000_000
# Frames of a system that scales are measured on.
_SAMPLED = 2000
# A time between frames counts as a multiple of another to this relative error.
_TOLERANCE = 1e-6


class Motion:
    """Reads frames of some of a store's systems, every so many of the store's to make a model step."""

    def __init__(
        self, store: Store, names: Sequence[str], *, step_time: float, types: Sequence[str] | None = None
    ) -> None:
        """Look the systems up.

        Args:
            store: of the systems.
            names: of those that are wanted.
            step_time: of the model, in the store's unit.
            types: names of types, by their numbers in the model; None: those of the store.

        Raises:
            HelioError: a type that is not among `types`, or frames whose spacing does not divide the model's step.
        """
        self.store, self.names, self.step_time = store, tuple(names), step_time
        self.systems: list[tuple[FineSystem, Groups]] = [(store.system(name), store.groups(name)) for name in names]
        self.every = [frames_per_step(store, name, step_time) for name in names]
        self._numbers = type_numbers(store, self.names, types)
        size = sum(store.frames(name) * len(groups) * 12 for name, (_, groups) in zip(names, self.systems, strict=True))
        self._kept: dict[int, tuple[np.ndarray, np.ndarray, np.ndarray | None]] | None = (
            {} if size < _IN_MEMORY else None
        )

    def sizes(self, *, separation: int = 1) -> Sizes:
        """What topologies of all systems fit in, with partners up to so many bonds away."""
        return sizes_of(self.systems, separation=separation)

    def topologies(self, sizes: Sizes) -> list[Topology]:
        """The padded topology of every system."""
        return [topology(system, groups, sizes, types=self._numbers[system.types]) for system, groups in self.systems]

    def windows(self, number: int, length: int) -> int:
        """How many windows of `length` frames system `number` has.

        Raises:
            HelioError: there are none.
        """
        frames = self.store.frames(self.names[number])
        count = frames - (length - 1) * self.every[number]
        if count < 1:
            every = f" (every {self.every[number]}th)" if self.every[number] > 1 else ""
            raise HelioError(
                f"the trajectory of {self.names[number]} is too short: {frames} frames, where a history and what "
                f"follows take {length}{every}"
            )
        return count

    def frames(self, number: int, begin: int, length: int) -> np.ndarray:
        """`length` frames of the centres (t, G, 3) of system `number`, a model step apart, from frame `begin`."""
        every = self.every[number]
        end = begin + (length - 1) * every + 1
        if self._kept is None:
            return self.store.centers(self.names[number], begin, end)[::every]
        return self._whole(number)[0][begin:end:every]

    def gyration(self, number: int, frame: int) -> np.ndarray:
        """Radii of gyration (M,) at a frame."""
        if self._kept is None:
            return self.store.gyration(self.names[number], frame, frame + 1)[0]
        return self._whole(number)[1][frame]

    def box(self, number: int, frame: int) -> np.ndarray | None:
        """Edges (3,) at a frame, or None."""
        if self._kept is None:
            found = self.store.boxes(self.names[number], frame, frame + 1)
            return None if found is None else found[0]
        boxes = self._whole(number)[2]
        return None if boxes is None else boxes[frame]

    def _whole(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Centres, radii of gyration and boxes of a system, kept in memory."""
        assert self._kept is not None
        if number not in self._kept:
            name, store = self.names[number], self.store
            self._kept[number] = (store.centers(name), store.gyration(name), store.boxes(name))
        return self._kept[number]

    def scales(self, *, radius: float | None) -> Scales:
        """Measured on the first frames of every system."""
        return measure_scales((self._sample(number) for number in range(len(self.names))), radius=radius)

    def _sample(self, number: int) -> Sample:
        name, every = self.names[number], self.every[number]
        system, groups = self.systems[number]
        end = _SAMPLED * every
        boxes = self.store.boxes(name, 0, end)
        return Sample(
            centers=self.store.centers(name, 0, end)[::every],
            gyration=self.store.gyration(name, 0, end)[::every],
            boxes=None if boxes is None else boxes[::every],
            groups=groups,
            bead_masses=system.masses,
        )


def frames_per_step(store: Store, name: str, step_time: float) -> int:
    """How many of a system's frames make a model step; `HelioError` where that is no whole number."""
    interval = store.interval(name)
    every = round(step_time / interval)
    if every < 1 or abs(every * interval - step_time) > _TOLERANCE * step_time:
        raise HelioError(
            f"the frames of {name} are {interval:g} {store.time_unit} apart, which does not divide a model step of "
            f"{step_time:g} {store.time_unit}"
        )
    return every


def type_numbers(store: Store, names: Sequence[str], types: Sequence[str] | None) -> np.ndarray:
    """The number in `types` of each of the store's types; `HelioError` for one that systems have and `types` lacks."""
    known = store.type_names if types is None else tuple(types)
    for name in names:
        for number in np.unique(store.system(name).types):
            if store.type_names[number] not in known:
                raise HelioError(
                    f"{name} has beads of the type {store.type_names[number]!r}, which the model was not trained on; "
                    f"it knows {', '.join(known)}"
                )
    return np.array([known.index(name) if name in known else 0 for name in store.type_names], np.int32)


def is_periodic(store: Store, names: Sequence[str]) -> bool:
    """Whether the systems have boxes; `HelioError` where some do and others do not."""
    boxed: dict[bool, Any] = {store.boxes(name, 0, 1) is not None: name for name in names}
    if len(boxed) > 1:
        raise HelioError(f"{boxed[True]} has a box and {boxed[False]} has none: a model is for one of the two")
    return next(iter(boxed))
