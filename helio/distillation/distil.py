"""A student from a teacher: data, training and comparison in one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from helio.datasets.store import Store
from helio.distillation.comparison import Comparison, compare
from helio.distillation.recipe import level_of
from helio.errors import HelioError
from helio.files.atomic import write_text
from helio.force_field import load_model
from helio.train.run import MODEL
from helio.train.settings import TrainSettings

COMPARISON = "distillation.json"


def check_student(settings: TrainSettings) -> None:
    """Raise `HelioError` for settings that cannot learn what a teacher says.

    Energies of atoms are the teacher's own, and so are its energies: nothing is subtracted from either.
    """
    weights = settings.loss
    if settings.heads != "one":
        raise HelioError("a student has one set of heads: leave out heads, or set it to one")
    if weights.atomic_energies and settings.reference_energies != "none" and weights.energy:
        raise HelioError(
            "the student's energies must be those of its atoms, which a teacher gives as they are: set "
            "reference_energies to none"
        )


def compare_run(
    folder: str | Path,
    teacher: str,
    held_out: str | Path,
    *,
    level: str | None = None,
    report: Callable[[str], None] = lambda text: None,
) -> Comparison:
    """Compare the model in a run folder with its teacher on a store, and keep the numbers in `distillation.json`.

    Raises:
        HelioError: there is no model or store, or the store was labelled by something else.
    """
    folder = Path(folder)
    if not (folder / MODEL).is_file():
        raise HelioError(f"{folder} holds no model yet: train it first")
    store = Store(held_out)
    own = level_of(teacher, level)
    if set(store.levels) != {own}:
        raise HelioError(f"the labels of {held_out} are {', '.join(store.levels)}, not those of {own}")
    report(f"Comparing with {teacher} on {len(store):,} structures of {held_out}")
    found = compare(load_model(teacher, level=level), load_model(folder / MODEL), store)
    write_text(folder / COMPARISON, json.dumps(found.to_dict(), indent=2) + "\n")
    return found
