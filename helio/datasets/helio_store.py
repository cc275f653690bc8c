"""Stores of Helio themselves, so that sets are joined and filtered anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from helio.datasets.choices import ReadingChoices
from helio.datasets.store import Store, is_store
from helio.datasets.structure import LabelledStructure
from helio.errors import HelioError


def recognizes(path: Path) -> bool:
    """Whether the file is a store."""
    return is_store(path)


def count(path: Path, choices: ReadingChoices) -> int:
    """How many structures the store holds."""
    return len(Store(path))


def read(path: Path, choices: ReadingChoices) -> Iterator[LabelledStructure]:
    """The structures with their own sources, licences and levels.

    Raises:
        HelioError: units or names of labels were chosen, which a store has of its own, or the store is damaged.
    """
    if choices.keys or choices.chosen_units:
        raise HelioError(f"{path} is a store: its units are eV, A and e, and its labels have their names")
    store = Store(path)
    store.verify()
    for number in range(len(store)):
        yield store.structure(number)
