"""What is shown of a training while it runs."""

from __future__ import annotations

from rich.console import Console

from helio.report.training import compiling_line, progress_line, progress_table
from helio.train.compiling import Compiling
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


def test_compiling_is_announced() -> None:
    line = compiling_line(Compiling(3, 7, (8, 24)))
    assert line == "Compiling for batches of 8 structures of 24 atoms: shape 3 of 7 ..."
    assert "of 8 structures: shape 1 of 1" in compiling_line(Compiling(1, 1, (8,)))


def test_table_holds_training_and_validation() -> None:
    console = Console(width=120)
    with console.capture() as shown:
        console.print(progress_table(PROGRESS))
    text = shown.get()
    for said in ("step 250/1000", "190 structures/s", "1:02:05 left", "best at step 200, 2 skipped"):
        assert said in text
    (row,) = [line for line in text.splitlines() if "forces (eV/A)" in line]
    assert row.replace("│", " ").split()[-4:] == ["0.04", "0.06", "0.05", "0.07"]
