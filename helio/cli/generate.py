"""`helio data generate`: structures that a teacher samples and labels."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from helio.cli.paths import check_inputs
from helio.errors import counted

if TYPE_CHECKING:
    from helio.distillation.generation import Progress

# Seconds between lines where the output is no terminal.
_PLAIN_PERIOD = 30.0


def generate(
    recipe: Annotated[Path, typer.Argument(help="What to make (.yaml).")],
    store: Annotated[Path, typer.Argument(help="Store to write; what is held out goes to STORE-held-out.")],
    teacher: Annotated[
        str | None, typer.Option(help="Model that samples and labels; default: that of the recipe.", show_default=False)
    ] = None,
    level: Annotated[str | None, typer.Option(help="Level of theory, of a teacher that has several.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the store if it exists.")] = False,
) -> None:
    """Make structures of a recipe, sample and label them with a teacher; the same command goes on where it stopped."""
    check_inputs([recipe], "recipe")
    make_store(recipe, store, teacher=teacher, level=level, overwrite=overwrite)


def make_store(
    recipe: Path, store: Path, *, teacher: str | None, level: str | None = None, overwrite: bool = False
) -> None:
    """Generate with a live line, and say what came of it."""
    from helio.cli.compiled import keep_compiled_programs

    keep_compiled_programs()
    from helio.distillation import generate as make
    from helio.distillation import read_recipe

    wanted = read_recipe(recipe)
    if teacher is not None:
        wanted = wanted.model_copy(update={"teacher": teacher, "teacher_level": None})
    if level is not None:
        wanted = wanted.model_copy(update={"teacher_level": level})
    with _live() as report:
        done = make(wanted, store, overwrite=overwrite, report=report)
    typer.echo(
        f"{store}: {counted(done.kept, 'structure')}" + (f", held out {done.held_out:,}" if done.held_out else "")
    )
    for reason, count in done.left_out.most_common():
        typer.echo(f"  left out {count:,}: {reason}")


@contextmanager
def _live() -> Iterator[Callable[[Progress], None]]:
    if not sys.stdout.isatty():
        yield _plain()
        return
    from rich.live import Live
    from rich.text import Text

    with Live(Text("Preparing and compiling ..."), refresh_per_second=4) as live:
        yield lambda progress: live.update(Text(_line(progress)))


def _plain() -> Callable[[Progress], None]:
    last = -_PLAIN_PERIOD

    def show(progress: Progress) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _PLAIN_PERIOD or progress.starts == progress.all_starts:
            last = now
            print(_line(progress), flush=True)

    return show


def _line(progress: Progress) -> str:
    from helio.cli.progress import clock

    left = "" if progress.seconds_left != progress.seconds_left else f"  {clock(progress.seconds_left)} left"
    share = 100 * progress.starts / max(1, progress.all_starts)
    return (
        f"{share:5.1f} %  {progress.part}  {progress.starts:,}/{progress.all_starts:,} starts  "
        f"{counted(progress.kept + progress.held_out, 'structure')}  {progress.rate:.1f} per s{left}"
    )
