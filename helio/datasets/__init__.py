"""Readers of labelled sets, one file per layout.

In: a file. Out: `LabelledStructure`s one after another, in eV, A and e. Each reader knows by the keys of a file
whether it is of its layout, and the units that the layout prescribes; other units can be chosen. A reader raises
`HelioError` for a file that is damaged, and may have given structures before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from helio.datasets import ani, ase_files, helio_store, md17, qm7x, spice
from helio.datasets.choices import ImportChoices
from helio.datasets.structure import LabelledStructure
from helio.errors import HelioError

__all__ = ["LAYOUTS", "ImportChoices", "Layout", "layout_of"]


@dataclass(frozen=True)
class Layout:
    """One way to keep a set in a file."""

    summary: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path, ImportChoices], Iterator[LabelledStructure]]


# In the order in which a file is tried.
LAYOUTS = {
    "helio": Layout("a store of Helio", helio_store.recognises, helio_store.read),
    "md17": Layout("npz of one molecule: MD17, rMD17, MD22, sGDML", md17.recognises, md17.read),
    "spice": Layout("HDF5 of SPICE, labelled or not", spice.recognises, spice.read),
    "qm7x": Layout("HDF5 of QM7-X", qm7x.recognises, qm7x.read),
    "ani": Layout("HDF5 of ANI-1, ANI-1x, ANI-1ccx, COMP6", ani.recognises, ani.read),
    "ase": Layout("any other file that ASE reads: extxyz, xyz, db and others", ase_files.recognises, ase_files.read),
}


def layout_of(path: Path, name: str | None = None) -> Layout:
    """The layout called `name`, or the one that `path` has.

    Raises:
        HelioError: no such layout, or a file that is missing, empty or of none of the layouts.
    """
    if name is not None and name not in LAYOUTS:
        raise HelioError(f"unknown layout {name!r}; choose among {', '.join(LAYOUTS)}")
    if not path.is_file():
        raise HelioError(f"there is no file {path}")
    if path.stat().st_size == 0:
        raise HelioError(f"{path} is empty")
    if name is not None:
        return LAYOUTS[name]
    found = next((layout for layout in LAYOUTS.values() if layout.recognises(path)), None)
    if found is None:
        raise HelioError(
            f"{path} has none of the layouts that are known: "
            + "; ".join(f"{key}: {layout.summary}" for key, layout in LAYOUTS.items())
        )
    return found
