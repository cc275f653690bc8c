"""Classes of systems that the known models get wrong, told before a run rests on them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from ase import Atoms

    from helio.files.structure_reading import Reading
    from helio.force_field import ForceField

# Mean absolute errors of radicals in kcal/mol, of docs/limits.md and, for so3lr, of radical stabilisation energies.
_RADICALS = {"so3lr": "8 to 16", "helio-s": "8 to 10"}


def warn_of_weak_classes(model: str, readings: Iterable[Reading]) -> None:
    """Print a line for structures of a class in which a known model fails: those with unpaired electrons."""
    if model in _RADICALS and any(reading.electrons.unpaired for reading in readings):
        typer.echo(
            f"Warning: {model} is poor for unpaired electrons, whose energies are off by {_RADICALS[model]} kcal/mol; "
            "see docs/limits.md"
        )


def warn_of_resemblance(force_field: ForceField, structures: Sequence[Atoms]) -> None:
    """Print a line for structures that resemble those of which the model's file says that it fails at them."""
    from helio.system import System
    from helio.uncertainty.failures import OPEN_SHELL, failures_of, in_words

    lines = dict[str, None]()
    for atoms in structures:
        kinds = [kind for kind in failures_of(force_field, System.from_ase(atoms)) if kind != OPEN_SHELL]
        if kinds:
            lines[f"Warning: {atoms.get_chemical_formula()} {in_words(kinds)}; see docs/limits.md"] = None
    for line in lines:
        typer.echo(line)


def warn_before_run(structures: Sequence[Atoms], model: str, level: str | None) -> None:
    """As `warn_of_resemblance`, for a run that loads its model itself; it is loaded here only if its file tells."""
    from helio.force_field import load_model, read_model_info
    from helio.force_field.registry import model_path

    known = read_model_info(model_path(model)).uncertainty
    if known is not None and known.weak_spots:
        warn_of_resemblance(load_model(model, level=level, kernels="plain"), structures)
