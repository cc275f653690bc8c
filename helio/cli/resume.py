"""`helio resume`: go on with a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def resume(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Run folder of `helio md`.")],
    steps: Annotated[
        int | None, typer.Option(help="Total number of steps of the whole run, to make it longer than first asked for.")
    ] = None,
) -> None:
    """Continue a run from its checkpoint, bit for bit as if it had never stopped."""
    from helio.cli.compiled import keep_compiled_programs

    keep_compiled_programs()
    from helio.cli.progress import live_report, say_how_it_ended
    from helio.simulate.run import resume_md

    with live_report() as report:
        outcome = resume_md(folder, report=report, steps=steps)
    say_how_it_ended(outcome, folder)
