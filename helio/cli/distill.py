"""`helio distill`: a smaller, faster model from a teacher."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from helio.cli.paths import check_inputs


def distill(
    student: Annotated[Path, typer.Option(help="Settings of the student's training (.yaml), as of helio train.")],
    teacher: Annotated[str, typer.Option(help="Name of a model or path of a model file.")] = "so3lr",
    level: Annotated[str | None, typer.Option(help="Level of theory, of a teacher that has several.")] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="Structures to make, where the store that the settings name is not there yet.")
    ] = None,
    held_out: Annotated[
        Path | None, typer.Option(help="Store to compare on; default: STORE-held-out.", show_default=False)
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder; default: that of the settings.")] = None,
) -> None:
    """Generate data if there are none, train the student, say what it lost and gained; again to go on or compare."""
    check_inputs([student, recipe])
    from helio.cli.compiled import keep_compiled_programs

    keep_compiled_programs()
    from helio.cli.generate import make_store
    from helio.cli.train import carry_out, resume_training_in
    from helio.distillation import held_out_store
    from helio.distillation.distil import check_student, compare_run
    from helio.distillation.generation import is_unfinished
    from helio.distillation.tables import error_table, speed_table
    from helio.errors import HelioError
    from helio.files.run_contents import is_run
    from helio.packages import need

    need("optax", extra="train")
    from rich.console import Console

    from helio.settings.checking import checked
    from helio.train.input_file import SETTINGS_FILE
    from helio.train.run import train_model
    from helio.train.settings import TrainSettings

    out_in_file, values = SETTINGS_FILE.read(student)
    out = out or out_in_file or Path("training")
    settings = checked(TrainSettings, values)
    check_student(settings)
    store = Path(settings.data)
    if not store.exists() or is_unfinished(store):
        if recipe is None:
            raise HelioError(f"there is no store {store}: make it by `helio data generate`, or give a --recipe")
        make_store(recipe, store, teacher=teacher, level=level)
    if (out / "checkpoint.npz").exists():
        resume_training_in(out, steps=None)
    else:
        # A training that was cut off before its first checkpoint is begun anew.
        carry_out(partial(train_model, settings, out, overwrite=is_run(out)), out)
    found = compare_run(out, teacher, held_out or held_out_store(store), level=level, report=typer.echo)
    console = Console()
    console.print(error_table(found))
    console.print(speed_table(found))
