"""Writing of a store: rows are collected in plain files beside it, and copied into one HDF5 file at the end."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any

import h5py
import numpy as np

from helio import __version__
from helio.datasets.labels import LABELS
from helio.datasets.store import COLUMNS, FORMAT, NAMES, VERSION, blocks
from helio.files.atomic import atomic_path, disk_errors

_UNITS = {"charge": "e", "cell": "A", "positions": "A", "closest": "A"} | {
    name: kind.unit for name, kind in LABELS.items()
}


class StoreWriter:
    """Collects rows; what was added since a `mark` may be taken back."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, IO[bytes]] = {name: (folder / name).open("w+b") for name in COLUMNS}
        self._sizes: IO[bytes] = (folder / "atoms").open("w+b")
        self.count = 0
        self._known = np.zeros(len(NAMES), np.int64)

    def add(self, rows: dict[str, Any]) -> None:
        """Add one structure: a value for each name in `COLUMNS`; a label that is not known may be missing."""
        atoms = len(rows["atomic_numbers"])
        known = np.array([name in rows for name in NAMES], np.uint8)
        for name, (folder, dtype, shape) in COLUMNS.items():
            value = known if name == "known" else rows.get(name, -1 if name == "group" else None)
            if value is None:
                value = np.zeros((atoms, *shape) if folder == "atoms" else shape)
            self._files[name].write(np.asarray(value, dtype).tobytes())
        self._sizes.write(np.int64(atoms).tobytes())
        self.count += 1
        self._known += known

    def mark(self) -> dict[str, Any]:
        """The present state, for `take_back`."""
        places = {name: file.tell() for name, file in self._files.items()}
        return {"places": places, "sizes": self._sizes.tell(), "count": self.count, "known": self._known.copy()}

    def take_back(self, mark: dict[str, Any]) -> None:
        """Forget what was added since the mark."""
        for name, file in self._files.items():
            file.seek(mark["places"][name])
            file.truncate()
        self._sizes.seek(mark["sizes"])
        self._sizes.truncate()
        self.count, self._known = mark["count"], mark["known"]

    def write(self, path: Path, *, levels: list[str], sources: list[dict[str, Any]]) -> None:
        """Write all rows to the store `path`, whole or not at all."""
        sizes = self._column("atoms", self._sizes, np.int64, ())
        digest = blake2b(digest_size=16)
        with atomic_path(path) as temporary, h5py.File(temporary, "w", libver="v110") as file:
            file.attrs["format"], file.attrs["version"] = FORMAT, VERSION
            first = np.concatenate([[0], np.cumsum(sizes)])
            file.create_dataset("structures/first_atom", data=first)
            digest.update(first.tobytes())
            for name, (folder, dtype, shape) in COLUMNS.items():
                if name in NAMES and not self._known[NAMES.index(name)]:
                    continue
                rows = self._column(name, self._files[name], dtype, shape)
                if name == "group" and not (rows >= 0).any():
                    continue
                dataset = file.create_dataset(f"{folder}/{name}", rows.shape, dtype)
                dataset.attrs["unit"] = _UNITS.get(name, "")
                place = 0
                for block in blocks(rows):
                    dataset[place : place + len(block)] = block
                    digest.update(block.tobytes())
                    place += len(block)
            header = {"helio": __version__, "labels": NAMES, "levels": levels, "sources": sources}
            file.attrs["header"] = json.dumps(header | {"content": digest.hexdigest()})

    def close(self) -> None:
        """Close the collected rows."""
        for file in (*self._files.values(), self._sizes):
            file.close()

    def _column(self, name: str, file: IO[bytes], dtype: Any, shape: tuple[int, ...]) -> np.ndarray:
        file.flush()
        path = self._folder / name
        if path.stat().st_size == 0:
            return np.empty((0, *shape), dtype)
        return np.memmap(path, dtype, mode="r").reshape(-1, *shape)


@contextmanager
def store_writer(path: Path) -> Iterator[StoreWriter]:
    """A writer that keeps what it collects beside `path`, and removes it at the end."""
    with disk_errors(path):
        folder = Path(tempfile.mkdtemp(prefix=f".{path.stem[:50]}.", dir=path.resolve().parent))
        try:
            writer = StoreWriter(folder)
            try:
                yield writer
            finally:
                writer.close()
        finally:
            shutil.rmtree(folder, ignore_errors=True)
