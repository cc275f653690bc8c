"""Quantities of the log along time, drawn: every value faintly, the running mean, what was asked for."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from helio.report.page.document import table
from helio.report.page.figures import COLORS, figure, page_style
from helio.report.run.course import Course
from helio.report.run.words import with_error

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIZE = (5.2, 2.7)  # inches
_PIXELS = 700  # bins along time in which rows are drawn by their lowest and highest value
_MOST_ROWS = 20_000  # in the CSV of a page


def course_figure(runs: Mapping[str, Course], *, name: str) -> str:
    """HTML of one quantity of one or several runs, with its data."""
    first = next(iter(runs.values()))
    quantity = first.quantity
    means = "; ".join(
        f"{f'{label}: ' if len(runs) > 1 else ''}mean {with_error(*course.mean)} {quantity.unit}"
        for label, course in runs.items()
    )
    with page_style():
        drawn = _drawn(runs)
    links = {("CSV" if len(runs) == 1 else label): _csv(course) for label, course in runs.items()}
    return figure(drawn, name=name, description=f"{quantity.title} along time; {means}", data=links)


def _drawn(runs: Mapping[str, Course]) -> Figure:
    from matplotlib.figure import Figure

    made = Figure(figsize=_SIZE, layout="constrained")
    axes = made.add_subplot()
    several = len(runs) > 1
    for color, (label, course) in zip([*COLORS] * (1 + len(runs) // len(COLORS)), runs.items(), strict=False):
        times, values = _envelope(course.times, course.values)
        scale, _ = _time_unit(max(one.times[-1] for one in runs.values()))
        axes.plot(times / scale, values, color=color, linewidth=0.7, alpha=0.22 if several else 0.38)
        rows = np.unique(np.linspace(0, len(course.times) - 1, _PIXELS).astype(int))
        axes.plot(course.times[rows] / scale, course.running_mean()[rows], color=color, linewidth=1.8, label=label)
        if not several and course.settled:
            axes.axvspan(course.times[0] / scale, course.times[course.settled] / scale, color="0.5", alpha=0.12, lw=0)
        if course.target is not None:
            axes.plot(course.times[rows] / scale, course.target[rows], color="0.5", linewidth=1, linestyle=(0, (4, 3)))
    quantity = next(iter(runs.values())).quantity
    axes.set_title(quantity.title, loc="left", fontweight="bold")
    axes.set_xlabel(f"time ({_time_unit(max(one.times[-1] for one in runs.values()))[1]})")
    axes.set_ylabel(quantity.unit)
    axes.ticklabel_format(axis="y", useOffset=False, style="plain")
    axes.margins(x=0.01)
    if several:
        axes.legend(ncols=2)
    return made


def _time_unit(longest_ps: float) -> tuple[float, str]:
    return (1000.0, "ns") if longest_ps >= 2000 else (1.0, "ps") if longest_ps >= 0.5 else (1e-3, "fs")


def _envelope(times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most two rows, the lowest and the highest in the order of time, of each of `_PIXELS` parts."""
    if len(values) <= 2 * _PIXELS:
        return times, values
    starts = np.linspace(0, len(values), _PIXELS + 1).astype(int)
    rows = [
        row
        for begin, end in pairwise(starts.tolist())
        for row in sorted({begin + int(values[begin:end].argmin()), begin + int(values[begin:end].argmax())})
    ]
    return times[rows], values[rows]


def _csv(course: Course) -> str:
    """Times and values, every n-th row where there are very many."""
    every = -(-len(course.times) // _MOST_ROWS)
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["time_ps", course.quantity.column])
    rows.writerows(zip(course.times[::every].tolist(), course.values[::every].tolist(), strict=True))
    return text.getvalue()


def course_table(courses: Mapping[str, Course]) -> str:
    """HTML of the numbers of one run."""
    rows = []
    longest = max(course.times[-1] - course.times[0] for course in courses.values())
    size, unit = (1000.0, "ns") if longest >= 1000 else (1.0, "ps")
    for course in courses.values():
        quantity, (slope, error, _) = course.quantity, course.slope(course.settled)
        rows.append([
            quantity.title,
            quantity.unit,
            with_error(*course.mean),
            f"{course.fluctuation:.3g}" if course.fluctuation < 1000 else f"{course.fluctuation:.0f}",
            with_error(size * slope, size * error),
            f"{course.times[course.settled]:.4g}",
            f"{course.independent:.0f}" if course.independent >= 2 else "< 2",
        ])  # fmt: skip
    headings = [
        "",
        "unit",
        "mean ± standard error",
        "fluctuation",
        f"slope per {unit}",
        "settled after (ps)",
        "independent",
    ]
    return table(headings, rows, numbers=range(2, 7))


def mean_table(runs: Mapping[str, Mapping[str, Course]]) -> str:
    """HTML of the means of several runs beside each other."""
    columns = list(dict.fromkeys(column for courses in runs.values() for column in courses))
    rows = []
    for column in columns:
        found = [courses.get(column) for courses in runs.values()]
        quantity = next(course.quantity for course in found if course is not None)
        rows.append([
            quantity.title, quantity.unit, *("–" if course is None else with_error(*course.mean) for course in found)
        ])  # fmt: skip
    return table(["", "unit", *runs], rows, numbers=range(2, 2 + len(runs)))
