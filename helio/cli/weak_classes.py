"""What the known models are known to get wrong, told before a run rests on it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from helio.files.structure_reading import Reading

# Mean absolute errors of radicals in kcal/mol, of docs/limits.md and, for so3lr, of radical stabilisation energies.
_RADICALS = {"so3lr": "8 to 16", "helio-s": "8 to 10"}


def warn_of_weak_classes(model: str, readings: Iterable[Reading]) -> None:
    """Print a line for structures of a class in which a known model fails: those with unpaired electrons."""
    if model in _RADICALS and any(reading.electrons.unpaired for reading in readings):
        typer.echo(
            f"Warning: {model} is poor for unpaired electrons, whose energies are off by {_RADICALS[model]} kcal/mol; "
            "see docs/limits.md"
        )
