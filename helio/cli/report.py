"""`helio report`: a page about a run."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from helio.errors import HelioError

# Seconds between lines where the output is no terminal.
_PLAIN_PERIOD = 10.0

EPILOG = "Examples: helio report run; helio report run-300K run-330K --out comparison.html"


def report(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR...",
            help="Run folder, or trajectory (with --topology where it does not say who its atoms are); several are "
            "compared on one page.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="HTML file; default: report.html in the folder, or comparison.html here for several.",
            show_default=False,
        ),
    ] = None,
    topology: Annotated[
        Path | None, typer.Option(help="File with the atoms, for trajectories that do not say who they are.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the page if it exists.")] = False,
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Write a page that shows what happened in a run: a view that plays it, its course, checks, analyses that fit.

    The page is one file that works without a network. Of a training, it is the page of its curves and errors; of a
    coarse roll-out, that of its evaluation.
    """
    out = out or _default(folders)
    if out.exists() and not overwrite:
        raise HelioError(f"{out} exists; give another name with --out, or --overwrite")
    for folder in folders:
        if not folder.exists():
            raise HelioError(f"there is no {folder}")
    rolled = [folder for folder in folders if (folder / "rollout.h5").exists()]
    if rolled and len(folders) > 1:
        raise HelioError(
            f"{rolled[0]} is a coarse roll-out: its page is made alone; helio coarse evaluate takes several into one"
        )
    trainings = [folder for folder in folders if (folder / "validation.csv").exists()]
    if trainings and len(folders) > 1:
        raise HelioError(f"{trainings[0]} is a training: its page is made alone, with helio report {trainings[0]}")
    campaigns = [folder for folder in folders if (folder / "record.sqlite").exists()]
    if campaigns and len(folders) > 1:
        raise HelioError(f"{campaigns[0]} is a campaign: its page is made alone, with helio report {campaigns[0]}")
    if campaigns:
        from helio.report.frameworks import write_campaign_report

        write_campaign_report(campaigns[0], out)
    elif rolled:
        from helio.report.coarse_evaluation import write_coarse_report

        write_coarse_report(rolled[0], out)
    elif trainings:
        from helio.report.training import write_report

        write_report(folders[0], out)
    else:
        from helio.report.run.page import write_run_report

        with _live() as tell:
            write_run_report(folders, out, topology=topology, overwrite=overwrite, report=tell)
    typer.echo(f"Report: {out}")
    if show:
        import webbrowser

        webbrowser.open(out.resolve().as_uri())


def _default(folders: list[Path]) -> Path:
    if len(folders) > 1:
        return Path("comparison.html")
    only = folders[0]
    return only / "report.html" if only.is_dir() else only.with_suffix(".html")


@contextmanager
def _live() -> Iterator[Callable[[str, int, int], None]]:
    """What is going on, on a line that changes; elsewhere than on a terminal a line now and then."""
    if not sys.stdout.isatty():
        last = time.monotonic()

        def plain(what: str, done: int, total: int) -> None:
            nonlocal last
            if time.monotonic() - last >= _PLAIN_PERIOD:
                last = time.monotonic()
                print(f"{what} ({done} of {total})", flush=True)

        yield plain
        return
    from rich.console import Console

    with Console().status("Opening ...") as status:
        yield lambda what, done, total: status.update(f"{what} ({done} of {total})")
