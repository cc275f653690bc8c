"""What is shown of a training while it runs, and the page about it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import jax
import pytest
from rich.console import Console
from typer.testing import CliRunner

from helio.cli import app
from helio.coarse.model_file import CoarseInfo, save_coarse
from helio.coarse.settings import CoarseTrainSettings
from helio.errors import HelioError
from helio.files.run_folder import RunFolder
from helio.frameworks.model.settings import FrameworkTrainSettings
from helio.report.training import compiling_line, progress_line, progress_table, write_report
from helio.train.compiling import Compiling
from helio.train.logs import TRAINING_COLUMNS, Logs
from helio.train.loop import Progress
from helio.train.summary import Summary
from tests.coarse.conftest import random_model

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


def logs(folder: Path, labels: list[str]) -> None:
    """Two rows of a training, and one of a validation."""
    errors = {"loss": -0.5} | {f"{label}_{kind}": 0.25 for label in labels for kind in ("mae", "rmse")}
    with closing(Logs(folder, labels)) as written:
        for step in (10, 20):
            written.training(step, dict.fromkeys(TRAINING_COLUMNS, 0.0) | {"epoch": 1, "seconds": 6.0 * step} | errors)
        written.validation(20, errors)


def test_page_of_a_coarse_training(tmp_path: Path) -> None:
    """By the command that a user gives."""
    settings = CoarseTrainSettings(data="gone.h5", name="chains")  # pyright: ignore[reportCallIssue]
    RunFolder(tmp_path).write_settings(settings.model_dump(mode="json"))
    logs(tmp_path, ["motion", "gyration"])
    told = CliRunner().invoke(app, ["report", str(tmp_path)])
    assert told.exit_code == 1 and f"there is no model file {tmp_path / 'model.safetensors'}" in told.output
    info = CoarseInfo("chains", 2.0, "sigma", "tau", 8.0, "trained on <chains>")
    model = random_model("equivariant")
    save_coarse(model, tmp_path / "model.safetensors", info)
    told = CliRunner().invoke(app, ["report", str(tmp_path)])
    assert told.exit_code == 0, told.output
    page = (tmp_path / "report.html").read_text()
    assert "20 steps, 1 epochs, 0:02:00 h:min:s. Best validation at step 20, loss -0.5." in page
    assert "loss, motion mae (sigma), gyration mae (sigma), learning rate, windows per second" in page
    assert f"{sum(leaf.size for leaf in jax.tree.leaves(model)):,}</dd>" in page
    for said in (
        "<title>chains",
        "2 tau",
        "8 beads per group",
        "trained on &lt;chains&gt;",
        "network.width",
        "gone.h5",
    ):
        assert said in page, said


def test_page_of_a_training_on_frameworks(tmp_path: Path) -> None:
    settings = FrameworkTrainSettings(data="gone.h5")  # pyright: ignore[reportCallIssue]
    RunFolder(tmp_path).write_settings(settings.model_dump(mode="json"))
    (tmp_path / "encoder").mkdir()
    logs(tmp_path / "encoder", ["types"])
    logs(tmp_path, ["positions"])
    page = write_report(tmp_path).read_text()
    assert "Against steps: loss, positions mae, learning rate, frameworks per second" in page
    assert "Against steps: loss, types mae, learning rate, blocks per second" in page
    assert page.count('<figure class="plot">') == 2


def test_a_simulation_is_no_training(tmp_path: Path) -> None:
    RunFolder(tmp_path).write_settings({"task": "md"})
    with pytest.raises(HelioError, match="is no training: its settings are for md"):
        write_report(tmp_path)
