"""The store: one HDF5 file with all structures of a training set and their labels, in eV, A and e.

Structures stand one after another. `structures/` holds a row per structure, `atoms/` a row per atom; those of structure
s are the rows `first_atom[s]` to `first_atom[s + 1]`. Data sets are contiguous and not compressed, so they are mapped
into memory: any structure is read without reading others, sets may be larger than memory, and processes share what the
system caches. HDF5 keeps checksums of data sets in pieces alone, so the store has one of its own over all of them.

| structures/ | |
|---|---|
| first_atom (M + 1,) | |
| charge, unpaired_electrons (M,) | |
| periodic (M, 3), cell (M, 3, 3) | A, row vectors |
| level, source, number (M,) | theory and source as numbers of the names in the attributes; place in its source |
| group (M,) | which structures stay together when the set is divided; -1 for none; may be missing |
| known (M, L) | which of the labels, in the order of the attribute `labels` |
| energy, dipole, stress | labels; zero where not known; missing where known for no structure |
| pairs, columns (M, C), closest (M,) | of `helio.datasets.pair_counts` |

| atoms/ | |
|---|---|
| atomic_numbers (A,), positions (A, 3) | |
| forces, charges, hirshfeld_ratios, atomic_energies | labels, as above |
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np
from ase.data import atomic_masses

from helio.datasets.labels import LABELS
from helio.datasets.pair_counts import CUTOFFS, most_within
from helio.datasets.structure import LabelledStructure
from helio.datasets.units import Units
from helio.errors import HelioError
from helio.files.hdf5 import checked_dataset, is_hdf5, open_hdf5, open_store, reading
from helio.files.json_text import parse_object
from helio.system import System

FORMAT = "helio training data"
VERSION = 1
# Bytes that are read or written at once.
_BLOCK = 2**25
NAMES = tuple(LABELS)

# Every data set: folder, type, shape of a row.
COLUMNS: dict[str, tuple[str, type, tuple[int, ...]]] = {
    "charge": ("structures", np.float64, ()),
    "unpaired_electrons": ("structures", np.float64, ()),
    "periodic": ("structures", np.uint8, (3,)),
    "cell": ("structures", np.float64, (3, 3)),
    "level": ("structures", np.int32, ()),
    "source": ("structures", np.int32, ()),
    "number": ("structures", np.int64, ()),
    "known": ("structures", np.uint8, (len(NAMES),)),
    "pairs": ("structures", np.int32, (len(CUTOFFS),)),
    "columns": ("structures", np.int32, (len(CUTOFFS),)),
    "closest": ("structures", np.float64, ()),
    "atomic_numbers": ("atoms", np.uint8, ()),
    "positions": ("atoms", np.float64, (3,)),
} | {name: ("atoms" if kind.per_atom else "structures", np.float64, kind.shape) for name, kind in LABELS.items()}
COLUMNS["group"] = ("structures", np.int64, ())  # the last: stores from before groups have the same checksum


# Missing where no structure has them, and in older stores.
_OPTIONAL = {*LABELS, "group"}


class Store:
    """A store, open for reading. It may be sent to other processes, which open the file anew."""

    WHAT: ClassVar = "store of training data"
    MAKER: ClassVar = "`helio data import`"

    def __init__(self, path: str | Path) -> None:
        """Open the store.

        Raises:
            HelioError: a file that is missing, cut short, damaged or no store.
        """
        self.path = Path(path)
        self._columns: dict[str, np.ndarray] = {}
        self._counted: dict[float, tuple[np.ndarray, np.ndarray]] = {}  # pair counts by cutoff
        header = self._map()
        with reading(self.path, what=self.WHAT, maker=self.MAKER):
            self.levels: tuple[str, ...] = tuple(header["levels"])
            self.source_details: tuple[dict[str, Any], ...] = tuple(header["sources"])
            self.content: str = header["content"]  # a digest of all data sets
            if (problem := self._problem()) is not None:
                self.verify()  # its message says more where bytes have changed since the store was written
                raise ValueError(problem)

    def __len__(self) -> int:
        return len(self._columns["first_atom"]) - 1

    def __reduce__(self) -> tuple[type[Store], tuple[Path]]:
        return Store, (self.path,)

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the sources, by number."""
        return tuple(details["name"] for details in self.source_details)

    @cached_property
    def atoms(self) -> np.ndarray:
        """Number of atoms of each structure, (M,)."""
        return np.diff(self._columns["first_atom"])

    def column(self, name: str) -> np.ndarray | None:
        """A data set, mapped into memory; None for a label that no structure has."""
        return self._columns.get(name)

    def rows(self, name: str) -> np.ndarray:
        """A data set that every store has, mapped into memory."""
        return self._columns[name]

    def known(self, label: str) -> np.ndarray:
        """Whether each structure has the label, (M,)."""
        return self._columns["known"][:, NAMES.index(label)] > 0

    def pair_counts(self, cutoff: float) -> tuple[np.ndarray, np.ndarray]:
        """Pairs within `cutoff` (A) and the most neighbours of an atom, for each structure, (M,) both.

        For the cutoffs of `CUTOFFS` the store has both; others are counted once, which takes about 0.1 ms a structure.
        """
        if cutoff in CUTOFFS:
            place = CUTOFFS.index(cutoff)
            return self._columns["pairs"][:, place], self._columns["columns"][:, place]
        if cutoff not in self._counted:
            systems = (self.system(number) for number in range(len(self)))
            counted = np.array([most_within(s.positions, s.cell, s.pbc, cutoffs=(cutoff,))[:2] for s in systems])
            self._counted[cutoff] = counted[:, 0, 0], counted[:, 1, 0]
        return self._counted[cutoff]

    def system(self, number: int) -> System:
        """One structure, as host arrays."""
        part = self._atoms_of(number)
        numbers = np.array(self._columns["atomic_numbers"][part], np.int32)
        a, b, c = (bool(value) for value in self._columns["periodic"][number])
        return System(
            positions=np.array(self._columns["positions"][part]),
            atomic_numbers=numbers,
            masses=atomic_masses[numbers],
            cell=np.array(self._columns["cell"][number]),
            total_charge=np.float64(self._columns["charge"][number]),
            unpaired_electrons=np.float64(self._columns["unpaired_electrons"][number]),
            pbc=(a, b, c),
        )

    def labels(self, number: int) -> dict[str, np.ndarray]:
        """The labels that a structure has, in eV, A and e."""
        known = self._columns["known"][number]
        found = {}
        for place, name in enumerate(NAMES):
            if known[place]:
                column = self._columns[name]
                found[name] = np.array(column[self._atoms_of(number) if LABELS[name].per_atom else number])
        return found

    def structure(self, number: int) -> LabelledStructure:
        """One structure with all that the store knows about it."""
        system, source = self.system(number), self.source_details[int(self._columns["source"][number])]
        labels, groups = self.labels(number), self.column("group")
        return LabelledStructure(
            system.atomic_numbers,
            system.positions,
            labels,
            cell=system.cell * np.asarray(system.pbc)[:, None],
            pbc=system.pbc,
            charge=float(system.total_charge),
            unpaired_electrons=float(system.unpaired_electrons),
            level=self.levels[int(self._columns["level"][number])],
            number=int(self._columns["number"][number]),
            source=source["name"],
            licence=source.get("licence"),
            units=Units(origin="those of a store"),
            found_as={name: name for name in labels},
            attributes={} if groups is None or groups[number] < 0 else {"group": int(groups[number])},
        )

    def verify(self) -> None:
        """Read everything, about a second for each GB, and compare it with the checksum from when it was written.

        Raises:
            HelioError: something in the file has changed.
        """
        found = blake2b(digest_size=16)
        for name in ("first_atom", *COLUMNS):
            for block in blocks(self._columns.get(name, np.empty(0))):
                found.update(block.tobytes())
        if found.hexdigest() != self.content:
            raise HelioError(
                f"the store {self.path} is damaged: its data no longer have the checksum that they were written with; "
                "import the data again"
            )

    def check(self, indices: np.ndarray) -> None:
        """Raise `HelioError` where `indices` name structures that the store does not have, or none."""
        if len(indices) == 0:
            raise HelioError(f"no structures are chosen from {self.path}")
        if indices.min() < 0 or indices.max() >= len(self):
            raise HelioError(f"{self.path} holds structures 0 to {len(self) - 1}, not {indices.max()}")

    def close(self) -> None:
        """Let go of the file."""
        self._columns = {}

    def _atoms_of(self, number: int) -> slice:
        first = self._columns["first_atom"]
        return slice(int(first[number]), int(first[number + 1]))

    def _map(self) -> dict[str, Any]:
        file = open_store(self.path, format=FORMAT, version=VERSION, what=self.WHAT, maker=self.MAKER)
        with file, reading(self.path, what=self.WHAT, maker=self.MAKER):
            for name in (*COLUMNS, "first_atom"):
                folder = COLUMNS.get(name, ("structures",))[0]
                dataset = file.get(f"{folder}/{name}")
                if dataset is not None:
                    self._columns[name] = self._mapped(checked_dataset(dataset))
            return parse_object(str(file.attrs["header"]), f"the header of {self.path}")

    def _mapped(self, dataset: h5py.Dataset) -> np.ndarray:
        offset = dataset.id.get_offset()
        if offset is None:  # no rows
            if dataset.size:
                raise ValueError(f"{dataset.name} is not stored in one piece")
            return np.empty(dataset.shape, dataset.dtype)
        return np.asarray(np.memmap(self.path, dataset.dtype, mode="r", offset=offset, shape=dataset.shape))

    def _problem(self) -> str | None:
        """Where data sets and header are not of the types and numbers of rows that fit each other."""
        if not (isinstance(self.content, str) and all(isinstance(level, str) for level in self.levels)):
            return "its header does not name levels of theory and content"
        if not all(isinstance(name, str) for name in self.sources):
            return "its header does not name its sources"
        first = self._columns["first_atom"]
        if first.ndim != 1 or first.dtype.kind not in "iu" or first[0] != 0 or (np.diff(first) < 0).any():
            return "first_atom does not count the atoms"
        rows = {"structures": len(first) - 1, "atoms": int(first[-1])}
        for name, (folder, kind, shape) in COLUMNS.items():
            column = self._columns.get(name)
            if column is None and name not in _OPTIONAL:
                return f"{name} is missing"
            if column is not None and (column.dtype != kind or column.shape != (rows[folder], *shape)):
                return f"{name} is {column.dtype.name} of shape {column.shape}"
        for name, names in (("level", self.levels), ("source", self.sources)):
            numbers = self._columns[name]
            if len(numbers) and not (0 <= numbers.min() and numbers.max() < len(names)):
                return f"{name} names one that the header does not have"
        return None


def blocks(rows: np.ndarray) -> Iterator[np.ndarray]:
    """The rows of a data set, some at a time."""
    step = max(1, _BLOCK // max(1, rows[:1].nbytes))
    for start in range(0, len(rows), step):
        yield rows[start : start + step]


def is_store(path: Path) -> bool:
    """Whether the file is a store, whole or not."""
    if not is_hdf5(path):
        return False
    try:
        with open_hdf5(path) as file:
            return str(file.attrs.get("format")) == FORMAT
    except HelioError:
        return False
