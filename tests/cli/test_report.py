"""`helio report` as a user meets it."""

from __future__ import annotations

from pathlib import Path

import pytest
from ase.build import molecule
from typer.testing import CliRunner

from helio.cli import app
from helio.files.structures import write_structure
from helio.force_field import ForceField
from helio.force_field.model_file import ModelInfo, save_model
from tests.conftest import TINY


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A run that has just been made, in the present folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("helio.cli.compiled.keep_compiled_programs", lambda: None)
    save_model(ForceField.initialise(TINY, 1), "small.safetensors", ModelInfo(name="small"))
    write_structure("water.xyz", molecule("H2O"))
    options = ["--steps", "6", "--timestep", "0.1", "--log-every", "1", "--save-every", "2", "--kernels", "plain"]
    done = CliRunner().invoke(app, ["md", "water.xyz", "--model", "small.safetensors", *options])
    assert done.exit_code == 0, done.output
    return "run"


def helio(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["report", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result.exit_code, result.output


def test_page_of_a_run(run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert helio(run) == (0, "Report: run/report.html\n")
    page = Path("run/report.html").read_text()
    for said in ("H<sub>2</sub>O", "small.safetensors", "0.1 fs", "All 6 steps were made.", "temperature_K.csv"):
        assert said in page
    code, said = helio(run)
    assert code == 1 and "run/report.html exists" in said and "--overwrite" in said
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert helio(run, "--overwrite", "--open")[0] == 0
    assert opened == [Path("run/report.html").resolve().as_uri()]
    assert helio(run, "run", "--out", "both.html") == (0, "Report: both.html\n")
    assert "Comparison of simulations" in Path("both.html").read_text()
    # The run can be replaced, its page goes with it.
    options = ["--model", "small.safetensors", "--steps", "0", "--kernels", "plain", "--overwrite"]
    assert CliRunner().invoke(app, ["md", "water.xyz", *options]).exit_code == 0
    assert not Path("run/report.html").exists()
    assert helio(run)[0] == 0  # one frame and one row of the log are enough for a page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "there is no nowhere"),
        (["empty"], "holds no trajectory"),
        (["text.xtc"], "cannot be opened as a trajectory"),
        (["training", "empty"], "is a training"),
    ],
)
def test_mistakes_are_told_in_a_sentence(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("training").mkdir()
    Path("training/validation.csv").write_text("step\n")
    Path("text.xtc").write_text("no trajectory")
    code, said = helio(*arguments)
    assert code == 1 and said.startswith("Error: ") and message in " ".join(said.split()) and said.count("\n") <= 3
