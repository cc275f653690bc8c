"""Tables and plots of a store of training data, and of what an import did."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ase.data import chemical_symbols
from rich.box import SIMPLE_HEAD
from rich.table import Table

from helio.errors import listed
from helio.files.atomic import atomic_path
from helio.report.parity import check_format
from helio.train.importing import ImportReport
from helio.train.overview import MEASURES, Overview

_MOST_ROWS = 30
_MOST_NAMES = 12


def import_notes(report: ImportReport) -> list[str]:
    """Lines about units, names that were not used, structures that make no sense, and groups."""
    lines = []
    for file in report.files:
        if file.broken is not None:
            continue
        if file.units is not None:
            lines.append(f"{file.path.name}: {file.units}")
        if file.unused:
            lines.append(f"{file.path.name}: not used: {listed(list(file.unused), _MOST_NAMES)}")
        lines += [f"{file.path.name}: left out, the first is {example}" for example in file.problems.values()]
    groups = set().union(*(file.groups for file in report.files))
    if groups:
        lines.append(f"{len(groups):,} groups: a training keeps each of them on one side.")
    return lines


def import_table(report: ImportReport) -> Table:
    """What became of each file; many files are added up."""
    table = _table("file", "read", "kept", "left out")
    files = [file for file in report.files if file.broken is None]
    shown = files if len(files) <= _MOST_ROWS else []
    for file in shown:
        reasons = "\n".join(f"{count:,} {reason}" for reason, count in file.dropped.most_common())
        table.add_row(file.path.name, f"{file.read:,}", f"{file.kept:,}", reasons)
    if len(shown) != 1:
        total: dict[str, int] = {}
        for file in files:
            for reason, count in file.dropped.items():
                total[reason] = total.get(reason, 0) + count
        reasons = "\n".join(f"{count:,} {reason}" for reason, count in sorted(total.items(), key=lambda item: -item[1]))
        table.add_row(f"{len(files):,} files", f"{sum(file.read for file in files):,}", f"{report.kept:,}", reasons)
    return table


def sizes_table(overview: Overview) -> Table:
    """Structures and atoms by source and level of theory."""
    table = _table("", "structures", "licence")
    for name, (structures, licence) in list(overview.sources.items())[:_MOST_ROWS]:
        table.add_row(f"source {name}", f"{structures:,}", licence or "")
    if len(overview.sources) > _MOST_ROWS:
        table.add_row(f"{len(overview.sources) - _MOST_ROWS:,} further sources", "", "")
    for name, structures in overview.levels.items():
        table.add_row(f"level {name}", f"{structures:,}", "")
    return table


def element_table(overview: Overview) -> Table:
    """Structures and atoms of each element."""
    table = _table("element", "structures", "atoms")
    for number, (structures, atoms) in overview.elements.items():
        table.add_row(chemical_symbols[number], f"{structures:,}", f"{atoms:,}")
    return table


def label_table(overview: Overview) -> Table:
    """How many structures have each label, and how its values are spread."""
    table = _table("label", "structures", "missing", "lowest", "mean ± deviation", "highest")
    for name, found in overview.labels.items():
        if not found.values:
            continue
        what, unit = MEASURES[name]
        cells = f"{found.lowest:.3g}", f"{found.mean:.3g} ± {found.deviation:.2g}", f"{found.highest:.3g}"
        missing = overview.structures - found.structures
        table.add_row(f"{what}{f' ({unit})' if unit else ''}", f"{found.structures:,}", f"{missing:,}", *cells)
    return table


def missing_labels(overview: Overview) -> str | None:
    """Which labels no structure has, as a sentence; None where each is there."""
    missing = [name for name, found in overview.labels.items() if not found.structures]
    return f"No structure has {', '.join(missing)}." if missing else None


def plot_overview(path: str | Path, overview: Overview, *, title: str = "") -> None:
    """Draw sizes, elements and labels into `path` (.png, .pdf or .svg), whole or not at all."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    check_format(path)
    labels = {name: np.concatenate(found.sample) for name, found in overview.labels.items() if found.values}
    panels = 2 + len(labels)
    columns = min(3, panels)
    rows = -(-panels // columns)
    figure = Figure(figsize=(4.0 * columns, 3.0 * rows + 0.3), layout="constrained")
    FigureCanvasAgg(figure)
    axes = [figure.add_subplot(rows, columns, place) for place in range(1, panels + 1)]
    axes[0].hist(overview.atoms, bins=_bins(overview.atoms), color="tab:blue")
    axes[0].set(xlabel="atoms", ylabel="structures", title="sizes")
    symbols = [chemical_symbols[number] for number in overview.elements]
    axes[1].bar(symbols, [atoms for _, atoms in overview.elements.values()], color="tab:blue")
    axes[1].set(ylabel="atoms", title="elements", yscale="log")
    for own, (name, values) in zip(axes[2:], labels.items(), strict=True):
        what, unit = MEASURES[name]
        own.hist(values, bins=60, color="tab:blue")
        own.set(xlabel=unit, ylabel="values", title=what, yscale="log")
    if title:
        figure.suptitle(title, fontsize=11)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150, bbox_inches="tight")


def _bins(sizes: np.ndarray) -> list[float]:
    low, high = int(sizes.min()), int(sizes.max())
    return [place - 0.5 for place in range(low, high + 2, max(1, (high - low) // 60))]


def _table(first: str, *others: str) -> Table:
    table = Table(first, box=SIMPLE_HEAD)
    for heading in others:
        words = heading in ("left out", "licence")
        table.add_column(heading, justify="left" if words else "right", no_wrap=not words)
    return table
