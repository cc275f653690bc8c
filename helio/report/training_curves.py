"""The course of a training, of whatever it trains: curves of its logs, and a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from helio.files.log import read_log
from helio.files.run_folder import RunFolder
from helio.report.page.document import Section
from helio.report.page.figures import figure, page_style
from helio.train.logs import SKIPPED, VALIDATION

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Columns = dict[str, list[float]]


def curves(
    path: Path, *, units: Mapping[str, str], samples: str = "structures", name: str = "curves", title: str = "Curves"
) -> list[Section]:
    """The section of the logs in a folder; none where no step is logged yet.

    Args:
        path: the folder.
        units: of the labels that have one.
        samples: what batches consist of.
        name: of the section and the figure.
        title: of the section.

    Raises `HelioError` where there are no logs.
    """
    log, checked = _logs(path)
    if not log["step"]:
        return []
    labels = [name.removesuffix("_mae") for name in log if name.endswith("_mae")]
    axes = {"loss": "loss"}
    axes |= {f"{label}_mae": f"{label} mae".replace("_", " ") + _in(units.get(label)) for label in labels}
    axes |= {"learning_rate": "learning rate", "structures_per_second": f"{samples} per second"}
    with page_style():
        drawn = _drawn(axes, log, checked)
        return [
            Section(name, title, figure(drawn, name=name, description=f"Against steps: {', '.join(axes.values())}"))
        ]


def summary(path: Path) -> str:
    """How far a training came, and how well it did, in a few sentences."""
    log, checked = _logs(path)
    if not log["step"]:
        return "No steps so far."
    text = f"{log['step'][-1]:.0f} steps, {log['epoch'][-1]:.0f} epochs, {clock(log['seconds'][-1])} h:min:s."
    if checked["step"]:
        best = min(range(len(checked["step"])), key=lambda row: checked["loss"][row])
        text += f" Best validation at step {checked['step'][best]:.0f}, loss {checked['loss'][best]:.5g}."
    skipped = int(log["skipped"][-1])
    if skipped:
        text += f" {skipped} batches were skipped, as their gradients were not finite ({SKIPPED})."
    return text


def clock(seconds: float) -> str:
    """Hours, minutes and seconds."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:d}:{minutes:02d}:{seconds:02d}"


def _logs(path: Path) -> tuple[Columns, Columns]:
    return read_log(RunFolder(path).log), read_log(path / VALIDATION)


def _drawn(panels: Mapping[str, str], log: Columns, checked: Columns) -> Figure:
    from matplotlib.figure import Figure

    rows = -(-len(panels) // 2)
    drawn = Figure(figsize=(9, 3 * rows), layout="constrained")
    for place, (name, label) in enumerate(panels.items(), start=1):
        axes = drawn.add_subplot(rows, 2, place)
        axes.plot(log["step"], log[name], label="training", linewidth=1)
        if checked["step"] and name in checked:
            axes.plot(checked["step"], checked[name], label="validation", marker=".", linewidth=1)
            axes.legend()
        axes.set(xlabel="step", ylabel=label)
        if min([*log[name], *checked.get(name, [])], default=0) > 0 and name != "structures_per_second":
            axes.set_yscale("log")
    return drawn


def _in(unit: str | None) -> str:
    return f" ({unit})" if unit else ""
