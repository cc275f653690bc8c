"""Labelled structures: one reader for training, evaluation and benchmarks, one file per layout.

In: a file. Out: `LabelledStructure`s one after another, in eV, A and e. Each layout's file knows by the keys of a file
whether it is of its layout, how many structures it holds, and the units that the layout prescribes; other units can be
chosen. The names of labels stand in `labels`, those of charge and spin in `helio.electrons`. A reader raises
`HelioError` for a file that is damaged, and may have given structures before; a structure that makes no sense in itself
has a `problem`. `Store` is Helio's own layout: one file, checked, mapped into memory. Imports `files` and below.
"""

from helio.datasets.choices import ReadingChoices
from helio.datasets.labels import LABELS
from helio.datasets.reading import LAYOUTS, Layout, count_labelled, layout_of, read_labelled
from helio.datasets.store import Store
from helio.datasets.structure import LabelledStructure
from helio.datasets.units import Units

__all__ = [
    "LABELS",
    "LAYOUTS",
    "LabelledStructure",
    "Layout",
    "ReadingChoices",
    "Store",
    "Units",
    "count_labelled",
    "layout_of",
    "read_labelled",
]
