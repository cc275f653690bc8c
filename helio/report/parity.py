"""Parity plots: prediction against reference, one panel per property."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from helio.errors import HelioError
from helio.files.atomic import atomic_path

FORMATS = (".png", ".pdf", ".svg")
_CROWDED = 2_000  # values from which on points are drawn as dots without outline and rasterised in vector files


@dataclass(frozen=True)
class Panel:
    """What one panel shows: (S, 2) pairs of reference and prediction, and the errors to write into it."""

    title: str
    unit: str
    pairs: np.ndarray
    mae: float | None
    rmse: float | None
    all_values: int  # of which `pairs` may be a sample


def plot_parity(path: str | Path, panels: Mapping[str, Panel], *, title: str = "") -> None:
    """Draw the panels that have values into `path` (.png, .pdf or .svg), whole or not at all.

    Raises `HelioError` for another format, for nothing to draw, and where `path` cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    path = Path(path)
    check_format(path)
    shown = [panel for panel in panels.values() if len(panel.pairs)]
    if not shown:
        raise HelioError("there is nothing to plot: no structure has a label")
    columns = min(2, len(shown))
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(4.2 * columns, 4.0 * rows + 0.3), layout="constrained")
    FigureCanvasAgg(figure)
    for place, panel in enumerate(shown, start=1):
        _draw(figure.add_subplot(rows, columns, place), panel)
    if title:
        figure.suptitle(title, fontsize=11)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=200, bbox_inches="tight")


def check_format(path: str | Path) -> None:
    """Raise `HelioError` if the name of `path` is not that of a figure."""
    if Path(path).suffix.lower() not in FORMATS:
        raise HelioError(f"a plot must be named {', '.join(FORMATS)}, not {Path(path).name}")


def _draw(axes, panel: Panel) -> None:
    reference, predicted = panel.pairs.T
    crowded = len(reference) > _CROWDED
    axes.plot(
        reference,
        predicted,
        linestyle="none",
        marker="o",
        markersize=1.5 if crowded else 4,
        markeredgewidth=0,
        alpha=0.35 if crowded else 0.6,
        color="tab:blue",
        rasterized=crowded,
    )
    low, high = panel.pairs.min(), panel.pairs.max()
    margin = 0.04 * (high - low) or 1.0
    limits = (low - margin, high + margin)
    axes.plot(limits, limits, color="0.3", linewidth=0.8, zorder=0)
    axes.set(xlim=limits, ylim=limits, aspect="equal", title=panel.title)
    unit = f" ({panel.unit})" if panel.unit else ""
    axes.set_xlabel(f"reference{unit}")
    axes.set_ylabel(f"prediction{unit}")
    lines = [f"MAE {panel.mae:.3g}{unit_text(panel.unit)}", f"RMSE {panel.rmse:.3g}{unit_text(panel.unit)}"]
    lines.append(
        f"{panel.all_values:,} values" + (f", {len(reference):,} shown" if len(reference) < panel.all_values else "")
    )
    axes.text(0.04, 0.96, "\n".join(lines), transform=axes.transAxes, va="top", fontsize=8)


def unit_text(unit: str) -> str:
    """A unit as it follows a number."""
    return f" {unit}" if unit else ""
