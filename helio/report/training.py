"""Where a training stands, and the page that sums it up."""

from __future__ import annotations

import html
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
from rich.table import Table

from helio.errors import HelioError
from helio.evaluate.training import TrainingErrors, evaluate_training
from helio.files.atomic import write_text
from helio.files.run_folder import RunFolder
from helio.report.page.document import Section, document, facts, table
from helio.report.page.figures import image
from helio.report.parity import Panel, plot_parity, unit_text
from helio.report.training_curves import clock, curves, summary
from helio.train.compiling import Compiling
from helio.train.loop import Progress
from helio.train.loss import UNITS
from helio.train.run import MODEL

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
    return "  ".join([*parts, f"{clock(progress.seconds_left)} left"])


def compiling_line(found: Compiling) -> str:
    """What is waited for before a step with batches of a new shape."""
    structures, *atoms = found.batch
    size = f" of {atoms[0]} atoms" if atoms else ""
    return f"Compiling for batches of {structures} structures{size}: shape {found.shape} of {found.shapes} ..."


def progress_table(progress: Progress) -> Table:
    """The errors of training and validation, and how long it will take."""
    shown = Table(
        title=f"step {progress.step}/{progress.steps}, epoch {progress.epoch}, "
        f"{progress.structures_per_second:.0f} structures/s, {clock(progress.seconds_left)} left",
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
    """Write the page of a training: curves, what is known of its model, settings.

    Args:
        path: folder of the training, of a force field, a coarse model or a generative model of frameworks.
        out: the HTML file, by default `report.html` in that folder.

    Raises `HelioError` where the folder holds no training or no model yet, or the data of a force field are gone.
    """
    folder = RunFolder(Path(path))
    settings = folder.read_settings()
    match settings.get("task", "train"):
        case "train":
            sections = _of_force_field(folder.path)
        case "coarse-train":
            sections = _of_coarse_model(folder.path)
        case "frameworks-train":
            sections = _of_frameworks(folder.path)
        case other:
            raise HelioError(f"{path} is no training: its settings are for {other}")
    sections.append(Section("settings", "Settings", table(["setting", "value"], _plain(settings))))
    where = folder.path / REPORT if out is None else Path(out)
    lead = html.escape(summary(folder.path))
    write_text(where, document(str(settings["name"]), kind="Training", lead=lead, sections=sections, foot=""))
    return where


def _of_force_field(path: Path) -> list[Section]:
    """Curves, and what the model gets wrong on the structures that it was validated on."""
    errors = evaluate_training(path)
    sections = curves(path, units=UNITS)
    if errors is not None:
        sections.append(Section("validated", "Validated structures", _table_of_errors(errors) + _parity(errors)))
        sections.append(Section("worst", "Worst structures", _worst(errors)))
    return sections


def _of_coarse_model(path: Path) -> list[Section]:
    """Curves, and what the model is made of; its roll-outs are evaluated apart."""
    from helio.coarse.model_file import read_coarse

    model, info = read_coarse(path / MODEL)
    architecture, unit = model.architecture, info.length_unit
    known = {
        "Form": architecture.form,
        "Parameters": f"{sum(leaf.size for leaf in jax.tree.leaves(model)):,}",
        "History": f"{architecture.history} frames",
        "One step": f"{info.step_time:g} {info.time_unit}",
        "Coarseness": f"{info.beads_per_group:g} beads per group",
        "Types of beads": ", ".join(architecture.type_names),
        "Source": info.source,
    }
    described = facts([(name, html.escape(value)) for name, value in known.items()])
    drawn = curves(path, units={"motion": unit, "gyration": unit}, samples="windows")
    return [*drawn, Section("model", "Model", described)]


def _of_frameworks(path: Path) -> list[Section]:
    """Curves of the generative model, and of the encoder of blocks before it."""
    first = curves(path / "encoder", units={}, samples="blocks", name="encoder", title="Encoder of blocks")
    return [*curves(path, units={}, samples="frameworks"), *first]


def _plain(settings: Mapping[str, Any], prefix: str = "") -> list[list[str]]:
    """Rows of names and values; those of a group follow its name and a dot."""
    rows: list[list[str]] = []
    for name, value in settings.items():
        group = isinstance(value, dict) and value
        rows += _plain(value, f"{prefix}{name}.") if group else [[f"{prefix}{name}", str(value)]]
    return rows


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
