"""Where a training stands, and the page that sums it up."""

from __future__ import annotations

import html
import tempfile
from pathlib import Path
from typing import Any

from rich.table import Table

from helio.evaluate.training import TrainingErrors, evaluate_training
from helio.files.atomic import write_text
from helio.files.log import read_log
from helio.files.run_folder import RunFolder
from helio.report.page.document import Section, document, table
from helio.report.page.figures import figure, image, page_style
from helio.report.parity import Panel, plot_parity, unit_text
from helio.train.compiling import Compiling
from helio.train.logs import SKIPPED, VALIDATION
from helio.train.loop import Progress
from helio.train.loss import UNITS

REPORT = "report.html"
_WORST = 20


def progress_line(progress: Progress) -> str:
    """Where a training stands, in one line."""
    share = 100 * progress.step / progress.steps
    parts = [f"{share:5.1f} %  step {progress.step}/{progress.steps}  epoch {progress.epoch}"]
    if progress.training is not None:
        parts.append(f"loss {progress.training.loss:.4g}")
    if progress.validation is not None:
        errors = progress.validation.mae.items()
        parts += [f"{_words(name)} MAE {value:.4g}{unit_text(UNITS.get(name, ''))}" for name, value in errors]
    parts.append(f"{progress.structures_per_second:.0f} structures/s")
    if progress.skipped:
        parts.append(f"{progress.skipped} skipped")
    return "  ".join([*parts, f"{_clock(progress.seconds_left)} left"])


def compiling_line(found: Compiling) -> str:
    """What is waited for before a step with batches of a new shape."""
    structures, *atoms = found.batch
    size = f" of {atoms[0]} atoms" if atoms else ""
    return f"Compiling for batches of {structures} structures{size}: shape {found.shape} of {found.shapes} ..."


def progress_table(progress: Progress) -> Table:
    """The errors of training and validation, and how long it will take."""
    shown = Table(
        title=f"step {progress.step}/{progress.steps}, epoch {progress.epoch}, "
        f"{progress.structures_per_second:.0f} structures/s, {_clock(progress.seconds_left)} left",
        caption=f"best at step {progress.best_step}" + (f", {progress.skipped} skipped" if progress.skipped else ""),
    )
    for heading in ("", "training MAE", "RMSE", "validation MAE", "RMSE"):
        shown.add_column(heading, justify="right" if heading else "left")
    training, validation = progress.training, progress.validation
    if training is None:
        return shown
    shown.add_row("loss", "", f"{training.loss:.5g}", "", "" if validation is None else f"{validation.loss:.5g}")
    for name in training.mae:
        own = ("", "") if validation is None else (f"{validation.mae[name]:.5g}", f"{validation.rmse[name]:.5g}")
        label = f"{_words(name)}{f' ({UNITS[name]})' if UNITS.get(name) else ''}"
        shown.add_row(label, f"{training.mae[name]:.5g}", f"{training.rmse[name]:.5g}", *own)
    return shown


def write_report(path: str | Path, out: str | Path | None = None) -> Path:
    """Write the page of a training: curves, parity plots, worst structures, settings.

    Args:
        path: folder of the training.
        out: the HTML file, by default `report.html` in that folder.

    Raises `HelioError` where the folder holds no model yet, or its data are gone.
    """
    folder = RunFolder(Path(path))
    errors = evaluate_training(path)
    log, checked = read_log(folder.log), read_log(folder.path / VALIDATION)
    settings = folder.read_settings()
    sections = []
    if log["step"]:
        sections.append(Section("curves", "Curves", _curves(log, checked)))
    if errors is not None:
        sections.append(Section("validated", "Validated structures", _table_of_errors(errors) + _parity(errors)))
        sections.append(Section("worst", "Worst structures", _worst(errors)))
    rows = [[str(name), str(value)] for name, value in settings.items()]
    sections.append(Section("settings", "Settings", table(["setting", "value"], rows)))
    where = folder.path / REPORT if out is None else Path(out)
    lead = html.escape(_summary(folder, log, checked))
    write_text(where, document(str(settings["name"]), kind="Training", lead=lead, sections=sections, foot=""))
    return where


