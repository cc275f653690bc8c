"""The store: one HDF5 file of frameworks, the library of their blocks, their labels and their split.

```
/                    format, version, origin
/library             what `Block` holds, of all blocks in one row after another
    atoms, bonds, connections    (blocks + 1,) where each block's rows begin
    numbers, positions, bond, connection, docking, node, name
/frameworks          what `Framework` holds, likewise
    blocks_begin, edges_begin    (frameworks + 1,)
    name, part, net, cell, centers, blocks, rotations, edges, ends
/labels/NAME         (frameworks,) float64, not a number where unknown
```
Edges name the blocks of their own framework, counted from 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar

import numpy as np

from helio.errors import HelioError
from helio.files.hdf5 import check_rows, guarded, open_store
from helio.frameworks.block import Block
from helio.frameworks.framework import Framework
from helio.frameworks.library import Library

FORMAT, VERSION = "helio framework store", 1
PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Entry:
    """A framework with its place in the store."""

    framework: Framework
    part: str = "train"
    net: str = ""  # what it was built on, empty where unknown


class FrameworkStore:
    """Reads a store; of the frameworks only those asked for are read."""

    WHAT: ClassVar = "store of frameworks"
    MAKER: ClassVar = "`helio frameworks build` or `import`"

    def __init__(self, path: str | Path) -> None:
        """Open the store.

        Raises:
            HelioError: it does not exist, is damaged, or is something else.
        """
        self.path = Path(path)
        self._file: Any = open_store(path, format=FORMAT, version=VERSION, what=self.WHAT, maker=self.MAKER)
        self._check()

    @guarded
    def _check(self) -> None:
        """Read what is small and compare sizes: of damage one hears before anything is done."""
        self.origin = str(self._file.attrs["origin"])
        names, parts, table = self._names, self._parts, self._file["frameworks"]
        if not names or len(set(names)) != len(names):
            raise ValueError("it holds no frameworks, or several of one name")
        if len(parts) != len(names) or set(parts) - set(PARTS):
            raise ValueError("the parts of its frameworks are not known")
        for begins, keys in (("blocks_begin", ("centers", "blocks", "rotations")), ("edges_begin", ("edges", "ends"))):
            check_rows(table[begins], len(names), *(table[key] for key in keys))
        for label, values in self._labels.items():
            if values.shape != (len(names),) or values.dtype.kind != "f":
                raise ValueError(f"the label {label} is not one number for each framework")

    def __enter__(self) -> FrameworkStore:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._names)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def names(self, part: str | None = None) -> tuple[str, ...]:
        """Names of the frameworks, of one part or of all, in their order; `HelioError` for an unknown part."""
        return tuple(self._names[i] for i in self._rows(part))

    @guarded
    def framework(self, name: str) -> Framework:
        """One framework with all its known labels; `HelioError` where there is none of that name."""
        row = self._row(name)
        table = self._file["frameworks"]
        blocks = slice(*table["blocks_begin"][row : row + 2].tolist())
        edges = slice(*table["edges_begin"][row : row + 2].tolist())
        return Framework(
            name=name,
            cell=table["cell"][row],
            centers=table["centers"][blocks],
            blocks=table["blocks"][blocks],
            rotations=table["rotations"][blocks].astype(np.float64),
            edges=table["edges"][edges],
            ends=table["ends"][edges],
            labels={key: float(values[row]) for key, values in self._labels.items() if np.isfinite(values[row])},
        )

    def frameworks(self, part: str | None = None) -> Iterable[Framework]:
        """The frameworks of one part or of all, one after another."""
        return (self.framework(name) for name in self.names(part))

    @guarded
    def net(self, name: str) -> str:
        """The net that a framework was built on, empty where unknown."""
        return self._file["frameworks/net"].asstr()[self._row(name)]

    def part(self, name: str) -> str:
        """The part of a framework."""
        return self._parts[self._row(name)]

    def labels(self, part: str | None = None) -> dict[str, np.ndarray]:
        """Each label's values (frameworks,) in the order of `names(part)`, not a number where unknown."""
        rows = self._rows(part)
        return {key: values[rows] for key, values in self._labels.items()}

    @cached_property
    @guarded
    def library(self) -> Library:
        """All blocks."""
        return _read_library(self._file["library"])

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(self._file["frameworks/name"].asstr()[...])

    @cached_property
    def _parts(self) -> tuple[str, ...]:
        return tuple(self._file["frameworks/part"].asstr()[...])

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self._names)}

    @cached_property
    def _labels(self) -> dict[str, np.ndarray]:
        return {key: values[...] for key, values in self._file["labels"].items()}

    def _row(self, name: str) -> int:
        if name not in self._index:
            raise HelioError(f"{self.path} holds no framework {name!r}")
        return self._index[name]

    def _rows(self, part: str | None) -> list[int]:
        if part is None:
            return list(range(len(self)))
        if part not in PARTS:
            raise HelioError(f"a store has the parts {', '.join(PARTS)}, not {part!r}")
        return [row for row, own in enumerate(self._parts) if own == part]


@dataclass(frozen=True)
class StoreContent:
    """What a store is made of, in memory."""

    library: Library
    entries: list[Entry]
    origin: str = ""


def read_content(path: str | Path) -> StoreContent:
    """The whole content of a store."""
    with FrameworkStore(path) as store:
        entries = [Entry(store.framework(name), store.part(name), store.net(name)) for name in store.names()]
        return StoreContent(store.library, entries, store.origin)


def _read_library(group: Any) -> Library:
    table = {key: group[key][...] for key in group if key != "name"}
    blocks = []
    for row, node in enumerate(table["node"]):
        atoms, bonds, connections = (slice(*table[key][row : row + 2]) for key in ("atoms", "bonds", "connections"))
        blocks.append(
            Block(
                numbers=table["numbers"][atoms],
                positions=table["positions"][atoms],
                bonds=table["bond"][bonds],
                connections=table["connection"][connections],
                docking=table["docking"][connections],
                node=bool(node),
            )
        )
    return Library(tuple(blocks), tuple(group["name"].asstr()[...]))
