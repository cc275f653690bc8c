"""What a store holds: sizes, elements and the ranges of its labels, read in blocks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from helio.datasets.labels import LABELS
from helio.datasets.store import Store
from helio.train.reference_energies import compositions, fitted_energies

# What is shown of each label, and its unit.
MEASURES = {
    "energy": ("energy less fitted atoms", "eV/atom"),
    "forces": ("size of forces", "eV/A"),
    "stress": ("stress", "eV/A^3"),
    "dipole": ("size of dipole", "e A"),
    "charges": ("charges", "e"),
    "hirshfeld_ratios": ("Hirshfeld ratios", ""),
    "atomic_energies": ("atomic energies", "eV"),
}
_AT_ONCE = 20_000  # structures
_SAMPLE = 5_000  # values kept of each block, for histograms


@dataclass
class Range:
    """How the values of a label are spread."""

    structures: int = 0
    values: int = 0
    lowest: float = np.inf
    highest: float = -np.inf
    total: float = 0.0
    squares: float = 0.0
    sample: list[np.ndarray] = field(default_factory=list)

    def include(self, values: np.ndarray, random: np.random.Generator) -> None:
        """Count these values, too."""
        if values.size == 0:
            return
        self.values += values.size
        self.lowest, self.highest = min(self.lowest, float(values.min())), max(self.highest, float(values.max()))
        self.total += float(values.sum())
        self.squares += float((values**2).sum())
        self.sample.append(random.choice(values, min(values.size, _SAMPLE), replace=False))

    @property
    def mean(self) -> float:
        """The mean."""
        return self.total / max(1, self.values)

    @property
    def deviation(self) -> float:
        """The standard deviation."""
        return max(0.0, self.squares / max(1, self.values) - self.mean**2) ** 0.5

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "structures": self.structures,
            "values": self.values,
            "lowest": self.lowest,
            "mean": self.mean,
            "deviation": self.deviation,
            "highest": self.highest,
        }


@dataclass
class Overview:
    """What a store holds."""

    structures: int
    atoms: np.ndarray  # of each structure
    periodic: int  # structures
    elements: dict[int, tuple[int, int]]  # atomic number -> structures and atoms that have it
    sources: dict[str, tuple[int, str | None]]  # name -> structures, licence
    levels: dict[str, int]  # of theory -> structures
    charges: dict[int, int]  # total charge -> structures
    unpaired: dict[int, int]  # unpaired electrons -> structures
    closest: float  # A, of all structures
    labels: dict[str, Range]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as for JSON."""
        from ase.data import chemical_symbols

        return {
            "structures": self.structures,
            "atoms": int(self.atoms.sum()),
            "smallest": int(self.atoms.min()),
            "largest": int(self.atoms.max()),
            "periodic": self.periodic,
            "elements": {chemical_symbols[z]: list(counts) for z, counts in self.elements.items()},
            "sources": {name: {"structures": n, "licence": own} for name, (n, own) in self.sources.items()},
            "levels": self.levels,
            "charges": self.charges,
            "unpaired_electrons": self.unpaired,
            "closest": self.closest,
            "labels": {name: found.to_dict() for name, found in self.labels.items()},
        }


def overview(store: Store) -> Overview:
    """Read through a store; raises `HelioError` where it has changed since it was written."""
    store.verify()
    everyone = np.arange(len(store))
    elements: dict[int, tuple[int, int]] = {}
    ranges = {name: Range(structures=int(store.known(name).sum())) for name in LABELS}
    free, random = fitted_energies(store, everyone), np.random.default_rng(0)
    for start in range(0, len(store), _AT_ONCE):
        part = everyone[start : start + _AT_ONCE]
        counts = compositions(store, part)
        for z in np.flatnonzero(counts.any(axis=0)):
            structures, atoms = elements.get(int(z), (0, 0))
            elements[int(z)] = structures + int((counts[:, z] > 0).sum()), atoms + int(counts[:, z].sum())
        for name, found in ranges.items():
            found.include(_values(store, name, part, counts, free), random)
    return Overview(
        structures=len(store),
        atoms=store.atoms,
        periodic=int(np.any(store.rows("periodic"), axis=1).sum()),
        elements=dict(sorted(elements.items())),
        sources=_sources(store),
        levels=_counted(store.rows("level"), store.levels),
        charges=_whole(store.rows("charge")),
        unpaired=_whole(store.rows("unpaired_electrons")),
        closest=float(np.min(store.rows("closest"))),
        labels=ranges,
    )


def _values(store: Store, name: str, part: np.ndarray, counts: np.ndarray, free: np.ndarray) -> np.ndarray:
    """What is shown of a label, for the structures of a block that have it."""
    column, known = store.column(name), store.known(name)[part]
    if column is None or not known.any():
        return np.empty(0)
    if name == "energy":
        rest = column[part] - np.sum(free[store.rows("level")[part]] * counts, axis=1)
        return (rest / counts.sum(axis=1))[known]
    if not LABELS[name].per_atom:
        values = np.asarray(column[part][known])
        return np.linalg.norm(values, axis=1) if name == "dipole" else values.ravel()
    first = store.rows("first_atom")
    values = np.asarray(column[int(first[part[0]]) : int(first[part[-1] + 1])])
    values = values[np.repeat(known, counts.sum(axis=1).astype(int))]
    return np.linalg.norm(values, axis=1) if name == "forces" else values


def _sources(store: Store) -> dict[str, tuple[int, str | None]]:
    numbers = np.bincount(store.rows("source"), minlength=len(store.sources))
    found: dict[str, tuple[int, str | None]] = {}
    for details, number in zip(store.source_details, numbers.tolist(), strict=True):
        before = found.get(details["name"], (0, None))[0]
        found[details["name"]] = before + number, details.get("licence")
    return found


def _counted(numbers: np.ndarray, names: tuple[str, ...]) -> dict[str, int]:
    return dict(zip(names, np.bincount(numbers, minlength=len(names)).tolist(), strict=True))


def _whole(values: np.ndarray) -> dict[int, int]:
    found, numbers = np.unique(np.round(values).astype(int), return_counts=True)
    return dict(zip(found.tolist(), numbers.tolist(), strict=True))
