"""The store: one HDF5 file with the coarse motion of many systems, and all that training needs to know of them.

```
/                    format, version, type_names, length_unit, time_unit, beads_per_group, seed, origin
/systems/NAME        part (train, validation or test), interval (time between frames)
    types, masses, bonds, bond_types, box    the fine system (`FineSystem`), the last two where known
    groups           (N,) the group of each bead
    centers          (T, G, 3) float32, unwrapped
    gyration         (T, M) float32, radius of gyration of every molecule, from the fine positions
    boxes            (T, 3) edges, where they change
    positions        (T, N, 3) float32, unwrapped, where fine positions are kept
```
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar

import h5py
import numpy as np

from helio.coarse.groups import Groups, groups_of
from helio.coarse.split import PARTS
from helio.coarse.system import FineSystem, fine_system
from helio.errors import HelioError
from helio.files.hdf5 import guarded, open_store

FORMAT, VERSION = "helio coarse store", 1


class Store:
    """Reads a store; of trajectories only the frames asked for are read."""

    WHAT: ClassVar = "store of coarse trajectories"
    MAKER: ClassVar = "`helio coarse prepare`"

    def __init__(self, path: str | Path) -> None:
        """Open the store.

        Raises:
            HelioError: it does not exist, is damaged, or is something else.
        """
        self.path = Path(path)
        self._file = open_store(path, format=FORMAT, version=VERSION, what=self.WHAT, maker=self.MAKER)
        self._read_attributes()

    @guarded
    def _read_attributes(self) -> None:
        attributes = self._file.attrs
        self.type_names: tuple[str, ...] = tuple(map(str, np.asarray(attributes["type_names"])))
        self.length_unit, self.time_unit = str(attributes["length_unit"]), str(attributes["time_unit"])
        self.beads_per_group = float(np.asarray(attributes["beads_per_group"]))
        self.origin = str(attributes["origin"])
        self.names: tuple[str, ...] = tuple(map(str, self._systems))

    @property
    def _systems(self) -> Any:
        return self._file["systems"]

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self.names)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @guarded
    def copy_to(self, file: h5py.File, *, names: Mapping[str, str]) -> None:
        """Copy systems as they are into the file of another store, under new names."""
        for old, new in names.items():
            file.copy(self._group(old), file, name=f"systems/{new}")

    @guarded
    def part(self, part: str) -> tuple[str, ...]:
        """Names of the systems in `train`, `validation` or `test`; `HelioError` for another part."""
        if part not in PARTS:
            raise HelioError(f"a store has the parts {', '.join(PARTS)}, not {part!r}")
        return tuple(name for name in self.names if self._group(name).attrs["part"] == part)

    @guarded
    def system(self, name: str) -> FineSystem:
        """The fine system."""
        group = self._group(name)
        optional = {key: group[key][...] if key in group else None for key in ("bond_types", "box")}
        return fine_system(group["types"][...], group["masses"][...], group["bonds"][...], **optional)

    @guarded
    def groups(self, name: str) -> Groups:
        """The groups of a system's beads."""
        return groups_of(self.system(name), self._group(name)["groups"][...])

    @guarded
    def interval(self, name: str) -> float:
        """Time between frames."""
        return float(self._group(name).attrs["interval"])

    @guarded
    def frames(self, name: str) -> int:
        """T, the number of frames."""
        return len(self._group(name)["centers"])

    @guarded
    def centers(self, name: str, begin: int = 0, end: int | None = None) -> np.ndarray:
        """Centres (t, G, 3) of the groups in frames `begin` to `end`, float32."""
        return self._group(name)["centers"][begin:end]

    @guarded
    def gyration(self, name: str, begin: int = 0, end: int | None = None) -> np.ndarray:
        """Radii of gyration (t, M) of the molecules, float32."""
        return self._group(name)["gyration"][begin:end]

    @guarded
    def boxes(self, name: str, begin: int = 0, end: int | None = None) -> np.ndarray | None:
        """Edges (t, 3) of the box, or None for a system without boundaries."""
        group = self._group(name)
        if "boxes" in group:
            return group["boxes"][begin:end]
        if "box" not in group:
            return None
        return np.tile(group["box"][...], (len(range(self.frames(name))[begin:end]), 1))

    @guarded
    def positions(self, name: str, begin: int = 0, end: int | None = None) -> np.ndarray:
        """Fine positions (t, N, 3), float32.

        Raises:
            HelioError: the store was made without them.
        """
        group = self._group(name)
        if "positions" not in group:
            raise HelioError(f"{self.path} holds no fine positions of {name}: make it with --keep-fine")
        return group["positions"][begin:end]

    def _group(self, name: str) -> Any:
        if name not in self._systems:
            raise HelioError(f"{self.path} holds no system {name!r}")
        return self._systems[name]
