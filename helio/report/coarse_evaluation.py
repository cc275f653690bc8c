"""What an evaluation of roll-outs found: tables for the terminal, and the page."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from helio.coarse.evaluation.record import FILE, SOURCES, read_record
from helio.errors import HelioError
from helio.files.atomic import write_text
from helio.report import coarse_figures
from helio.report.page.document import Section, document, table

_Rows = list[list[str]]
_SCORES = {"MAE": "mae", "bias": "bias", "R²": "r_squared", "rank": "rank"}
_PROPERTIES = ["property", "from", *_SCORES, "systems"]
_DISTANCES = ["distance from long simulation", "of the model", "of short simulation", "systems"]


def tables(record: dict[str, Any]) -> list[Table]:
    """Scores of all properties, distances between curves, and what it cost."""
    found = []
    for wanted in record["properties"]:
        found.append(_rich(_title(wanted), ["", *_SCORES], _score_rows(wanted, spread=False)))
    if distances := distance_rows(record):
        found.append(_rich("Distances of distributions and structure", _DISTANCES, distances))
    return [*found, _rich("Cost", ["", ""], speed_rows(record))]


def notes(record: dict[str, Any]) -> list[str]:
    """How the tables are to be read."""
    unit = record["time_unit"]
    radii = "all beads" if record["gyration"] == "beads" else "the centres of the groups"
    short = any("short" in wanted["scores"] for wanted in record["properties"])
    logs = [wanted["title"] for wanted in record["properties"] if wanted["log"]]
    lines = [
        f"Rg² is that of {radii}. Errors are from resampling the systems.",
        f"Short simulations are pieces of {record['short_time']:.4g} {unit} of the long ones "
        f"({_SHORT[record['settings']['short']]})"
        + ("." if short else "; that is more than half of these, so there is nothing to compare with."),
    ]
    if logs:
        lines.append(f"On a logarithmic scale, differences being in decades: {', '.join(logs)}.")
    if record["known_systems"]:
        lines.append(
            f"The mean and the regressions (on composition; on the model's embedding, where it is there) know "
            f"{record['known_systems']} systems, simulated for training."
        )
    else:
        lines.append("The store has no systems to train on, so there is neither their mean nor regressions.")
    exact = [wanted["title"] for wanted in record["properties"] if wanted["against"] == "closed form"]
    if exact:
        lines.append(f"Compared with the closed form, not with simulation: {', '.join(exact)}.")
    broken = [name for name, system in record["systems"].items() if system["stable"] < 1]
    lines.append(
        f"Not finite to the end: {', '.join(broken)}; only what came before counts."
        if broken
        else "All roll-outs are finite to the end."
    )
    return lines


_SHORT = {
    "given": "as asked for",
    "equal cost": "what the roll-out's cost buys, or 41 frames if that is more",
    "training length": "as long as those that were trained on",
}


def all_score_rows(record: dict[str, Any]) -> _Rows:
    """A row for each property and source."""
    rows = []
    for wanted in record["properties"]:
        systems = [f"{found['systems']}" for found in wanted["scores"].values()]
        for number, (row, count) in enumerate(zip(_score_rows(wanted, spread=True), systems, strict=True)):
            rows.append(["" if number else _title(wanted), *row, count])
    return rows


def _score_rows(wanted: dict[str, Any], *, spread: bool) -> _Rows:
    """A row for each source; with the `spread` between several roll-outs, or not."""
    found = {source: wanted["scores"][source] for source in SOURCES if source in wanted["scores"]}
    return [
        [SOURCES[source], *(_score(scores[key], spread=spread) for key in _SCORES.values())]
        for source, scores in found.items()
    ]


def _title(wanted: dict[str, Any]) -> str:
    unit = "decades" if wanted["log"] else wanted["unit"]
    return f"{wanted['title']}{f' ({unit})' if unit else ''}"


def distance_rows(record: dict[str, Any]) -> _Rows:
    """A row for each metric: means over systems."""
    rows = []
    for metric, sources in record["distances"].items():
        model, short = (
            [value for value in sources.get(source, {}).values() if value is not None] for source in ("model", "short")
        )
        unit = f" ({record['length_unit']}²)" if metric.startswith("earth") else ""
        means = [f"{sum(values) / len(values):.3g}" if values else "-" for values in (model, short)]
        rows.append([f"{metric}{unit}", *means, f"{len(model)}"])
    return rows


def speed_rows(record: dict[str, Any]) -> _Rows:
    """Names and values of the account of speed."""
    speed, unit = record["speed"], record["time_unit"]
    given = "" if speed["given_core_seconds"] is None else ", with compiling, as measured otherwise"
    rows = [
        ["rolled out, all systems", f"{speed['rolled']:,.0f} {unit} in {speed['systems']} systems"],
        ["stepping", f"{speed['seconds']:.3g} s on {speed['cores']} cores, {speed['device']}"],
        ["that is", f"{speed['core_seconds']:.3g} core-seconds{given}"],
        ["compiling, once", f"{speed['compile_seconds']:.3g} s"],
        ["histories, from simulation", f"{speed['history']:,.0f} {unit}"],
        ["speed of the model", f"{speed['rate']:,.0f} {unit} per core-second"],
    ]
    if speed["simulation"] is None:
        return [*rows, ["speed of simulation", "not given (--simulation-speed)"]]
    where = f", {speed['simulation_on']}" if speed["simulation_on"] else ""
    rows += [
        ["speed of simulation", f"{speed['simulation']:,.4g} {unit} per core-second{where}"],
        ["stepping is faster by", f"{speed['gain']:,.3g} times, core for core"],
        ["with compiling and histories", f"{speed['gain_with_start']:,.3g} times"],
    ]
    if speed["pays_after"] is not None:
        rows += [
            ["training and its data", f"{speed['investment'] / 3600:.3g} core-hours"],
            ["which pays after", f"{speed['pays_after']:,.0f} {unit} of roll-outs"],
        ]
    return rows


def write_coarse_report(folder: str | Path, out: str | Path) -> None:
    """The page of an evaluated roll-out.

    Args:
        folder: of the run, which holds `evaluation.json`, or that file.
        out: the HTML file.

    Raises `HelioError` where there is no evaluation.
    """
    path = Path(folder)
    where = path / FILE if path.is_dir() else path
    if not where.exists():
        raise HelioError(f"{path} is not evaluated yet: helio coarse evaluate {path} STORE does that")
    record = read_record(where)
    lead = html.escape(
        f"{len(record['systems'])} systems, {len(record['settings']['runs'])} roll-outs each of "
        f"{next(iter(record['systems'].values()))['rolled_time']:,.0f} {record['time_unit']}."
    )
    brackets = "In brackets: the standard deviation between several roll-outs, or several short simulations."
    words = "".join(f"<p>{html.escape(line)}</p>" for line in [*notes(record), brackets])
    body = table(_PROPERTIES, all_score_rows(record), numbers=range(2, 7))
    sections = [Section("properties", "Properties", body + words + coarse_figures.parity(record))]
    if distances := distance_rows(record):
        structure = table(_DISTANCES, distances, numbers=range(1, 4))
        sections.append(Section("structure", "Structure", structure + coarse_figures.structure(record)))
    sections.append(Section("dynamics", "Dynamics", coarse_figures.dynamics(record)))
    sections.append(Section("cost", "Cost", table(["", ""], speed_rows(record))))
    rows = [[name, str(value)] for name, value in record["settings"].items()]
    sections.append(Section("settings", "Settings", table(["setting", "value"], rows)))
    title = path.resolve().name if path.is_dir() else path.stem
    write_text(out, document(title, kind="Coarse roll-out", lead=lead, sections=sections, foot=""))


def _score(found: dict[str, float | None], *, spread: bool) -> str:
    value, error, between = (found[key] for key in ("value", "error", "spread"))
    if value is None:
        return "-"
    text = f"{value:.3g}" + ("" if error is None else f"±{error:.2g}")
    return f"{text} ({between:.2g})" if spread and between is not None else text


def _rich(title: str, headings: list[str], rows: _Rows) -> Table:
    shown = Table(box=SIMPLE_HEAD, title=title, title_justify="left", show_header=any(headings))
    for column, heading in enumerate(headings):
        shown.add_column(heading, justify="right" if heading and column else "left", no_wrap=column > 0)
    for row in rows:
        shown.add_row(*row)
    return shown
