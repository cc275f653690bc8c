"""The table at the end of a fine-tuning."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.table import Table

from helio.evaluate.finetuning import Change


def change_table(changes: list[Change]) -> Table:
    """Mean absolute errors before and after, and their ratio."""
    table = Table(box=SIMPLE_HEAD)
    table.add_column("structures")
    table.add_column("MAE of")
    for name in ("before", "after", "ratio"):
        table.add_column(name, justify="right")
    for change in changes:
        ratio = f"{change.after / change.before:.3g}" if change.before else ""
        label = change.label.replace("_", " ") + (f" ({change.unit})" if change.unit else "")
        table.add_row(change.structures, label, f"{change.before:.4g}", f"{change.after:.4g}", ratio)
    return table
