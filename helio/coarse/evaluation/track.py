"""What is looked at of one system: the motion of its groups, simulated or rolled out, with the names of its parts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from helio.coarse.rollout_file import Rollout
from helio.coarse.store import Store

CHAIN = "chain"


@dataclass(frozen=True)
class Track:
    """Groups of one system in T frames."""

    name: str
    centers: np.ndarray  # (T, G, 3), unwrapped
    interval: float
    masses: np.ndarray  # (G,)
    bonds: np.ndarray  # (Q, 2) between groups
    molecules: np.ndarray  # (G,)
    kinds: tuple[str, ...]  # of the molecules (M,): "chain" for those of several groups, a formula for others
    boxes: np.ndarray | None  # edges (T, 3)
    rg_squared: np.ndarray | None  # (T, M) from all beads, or predicted

    def __len__(self) -> int:
        return len(self.centers)

    @property
    def time(self) -> float:
        """From the first frame to the last."""
        return (len(self) - 1) * self.interval

    def of_kind(self, kind: str) -> np.ndarray:
        """Numbers of the molecules of a kind."""
        return np.flatnonzero(np.asarray(self.kinds) == kind)

    def groups_of_kind(self, kind: str) -> np.ndarray:
        """Numbers of the groups in molecules of a kind."""
        return np.flatnonzero(np.isin(self.molecules, self.of_kind(kind)))

    def part(self, begin: int, end: int) -> Track:
        """The frames from `begin` to `end`."""
        return replace(
            self,
            centers=self.centers[begin:end],
            boxes=None if self.boxes is None else self.boxes[begin:end],
            rg_squared=None if self.rg_squared is None else self.rg_squared[begin:end],
        )


def simulated(store: Store, name: str) -> Track:
    """The motion of a system as the store holds it."""
    groups = store.groups(name)
    return Track(
        name=name,
        centers=store.centers(name),
        interval=store.interval(name),
        masses=groups.masses,
        bonds=groups.bonds,
        molecules=groups.molecules,
        kinds=_kinds(store, name),
        boxes=store.boxes(name),
        rg_squared=np.square(store.gyration(name).astype(float)),
    )


def rolled_out(rollout: Rollout, store: Store, name: str) -> Track:
    """The motion of a system as a model rolled it out; its finite frames only, see `finite_frames`."""
    centers = rollout.centers(name)
    kept, box = finite_frames(centers), rollout.box(name)
    squares = rollout.rg_squared(name)
    return Track(
        name=name,
        centers=centers[:kept],
        interval=rollout.number(name, "interval"),
        masses=rollout.array(name, "group_masses"),
        bonds=rollout.array(name, "group_bonds"),
        molecules=rollout.array(name, "group_molecules"),
        kinds=_kinds(store, name),
        boxes=None if box is None else np.tile(box, (kept, 1)),
        rg_squared=None if squares is None else squares[:kept].astype(float),
    )


def finite_frames(centers: np.ndarray) -> int:
    """How many frames (T, G, 3) there are before the first with a number that is not finite."""
    bad = np.flatnonzero(~np.isfinite(centers).all(axis=(1, 2)))
    return int(bad[0]) if len(bad) else len(centers)


def _kinds(store: Store, name: str) -> tuple[str, ...]:
    system, groups = store.system(name), store.groups(name)
    pieces = np.bincount(groups.molecules)
    found = []
    for molecule, count in enumerate(pieces):
        types = Counter(store.type_names[t] for t in system.types[system.molecules == molecule]) if count == 1 else {}
        formula = "".join(f"{kind}{number if number > 1 else ''}" for kind, number in sorted(types.items()))
        found.append(CHAIN if count > 1 else formula)
    return tuple(found)
