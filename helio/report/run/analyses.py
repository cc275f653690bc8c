"""Every analysis that fits a run, as sections of a page."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from helio.analyse import Analysis, Frames, Observable, combine, fitting
from helio.errors import HelioError
from helio.report.observable import figure_of, tables_of
from helio.report.page.document import Section, table
from helio.report.page.figures import INK, csv_link, figure, page_style, saving
from helio.report.run.words import with_error

Result = Observable | str  # or the sentence that says why there is none
# Analyses of what has a section of its own, and the column of the log that this shows.
_SHOWN_ALREADY = {"energies": "potential_eV", "density": "density_g_per_cm3"}
ALL = "all runs"
Report = Callable[[str, int, int], None]  # what is done, how many are, of how many


def results(runs: Mapping[str, Frames], *, report: Report) -> dict[str, dict[str, Result]]:
    """The results of each analysis that fits at least one of the runs: by analysis, then by run.

    Analyses that take several runs together see them so where all are of the same atoms; that result is named `ALL`.
    """
    chosen: dict[str, tuple[Analysis, list[str]]] = {}
    for label, frames in runs.items():
        for analysis in fitting(frames):
            if _SHOWN_ALREADY.get(analysis.name) in frames.log:
                continue
            chosen.setdefault(analysis.name, (analysis, []))[1].append(label)
    found: dict[str, dict[str, Result]] = {}
    for done, (name, (analysis, labels)) in enumerate(chosen.items()):
        report(analysis.title, done, len(chosen))
        opened = [runs[label] for label in labels]
        if analysis.together and len(opened) > 1 and _same_atoms(opened):
            found[name] = {ALL: _result(analysis, opened)}
        else:
            found[name] = {label: _result(analysis, one) for label, one in zip(labels, opened, strict=True)}
    report("analyses", len(chosen), len(chosen))
    return found


def _same_atoms(opened: list[Frames]) -> bool:
    return all(np.array_equal(one.atomic_numbers, opened[0].atomic_numbers) for one in opened[1:])


def _result(analysis: Analysis, frames: Frames | list[Frames]) -> Result:
    try:
        return analysis.function(frames)
    except HelioError as error:
        return " ".join(str(error).split())


def section(analysis: Analysis, found: Mapping[str, Result], *, alike: bool) -> Section:
    """What one analysis found in one or several runs.

    Args:
        analysis: its entry of the catalogue.
        found: by the names of the runs.
        alike: whether the runs differ by chance alone, so that their mean means something.
    """
    good = {label: result for label, result in found.items() if isinstance(result, Observable)}
    parts = [f'<p class="note">{html.escape(analysis.help)}</p>']
    for label, result in found.items():
        if isinstance(result, str):
            where = f"{html.escape(label)}: " if len(found) > 1 else ""
            parts.append(f'<p class="failed">Not done. {where}{html.escape(_sentence(result))}</p>')
    if good:
        parts += _values(analysis, good, alike=alike and len(good) > 1)
        parts += _single(next(iter(good.values()))) if len(good) == 1 else _several(analysis, good)
        parts += _words(good)
    return Section(f"analysis-{analysis.name}", analysis.title, "\n".join(parts))


def _single(observable: Observable) -> list[str]:
    if not (observable.curves or observable.maps):
        return []
    links = _links(observable)
    return [_figure(observable, name=observable.name, data=links)]


def _several(analysis: Analysis, good: Mapping[str, Observable]) -> list[str]:
    """A figure for each curve, with all runs in it, and one for each map."""
    figures = []
    names = dict.fromkeys(curve.name for one in good.values() for curve in one.curves if not curve.reference)
    for number, name in enumerate(names):
        curves = {label: c for label, one in good.items() for c in one.curves if c.name == name}
        reference = [c for c in next(iter(good.values())).curves if c.reference]
        shown = Observable(
            analysis.name,
            f"{analysis.title}: {name}",
            curves=(*(replace(curve, name=label) for label, curve in curves.items()), *reference),
        )
        title = f"<h3>{html.escape(name)}</h3>" if len(names) > 1 else ""
        figures.append(f"<div>{title}{_figure(shown, name=f'{analysis.name}-{number + 1}', data=_links(shown))}</div>")
    parts = [f'<div class="plots">{"".join(figures)}</div>']
    maps = tuple(replace(m, name=f"{label}: {m.name}") for label, one in good.items() for m in one.maps)
    if maps:
        shown = Observable(analysis.name, analysis.title, maps=maps)
        parts.append(_figure(shown, name=f"{analysis.name}-maps", data=_links(shown)))
    return parts


def _figure(observable: Observable, *, name: str, data: Mapping[str, str]) -> str:
    what = [curve.name for curve in observable.curves] + [one.name for one in observable.maps]
    axes = [f"{curve.y_label} against {curve.x_label}" for curve in observable.curves]
    description = f"{observable.title}. {'; '.join(dict.fromkeys(axes))}. Drawn: {', '.join(dict.fromkeys(what))}."
    with page_style():
        drawn = figure_of(observable, ink=INK)
    return figure(drawn, name=name, description=description, data=data)


def _links(observable: Observable) -> dict[str, str]:
    """CSV of curves and maps by the words of their links; the numbers have a link of their own."""
    texts = list(tables_of(observable).items())[1:]
    return {file.removeprefix(f"{observable.name}-").removesuffix(".csv"): text for file, text in texts}


def _values(analysis: Analysis, good: Mapping[str, Observable], *, alike: bool) -> list[str]:
    columns = {**good, **({"mean of the runs": combine(list(good.values()))} if alike else {})}
    known = {value.name: value for one in columns.values() for value in reversed(one.values)}
    names = list(dict.fromkeys(value.name for one in columns.values() for value in one.values))
    if not names:
        return []
    rows = []
    for name in names:
        cells = []
        for one in columns.values():
            value = next((value for value in one.values if value.name == name), None)
            cells.append("–" if value is None else with_error(value.value, value.error))
        rows.append([name, *cells, known[name].unit, known[name].note])
    headings = ["", *(["value ± standard error"] if len(columns) == 1 else columns), "unit", "note"]
    if not any(row[-1] for row in rows):
        headings, rows = headings[:-1], [row[:-1] for row in rows]
    numbers = range(1, 1 + len(columns))
    links = [
        csv_link(next(iter(tables_of(one).values())), "CSV" if len(good) == 1 else label, analysis.name)
        for label, one in good.items()
    ]
    return [table(headings, rows, numbers=numbers), saving(("Numbers", links))]


def _words(good: Mapping[str, Observable]) -> list[str]:
    """Notes and methods, each once."""
    notes = dict.fromkeys(note for one in good.values() for note in one.notes)
    methods = dict.fromkeys(one.method for one in good.values() if one.method)
    parts = []
    if notes:
        parts.append(f"<ul class='note'>{''.join(f'<li>{html.escape(note)}</li>' for note in notes)}</ul>")
    parts += [f'<p class="method">{html.escape(method)}</p>' for method in methods]
    return parts


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!")) else ".")
