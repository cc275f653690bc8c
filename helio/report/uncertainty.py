"""Whether uncertainties are right: a reliability plot and a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from helio.evaluate.uncertainty import UncertaintyCheck
from helio.files.atomic import atomic_path
from helio.report.parity import check_format
from helio.uncertainty import reliability

_MOST_POINTS = 3_000
# Of a Gaussian distribution.
_WITHIN = {1: 0.683, 2: 0.954}


def plot_reliability(path: str | Path, check: UncertaintyCheck, *, title: str = "") -> None:
    """Draw errors against the standard deviations predicted for them, of energies and of forces.

    Dots are single values (a sample of them); the line joins root mean squares over equally many values each.

    Raises `HelioError` for another format than .png, .pdf or .svg, and where `path` cannot be written.
    """
    from matplotlib.figure import Figure

    check_format(path)
    panels = {"energies": ("energy per atom", "meV", 1000.0, check.energies)} if len(check.energies[0]) else {}
    panels["forces"] = ("force on an atom, per component", "eV/A", 1.0, check.forces)
    figure = Figure(figsize=(4.4 * len(panels), 4.5), layout="constrained")
    for place, (name, (words, unit, factor, (errors, deviations))) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(1, len(panels), place)
        _draw(axes, factor * np.abs(errors), factor * deviations)
        rank = f"rank correlation {check.ranks[name]:.2f}"
        axes.set(title=f"{words}\n{len(errors):,} values, {rank}")
        axes.set(xlabel=f"predicted standard deviation ({unit})", ylabel=f"error ({unit})")
    if title:
        figure.suptitle(title, fontsize=11)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150)


def _draw(axes, errors: np.ndarray, deviations: np.ndarray) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    shown = np.random.default_rng(0).permutation(len(errors))[:_MOST_POINTS]
    bins = reliability(errors, deviations)
    axes.loglog(deviations[shown], errors[shown], ".", color="0.75", markersize=2, rasterized=True, label="values")
    axes.loglog(bins.predicted, bins.observed, "o-", color="tab:blue", label="root mean square")
    low = min(bins.predicted.min(), bins.observed.min()) / 2
    high = max(bins.predicted.max(), bins.observed.max()) * 2
    axes.plot([low, high], [low, high], color="0.3", linewidth=0.8, zorder=0)
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    for axis in (axes.xaxis, axes.yaxis):  # where there is less than a decade, the usual labels overlap
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_formatter(NullFormatter())
    axes.legend(loc="upper left", fontsize=8)


def reliability_table(check: UncertaintyCheck) -> Table:
    """Root mean squares of errors and deviations, their rank correlation, and how often errors are within deviations.

    Forces are told per component, those of structures as root mean squares over all their components.
    """
    expected = ", ".join(f"{d} sd {100 * share:.1f} %" for d, share in _WITHIN.items())
    table = Table(box=SIMPLE_HEAD, caption=f"Gaussian errors within {expected}", caption_justify="left")
    table.add_column("")
    for name in ("values", "error", "predicted", "rank", *(f"within {d} sd" for d in _WITHIN)):
        table.add_column(name, justify="right", no_wrap=True)
    rows = {
        "energies, meV/atom": ("energies", 1000.0, check.energies),
        "forces, eV/A": ("forces", 1.0, check.forces),
        "of structures, eV/A": ("structures", 1.0, check.structures),
    }
    for number, (words, (name, factor, (errors, deviations))) in enumerate(rows.items()):
        if len(errors) == 0:
            continue
        inside = [f"{100 * check.within(d)[number]:.1f} %" if number < 2 else "" for d in _WITHIN]
        squares = [f"{factor * np.sqrt(np.mean(values**2)):.4g}" for values in (errors, deviations)]
        table.add_row(words, f"{len(errors):,}", *squares, f"{check.ranks[name]:.3f}", *inside)
    return table
