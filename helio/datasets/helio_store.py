"""Stores of Helio themselves, so that sets are joined and filtered anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from helio.datasets.choices import ImportChoices
from helio.datasets.store import Store, is_store
from helio.datasets.structure import LabelledStructure
from helio.errors import HelioError


def recognises(path: Path) -> bool:
    """Whether the file is a store."""
    return is_store(path)


def read(path: Path, choices: ImportChoices) -> Iterator[LabelledStructure]:
    """The structures with their own sources, licences and levels.

    Raises:
        HelioError: units or names of labels were chosen, which a store has of its own, or the store is damaged.
    """
    if choices.keys or any(unit is not None for unit in choices.units.values()):
        raise HelioError(f"{path} is a store: its units are eV, A and e, and its labels have their names")
    store = Store(path)
    store.verify()
    for number in range(len(store)):
        yield replace(store.structure(number), number=int(store.rows("number")[number]))
