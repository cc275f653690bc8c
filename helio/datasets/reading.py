"""One way to read labelled structures, whatever the layout of the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from helio.datasets import ani, ase_files, helio_store, md17, qm7x, spice
from helio.datasets.choices import ReadingChoices
from helio.datasets.structure import LabelledStructure
from helio.errors import HelioError
from helio.files.atomic import disk_errors


@dataclass(frozen=True)
class Layout:
    """One way to keep a set in a file."""

    summary: str
    recognizes: Callable[[Path], bool]
    read: Callable[[Path, ReadingChoices], Iterator[LabelledStructure]]
    count: Callable[[Path, ReadingChoices], int | None]


# In the order in which a file is tried.
LAYOUTS = {
    name: Layout(summary, reader.recognizes, reader.read, reader.count)
    for name, summary, reader in (
        ("helio", "a store of Helio", helio_store),
        ("md17", "npz of one molecule: MD17, rMD17, MD22, sGDML", md17),
        ("spice", "HDF5 of SPICE, labelled or not", spice),
        ("qm7x", "HDF5 of QM7-X", qm7x),
        ("ani", "HDF5 of ANI-1, ANI-1x, ANI-1ccx, COMP6", ani),
        ("ase", "any other file that ASE reads: extxyz, xyz, db and others", ase_files),
    )
}


def read_labelled(
    path: str | Path,
    choices: ReadingChoices | None = None,
    *,
    layout: str | None = None,
    stride: int = 1,
    limit: int | None = None,
) -> Iterator[LabelledStructure]:
    """The structures of a file one after another, with the labels that they have, in eV, A and e.

    Args:
        path: a file of any of `LAYOUTS`; never held in memory as a whole.
        choices: units, names of labels and what else the file may not tell.
        layout: the name of its layout; by default it is found out.
        stride: every n-th structure is given.
        limit: so many at most.

    Raises:
        HelioError: a file that is missing, empty, damaged or of no known layout, or that holds no structures.
    """
    if stride < 1 or (limit is not None and limit < 1):
        raise HelioError(f"stride and limit must be at least 1, not {stride} and {limit}")
    path = Path(path)
    reader = layout_of(path, layout)
    return _given(path, reader, choices or ReadingChoices(), stride, limit)


def count_labelled(
    path: str | Path,
    choices: ReadingChoices | None = None,
    *,
    layout: str | None = None,
    stride: int = 1,
    limit: int | None = None,
) -> int | None:
    """How many structures `read_labelled` will give; None where only reading tells."""
    path = Path(path)
    with disk_errors(path, "read"):
        total = layout_of(path, layout).count(path, choices or ReadingChoices())
    if total is None:
        return None
    number = -(-total // stride)
    return number if limit is None else min(number, limit)


def layout_of(path: Path, name: str | None = None) -> Layout:
    """The layout called `name`, or the one that `path` has.

    Raises:
        HelioError: no such layout, or a file that is missing, empty or of none of the layouts.
    """
    if name is not None and name not in LAYOUTS:
        raise HelioError(f"unknown layout {name!r}; choose among {', '.join(LAYOUTS)}")
    with disk_errors(path, "read"):
        if not path.is_file():
            raise HelioError(f"there is no file {path}")
        if path.stat().st_size == 0:
            raise HelioError(f"{path} is empty")
        if name is not None:
            return LAYOUTS[name]
        layout = next((layout for layout in LAYOUTS.values() if layout.recognizes(path)), None)
    if layout is None:
        raise HelioError(
            f"{path} has none of the layouts that are known: "
            + "; ".join(f"{key}: {layout.summary}" for key, layout in LAYOUTS.items())
        )
    return layout


def _given(
    path: Path, layout: Layout, choices: ReadingChoices, stride: int, limit: int | None
) -> Iterator[LabelledStructure]:
    """The chosen structures; trouble with the file is a `HelioError` about it."""
    number, given = -1, 0
    with disk_errors(path, "read"):
        for number, structure in enumerate(layout.read(path, choices)):
            if number % stride:
                continue
            yield _with_forces(structure) if choices.gradients else structure
            given += 1
            if given == limit:
                return
    if number < 0:
        raise HelioError(f"{path} holds no structures")


def _with_forces(structure: LabelledStructure) -> LabelledStructure:
    """The structure whose label of forces was the gradient of the energy."""
    if "forces" not in structure.labels:
        return structure
    return replace(structure, labels=dict(structure.labels) | {"forces": -structure.labels["forces"]})
