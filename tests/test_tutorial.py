"""The tutorial, run from its first line to its last on a tiny version: fewer atoms and steps, a small model."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from helio.cli import app
from helio.force_field import ForceField
from helio.force_field.model_file import ModelInfo, save_model

PAGE = Path(__file__).parents[1] / "docs" / "tutorial.md"

# What makes each command small; the model is added where a command takes one.
SMALLER = {
    "--padding": "3",
    "--steps": "12",
    "--save-every": "4",
    "--timestep": "0.1",
}
EXTRA = {
    "build": ["--no-relax"],
    "md": ["--log-every", "4", "--long-range-cutoff", "6", "--hottest", "1000000", "--skin", "1"],
}


def smaller(arguments: list[str], model: Path, *, longer: bool) -> list[str]:
    made = list(arguments)
    for option, value in SMALLER.items():
        if option in made:
            made[made.index(option) + 1] = "16" if option == "--steps" and longer else value
    made += EXTRA.get(made[0], [])
    return made + (["--model", str(model)] if made[0] == "md" else [])


def test_the_tutorial_runs(
    small_force_field: ForceField,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for package in ("openmm", "pdbfixer", "packmol", "rdkit", "MDAnalysis"):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    model = tmp_path / "small.safetensors"
    save_model(small_force_field, model, ModelInfo(name="small"))
    blocks = re.findall(r"```(bash|python)\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    resumed = False
    for kind, text in blocks:
        if kind == "python":
            exec(compile(text, str(PAGE), "exec"), {})
            continue
        for line in text.splitlines():
            arguments = shlex.split(line)
            assert arguments[0] == "helio"
            result = CliRunner().invoke(app, smaller(arguments[1:], model, longer=resumed))
            assert result.exit_code == 0, (line, result.output, result.exception)
            resumed |= arguments[1] == "resume"
    printed = capsys.readouterr().out
    assert "g/cm3" in printed and printed.count("radius of gyration") == 5
    assert (tmp_path / "run-water" / "trajectory.xtc").stat().st_size > 0
