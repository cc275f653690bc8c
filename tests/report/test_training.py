"""What is shown of a training while it runs."""

from __future__ import annotations

from rich.console import Console

from helio.report.training import progress_line, progress_table
from helio.train.loop import Progress
from helio.train.summary import Summary

TRAINING = Summary(0.5, {"forces": 0.04, "dipole": 0.02}, {"forces": 0.06, "dipole": 0.03})
VALIDATION = Summary(0.7, {"forces": 0.05, "dipole": 0.025}, {"forces": 0.07, "dipole": 0.035})
PROGRESS = Progress(250, 1000, 3, TRAINING, VALIDATION, 200, 190.0, 3725.0, 2)


def test_line_names_errors_speed_and_time_left() -> None:
    assert progress_line(PROGRESS) == (
        " 25.0 %  step 250/1000  epoch 3  loss 0.5  forces MAE 0.05 eV/A  dipole MAE 0.025 e A  190 structures/s  "
        "2 skipped  1:02:05 left"
    )


def test_table_holds_training_and_validation() -> None:
    console = Console(width=120)
    with console.capture() as shown:
        console.print(progress_table(PROGRESS))
    text = shown.get()
    for said in ("step 250/1000", "190 structures/s", "1:02:05 left", "best at step 200, 2 skipped"):
        assert said in text
    (row,) = [line for line in text.splitlines() if "forces (eV/A)" in line]
    assert row.replace("│", " ").split()[-4:] == ["0.04", "0.06", "0.05", "0.07"]
