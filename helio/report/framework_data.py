"""Distributions of what a store of frameworks holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from helio.files.atomic import atomic_path
from helio.frameworks.contents import unit
from helio.frameworks.store import PARTS, FrameworkStore


def plot_store(store: str | Path, path: str | Path) -> None:
    """Draw histograms of the number of blocks and of every label, part by part, into `path` (.png, .pdf, .svg).

    Raises:
        HelioError: the store cannot be read, or the figure not be written.
    """
    from matplotlib.figure import Figure

    with FrameworkStore(store) as opened:
        sizes = {part: np.array([len(framework) for framework in opened.frameworks(part)]) for part in PARTS}
        labels = {part: opened.labels(part) for part in PARTS}
    shown = [name for name in labels[PARTS[0]] if not name.endswith("_error")]
    columns = 3
    rows = -(-(len(shown) + 1) // columns)
    figure = Figure(figsize=(4 * columns, 2.8 * rows), layout="constrained")
    axes = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    _histogram(axes[0], sizes, "building blocks", whole=True)
    for axis, name in zip(axes[1:], shown, strict=False):
        words = name.replace("_", " ")
        _histogram(
            axis, {part: labels[part][name] for part in PARTS}, f"{words} / {unit(name)}" if unit(name) else words
        )
    for axis in axes[len(shown) + 1 :]:
        axis.set_axis_off()
    axes[0].legend()
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120)


def _histogram(axis, parts: dict[str, np.ndarray], name: str, *, whole: bool = False) -> None:
    known = {part: values[np.isfinite(values)] for part, values in parts.items()}
    everything = np.concatenate(list(known.values()))
    if len(everything):
        low, high = everything.min(), everything.max()
        bins = np.arange(low - 0.5, high + 1.5) if whole else np.linspace(low, high if high > low else low + 1, 31)
        axis.hist([values for values in known.values()], bins, stacked=True, label=list(known))
    axis.set(xlabel=name, ylabel="frameworks")