def _summary(folder: RunFolder, log: dict[str, list[float]], checked: dict[str, list[float]]) -> str:
    if not log["step"]:
        return "No steps so far."
    text = f"{log['step'][-1]:.0f} steps, {log['epoch'][-1]:.0f} epochs, {_clock(log['seconds'][-1])} h:min:s."
    if checked["step"]:
        best = min(range(len(checked["step"])), key=lambda row: checked["loss"][row])
        text += f" Best validation at step {checked['step'][best]:.0f}, loss {checked['loss'][best]:.5g}."
    skipped = int(log["skipped"][-1])
    if skipped:
        text += f" {skipped} batches were skipped, as their gradients were not finite ({SKIPPED})."
    return text


def _curves(log: dict[str, list[float]], checked: dict[str, list[float]]) -> str:
    labels = [name.removesuffix("_mae") for name in log if name.endswith("_mae")]
    panels = ["loss", *(f"{label}_mae" for label in labels), "learning_rate", "structures_per_second"]
    description = f"Against steps: {', '.join(_words(name) for name in panels)}"
    with page_style():
        return figure(_drawn_curves(panels, log, checked), name="curves", description=description)


def _drawn_curves(panels: list[str], log: dict[str, list[float]], checked: dict[str, list[float]]) -> Any:
    from matplotlib.figure import Figure

    rows = -(-len(panels) // 2)
    drawn = Figure(figsize=(9, 3 * rows), layout="constrained")
    for place, name in enumerate(panels, start=1):
        axes = drawn.add_subplot(rows, 2, place)
        axes.plot(log["step"], log[name], label="training", linewidth=1)
        if checked["step"] and name in checked:
            axes.plot(checked["step"], checked[name], label="validation", marker=".", linewidth=1)
            axes.legend()
        label = name.removesuffix("_mae")
        unit = f" ({UNITS[label]})" if UNITS.get(label) else ""
        axes.set(xlabel="step", ylabel=f"{name.replace('_', ' ')}{unit}")
        if min(log[name], default=0) > 0 and name != "structures_per_second":
            axes.set_yscale("log")
    return drawn


def _parity(errors: TrainingErrors) -> str:
    panels = {
        name: Panel(_words(name), found.unit, found.sample.pairs(), found.sums.mae, found.sums.rmse, found.sample.seen)
        for name, found in errors.labels.items()
        if found.sums.count
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "parity.png"
        plot_parity(path, panels)
        return image(path.read_bytes(), "Predictions against labels")


def _table_of_errors(errors: TrainingErrors) -> str:
    rows = [
        [_words(name), found.unit, f"{found.sums.mae:.5g}", f"{found.sums.rmse:.5g}", f"{found.sums.count:,}"]
        for name, found in errors.labels.items()
        if found.sums.count
    ]
    return table(["label", "unit", "MAE", "RMSE", "values"], rows)


def _worst(errors: TrainingErrors) -> str:
    label = "forces" if "forces" in errors.labels else next(iter(errors.labels))
    names = list(errors.labels)
    rows = [
        [str(found.index), found.source, str(found.number), found.formula]
        + [f"{found.mae[name]:.5g}" if name in found.mae else "-" for name in names]
        for found in errors.worst(label, _WORST)
    ]
    headings = [f"{_words(name)} MAE{f' ({UNITS[name]})' if UNITS[name] else ''}" for name in names]
    return table(["number in store", "source", "number in source", "formula", *headings], rows)


def _words(name: str) -> str:
    return name.replace("_", " ").replace("hirshfeld", "Hirshfeld")


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:d}:{minutes:02d}:{seconds:02d}"
