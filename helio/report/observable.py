"""An observable for the eye: figures, a table for the terminal, CSV files."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from helio.analyse.observable import Curve, Map, Observable, Value
from helio.errors import HelioError
from helio.files.atomic import atomic_path, make_folder, write_text

_CROWDED = 8  # curves in one plot from which on the legend goes beside it


def plot_observable(observable: Observable, path: str | Path, *, runs: Sequence[Observable] = ()) -> None:
    """Draw curves (with bands of one standard error) and maps of an observable into one file (.png, .svg or .pdf).

    Args:
        observable: of one run, or the mean of several.
        path: written whole or not at all.
        runs: results of single runs, drawn thin behind their mean.

    Raises:
        HelioError: it has neither curves nor maps, or `path` cannot be written.
    """
    figure = figure_of(observable, runs=runs)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150, metadata={"Date": None} if Path(path).suffix == ".svg" else None)


def figure_of(observable: Observable, *, runs: Sequence[Observable] = (), ink: str = "0.1") -> Any:
    """The figure of `plot_observable` (of matplotlib); `ink` is the colour of text and axes."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    panels = panels_of(observable)
    count = len(panels) + len(observable.maps)
    if count == 0:
        raise HelioError(f"{observable.name} has no curves to draw")
    colours = {f"{part}.color": ink for part in ("xtick", "ytick", "text")}
    style: Any = colours | {f"axes.{part}color": ink for part in ("edge", "label", "title")} | {"font.size": 9}
    columns = min(2, count)
    rows = -(-count // columns)
    with mpl.rc_context(style):
        figure = Figure(figsize=(5.6 * columns, 3.6 * rows), layout="constrained")
        places = [figure.add_subplot(rows, columns, place + 1) for place in range(count)]
        for axes, panel in zip(places, panels, strict=False):
            _draw_curves(axes, panel, runs, ink)
        for axes, surface in zip(places[len(panels) :], observable.maps, strict=True):
            _draw_map(figure, axes, surface)
    return figure


def panels_of(observable: Observable) -> list[list[Curve]]:
    """Curves that share a plot: those with the same labels."""
    panels: dict[tuple[str, str], list[Curve]] = {}
    for curve in observable.curves:
        panels.setdefault((curve.x_label, curve.y_label), []).append(curve)
    return list(panels.values())


def _draw_curves(axes: Any, curves: list[Curve], runs: Sequence[Observable], ink: str) -> None:
    colours = [f"C{number % 10}" for number in range(len(curves))]
    own = [curve for curve in curves if not curve.reference]
    for curve, colour in zip(own, colours, strict=False):
        for run in runs:
            for thin in run.curves:
                if thin.name == curve.name:
                    axes.plot(thin.x, thin.y, color=colour, linewidth=0.5, alpha=0.4)
        axes.plot(curve.x, curve.y, color=colour, linewidth=1.2, label=curve.name)
        if curve.error is not None and np.isfinite(curve.error).any():
            axes.fill_between(
                curve.x, curve.y - curve.error, curve.y + curve.error, color=colour, alpha=0.25, linewidth=0
            )
    for number, curve in enumerate(one for one in curves if one.reference):
        axes.plot(curve.x, curve.y, color=ink, linewidth=1, linestyle=("--", ":", "-.")[number % 3], label=curve.name)
    if own:
        low, high = min(curve.x.min() for curve in own), max(curve.x.max() for curve in own)
        if high > low and not curves[0].log_x:
            axes.set_xlim(low, high)
    axes.set(xlabel=curves[0].x_label, ylabel=curves[0].y_label)
    if curves[0].log_x:
        axes.set_xscale("log")
    if curves[0].log_y:
        axes.set_yscale("log")
    if len(curves) > 1:
        axes.legend(fontsize=7, frameon=False, ncols=1 + (len(curves) > _CROWDED))


def _draw_map(figure: Any, axes: Any, surface: Map) -> None:
    drawn = axes.pcolormesh(surface.x, surface.y, surface.z, shading="nearest", rasterized=True, cmap="viridis")
    unit = f" ({surface.unit})" if surface.unit else ""
    figure.colorbar(drawn, ax=axes, label=f"{surface.z_label}{unit}")
    axes.set(xlabel=surface.x_label, ylabel=surface.y_label, title=surface.name)


def value_table(observable: Observable) -> Table:
    """All numbers of an observable with errors and units."""
    table = Table(box=SIMPLE_HEAD, title=observable.title, title_justify="left")
    table.add_column("")
    for name in ("value", "error"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("unit", "note"):
        table.add_column(name)
    for value in observable.values:
        table.add_row(value.name, *rounded(value), value.unit, value.note)
    return table


def rounded(value: Value) -> tuple[str, str]:
    """Value and error as text, rounded to two digits of the error."""
    if not np.isfinite(value.error) or value.error <= 0:
        return f"{value.value:.6g}", "" if not np.isfinite(value.error) else "0"
    if not np.isfinite(value.value):
        return str(value.value), f"{value.error:.2g}"
    digits = 1 - int(np.floor(np.log10(value.error)))
    if digits > 8 or digits < -4:
        return f"{value.value:.6g}", f"{value.error:.2g}"
    return f"{round(value.value, digits):.{max(0, digits)}f}", f"{round(value.error, digits):.{max(0, digits)}f}"


def write_observable(
    observable: Observable, folder: str | Path, *, runs: Sequence[Observable] = (), overwrite: bool = False
) -> list[Path]:
    """Write numbers, curves and maps as CSV, and the figure as PNG and SVG; returns the files.

    Files are named after the observable: `rdf.csv` (numbers), `rdf-O-O.csv` (a curve), `rdf.png`, `rdf.svg`.

    Raises:
        HelioError: one of the files exists and `overwrite` is not set, or cannot be written.
    """
    folder = make_folder(folder)
    texts = tables_of(observable)
    drawn = bool(observable.curves or observable.maps)
    figures = [folder / f"{observable.name}.{kind}" for kind in ("png", "svg")] if drawn else []
    files = [folder / name for name in texts] + figures
    if not overwrite and (there := [file for file in files if file.exists()]):
        raise HelioError(f"{there[0]} exists; give another folder with --out, or --overwrite")
    for name, text in texts.items():
        write_text(folder / name, text)
    for figure in figures:
        plot_observable(observable, figure, runs=runs)
    return files


def tables_of(observable: Observable) -> dict[str, str]:
    """The CSV files of `write_observable` by their names: first the numbers, then each curve, then each map."""
    texts = {f"{observable.name}.csv": _values_text(observable)}
    texts |= {f"{observable.name}-{_word(curve.name)}.csv": _curve_text(curve) for curve in observable.curves}
    return texts | {f"{observable.name}-{_word(surface.name)}.csv": _map_text(surface) for surface in observable.maps}


def _values_text(observable: Observable) -> str:
    rows = [[v.name, repr(v.value), repr(v.error), v.unit, v.note] for v in observable.values]
    comments = [*observable.notes, observable.method, f"runs: {', '.join(observable.runs)}"]
    return "".join(f"# {' '.join(line.split())}\n" for line in comments if line) + _table_text(
        ["name", "value", "error", "unit", "note"], rows
    )


def _curve_text(curve: Curve) -> str:
    errors = np.full(len(curve.x), np.nan) if curve.error is None else curve.error
    rows = [[f"{x:.8g}", f"{y:.8g}", f"{error:.4g}"] for x, y, error in zip(curve.x, curve.y, errors, strict=True)]
    return _table_text([curve.x_label, curve.y_label, "error"], rows)


def _map_text(surface: Map) -> str:
    errors = np.full(surface.z.shape, np.nan) if surface.error is None else surface.error
    rows = [
        [f"{x:.8g}", f"{y:.8g}", f"{surface.z[j, i]:.8g}", f"{errors[j, i]:.4g}"]
        for j, y in enumerate(surface.y)
        for i, x in enumerate(surface.x)
    ]
    unit = f" ({surface.unit})" if surface.unit else ""
    return _table_text([surface.x_label, surface.y_label, f"{surface.z_label}{unit}", "error"], rows)


def _table_text(header: list[str], rows: list[list[str]]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header)
    table.writerows(rows)
    return text.getvalue()


def _word(name: str) -> str:
    """A name as a part of a file's name."""
    return re.sub(r"[^\w.+-]+", "-", name).strip("-")
