"""The page of one run, and the page that compares several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from helio.analyse import CATALOGUE
from helio.errors import HelioError
from helio.files.atomic import write_text
from helio.report.page.document import document
from helio.report.run.analyses import Report, results, section
from helio.report.run.comparison import about_all
from helio.report.run.facts import foot, lead
from helio.report.run.reading import alike, read_runs
from helio.report.run.single import about, settings_section
from helio.report.run.words import listed

# Of trajectories in a page; figures and tables come on top.
_TRAJECTORY_BYTES = 6_000_000


def write_run_report(
    folders: Sequence[str | Path],
    out: str | Path,
    *,
    topology: str | Path | None = None,
    overwrite: bool = False,
    report: Report = lambda *_: None,
) -> Path:
    """Write the page of a run, or one that compares several runs or the replicas of one, whole or not at all.

    Args:
        folders: of runs, or trajectories that say who their atoms are.
        out: the HTML file.
        topology: file with the atoms, where trajectories do not say who they are.
        overwrite: replace `out` if it exists.
        report: is told what is done, how many analyses are, and of how many.

    Raises:
        HelioError: `out` exists or cannot be written; a trajectory cannot be read. Analyses that fail do not: the page
            says why.
    """
    out = Path(out)
    if out.exists() and not overwrite:
        raise HelioError(f"{out} exists; give another name with --out, or --overwrite")
    report("Reading trajectories", 0, 1)
    runs = read_runs(folders, topology, most_bytes=_TRAJECTORY_BYTES)
    found = results({run.label: run.frames for run in runs}, report=report)
    analysed = [section(CATALOGUE[name], by_run, alike=alike(runs)) for name, by_run in found.items()]
    first, own = runs[0], len(runs) == 1
    page = document(
        first.label if own else _title([run.label for run in runs]),
        kind="Simulation" if own else "Comparison of simulations",
        lead=lead(first.frames) if own or alike(runs) else f"{len(runs)} runs",
        sections=[*about(first), *analysed, *settings_section(first)] if own else [*about_all(runs), *analysed],
        foot=foot(),
    )
    write_text(out, page)
    return out


def _title(labels: list[str]) -> str:
    return listed(labels) if len(labels) <= 4 else f"{len(labels)} runs"
