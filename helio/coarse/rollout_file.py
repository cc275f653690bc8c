"""A roll-out on disk: the motion of groups of many systems, with all that its evaluation needs to know of them.

```
/                format, version, length_unit, time_unit, model, store, seed, history (frames taken from simulation),
                 device, cores, seconds (of stepping, without compilation), compile_seconds
/systems/NAME    interval (time between frames), step_interval (time of a model's step),
                 history_begin, history_end (frames of the store that the roll-out starts from)
    centers          (T, G, 3) float32, unwrapped; the frames after the history
    rg_squared       (T, M) float32, predicted squared radius of gyration of every molecule, where a model predicts it
    group_masses     (G,)
    group_bonds      (Q, 2)
    group_molecules  (G,)
    box              (3,) edges, for periodic systems
```
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar

import h5py
import numpy as np

from helio.coarse.groups import Groups
from helio.errors import HelioError
from helio.files.atomic import atomic_path
from helio.files.hdf5 import guarded, open_store

FORMAT, VERSION = "helio coarse roll-out", 1


@dataclass(frozen=True)
class RolloutInfo:
    """What holds for all systems of a roll-out."""

    length_unit: str
    time_unit: str
    model: str  # path
    store: str  # path
    seed: int
    history: int
    device: str
    cores: int


@dataclass(frozen=True)
class RolledSystem:
    """A system that is rolled out; of `groups` masses, bonds and molecules are kept."""

    groups: Groups
    interval: float
    step_interval: float
    history_begin: int
    history_end: int
    box: np.ndarray | None = None  # edges (3,)


def create_rollout(
    path: str | Path, info: RolloutInfo, systems: Mapping[str, RolledSystem], *, gyration: bool, overwrite: bool = False
) -> None:
    """A roll-out without frames; `gyration` tells whether squared radii of gyration will come with them.

    Raises:
        HelioError: `path` exists or cannot be written.
    """
    if Path(path).exists() and not overwrite:
        raise HelioError(f"{path} exists; give another name or --overwrite")
    with atomic_path(path) as temporary, h5py.File(temporary, "w", libver="v110") as file:
        file.attrs["format"], file.attrs["version"] = FORMAT, VERSION
        for key, value in asdict(info).items():
            file.attrs[key] = value
        file.attrs["seconds"] = file.attrs["compile_seconds"] = 0.0
        top = file.create_group("systems", track_order=True)
        for name, system in systems.items():
            group = top.create_group(name)
            for key in ("interval", "step_interval", "history_begin", "history_end"):
                group.attrs[key] = getattr(system, key)
            groups = system.groups
            group["group_masses"], group["group_bonds"] = groups.masses, groups.bonds
            group["group_molecules"] = groups.molecules
            if system.box is not None:
                group["box"] = system.box
            shapes: dict[str, tuple[int, ...]] = {"centers": (len(groups), 3)}
            if gyration:
                shapes["rg_squared"] = (int(groups.molecules.max()) + 1,)
            for key, shape in shapes.items():
                chunk = (max(1, 32_768 // int(np.prod(shape))), *shape)
                group.create_dataset(key, (0, *shape), np.float32, maxshape=(None, *shape), chunks=chunk)


def append_frames(
    path: str | Path,
    centers: Mapping[str, np.ndarray],
    rg_squared: Mapping[str, np.ndarray] | None = None,
    *,
    seconds: float,
    compile_seconds: float = 0.0,
) -> None:
    """Add frames (t, G, 3), and squared radii of gyration (t, M), of systems by name; times are added up."""
    with h5py.File(path, "r+") as file:
        for key, arrays in (("centers", centers), ("rg_squared", rg_squared or {})):
            for name, rows in arrays.items():
                dataset: Any = file[f"systems/{name}/{key}"]
                dataset.resize(len(dataset) + len(rows), axis=0)
                dataset[len(dataset) - len(rows) :] = rows
        for key, more in (("seconds", seconds), ("compile_seconds", compile_seconds)):
            file.attrs[key] = float(np.asarray(file.attrs[key])) + more


def cut_frames(path: str | Path, frames: int, *, seconds: float) -> None:
    """Keep the first `frames` of every system, which took `seconds`, as a resumed roll-out needs it."""
    with h5py.File(path, "r+") as file:
        systems: Any = file["systems"]
        for group in systems.values():
            for key in ("centers", "rg_squared"):
                if key in group:
                    group[key].resize(min(frames, len(group[key])), axis=0)
        file.attrs["seconds"] = seconds


class Rollout:
    """Reads a roll-out."""

    WHAT: ClassVar = "roll-out"
    MAKER: ClassVar = "`helio coarse simulate`"

    def __init__(self, path: str | Path) -> None:
        """Open it.

        Raises:
            HelioError: it does not exist, is damaged, or is something else.
        """
        self.path = Path(path)
        self._file = open_store(path, format=FORMAT, version=VERSION, what=self.WHAT, maker=self.MAKER)
        self._read_attributes()

    @guarded
    def _read_attributes(self) -> None:
        attributes = self._file.attrs
        words = {key: str(attributes[key]) for key in ("length_unit", "time_unit", "model", "store", "device")}
        numbers = {key: int(np.asarray(attributes[key])) for key in ("seed", "history", "cores")}
        values: dict[str, Any] = {**words, **numbers}
        self.info = RolloutInfo(**values)
        self.seconds = float(np.asarray(attributes["seconds"]))
        self.compile_seconds = float(np.asarray(attributes["compile_seconds"]))
        self.names: tuple[str, ...] = tuple(map(str, self._systems))

    @property
    def _systems(self) -> Any:
        return self._file["systems"]

    def __enter__(self) -> Rollout:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @guarded
    def number(self, name: str, attribute: str) -> float:
        """Of a system: `interval`, `step_interval`, `history_begin` or `history_end`."""
        return float(self._systems[name].attrs[attribute])

    @guarded
    def frames(self, name: str) -> int:
        """T, the number of frames."""
        return len(self._systems[name]["centers"])

    @guarded
    def centers(self, name: str, begin: int = 0, end: int | None = None) -> np.ndarray:
        """Centres (t, G, 3) of the groups in frames `begin` to `end`, float32."""
        return self._systems[name]["centers"][begin:end]

    @guarded
    def rg_squared(self, name: str) -> np.ndarray | None:
        """Predicted squared radii of gyration (T, M), or None."""
        group = self._systems[name]
        return group["rg_squared"][...] if "rg_squared" in group else None

    @guarded
    def array(self, name: str, key: str) -> np.ndarray:
        """`group_masses`, `group_bonds` or `group_molecules` of a system."""
        return self._systems[name][key][...]

    @guarded
    def box(self, name: str) -> np.ndarray | None:
        """Edges (3,), or None."""
        group = self._systems[name]
        return group["box"][...] if "box" in group else None
