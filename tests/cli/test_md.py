"""`helio md`, `helio resume` and `helio opt` as a user meets them."""

from __future__ import annotations

from pathlib import Path

import pytest
from ase.build import molecule
from typer.testing import CliRunner

from helio.cli import app
from helio.files.structures import read_structure, write_structure
from helio.force_field import ForceField
from helio.force_field.model_file import ModelInfo, save_model


@pytest.fixture
def files(small_force_field: ForceField, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Paths of a structure and of a model, in an empty folder that is the present one."""
    monkeypatch.chdir(tmp_path)
    # The setting of the compilation cache would outlive the test.
    monkeypatch.setattr("helio.cli.compiled.keep_compiled_programs", lambda: None)
    save_model(small_force_field, "small.safetensors", ModelInfo(name="small"))
    write_structure("water.xyz", molecule("H2O"))
    return "water.xyz", "small.safetensors"


def test_dry_run_writes_nothing(files: tuple[str, str]) -> None:
    result = CliRunner().invoke(app, ["md", files[0], "--model", files[1], "--steps", "1000", "--dry-run"])
    assert result.exit_code == 0 and "11 frames" in result.output and "long_range_cutoff: 1000.0" in result.output
    assert not Path("run").exists()


def test_md_and_resume(files: tuple[str, str]) -> None:
    arguments = ["md", files[0], "--model", files[1], "--steps", "4", "--log-every", "2"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "ns/day" in result.output and "Done: 4 steps" in result.output
    again = CliRunner().invoke(app, arguments)
    assert again.exit_code == 1 and "exists" in again.output
    longer = CliRunner().invoke(app, ["resume", "run", "--steps", "6"])
    assert longer.exit_code == 0 and "Done: 6 steps" in longer.output
    assert [line.split(",")[0] for line in Path("run/log.csv").read_text().splitlines()] == ["step", "0", "2", "4", "6"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--ensemble", "npt"], "ensemble"),
        (["--charge", "1"], "electrons"),
        (["--electrostatics", "ewald"], "ewald"),
        (["--model", "nothing"], "nothing"),
    ],
)
def test_mistakes_are_one_line(files: tuple[str, str], options: list[str], message: str) -> None:
    result = CliRunner().invoke(app, ["md", files[0], "--model", files[1], *options])
    assert result.exit_code == 1
    assert message in result.output.lower() and "Traceback" not in result.output
    assert not Path("run").exists()


def test_opt(files: tuple[str, str]) -> None:
    arguments = ["opt", files[0], "--model", files[1], "--steps", "3", "--fmax", "100"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert len(read_structure("water-opt.extxyz")) == 3
    assert CliRunner().invoke(app, arguments).exit_code == 1
    short = CliRunner().invoke(app, [*arguments[:-1], "1e-9", "--overwrite"])
    assert short.exit_code == 1 and "not converged" in short.output
