"""A bias is a program: it runs only where the user agrees to it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml
from ase.build import molecule
from typer.testing import CliRunner

from helio.cli import app
from helio.errors import HelioError
from helio.files.structures import write_structure
from helio.force_field import ForceField
from helio.force_field.model_file import ModelInfo, save_model
from helio.simulate.bias_consent import check_consent

BIAS = """
from pathlib import Path
Path(__file__).with_name("ran").touch()
def energy(system):
    return 0.0 * system.positions.sum()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The present folder, with nothing agreed to before."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "bias.py").write_text(BIAS)
    return tmp_path


def test_what_was_agreed_to_is_that_file_in_that_place(folder: Path) -> None:
    check_consent(None, allowed=False)
    with pytest.raises(HelioError, match="read it, then give --allow-bias"):
        check_consent("bias.py", allowed=False)
    check_consent("bias.py", allowed=True)
    check_consent(folder / "bias.py", allowed=False)
    record = folder / "state" / "helio" / "biases"
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    assert stat.S_IMODE(record.parent.stat().st_mode) == 0o700
    (folder / "copy.py").write_text(BIAS)  # might load a neighbour of another kind
    (folder / "bias.py").write_text(BIAS + "\n")
    for name in ("copy.py", "bias.py"):
        with pytest.raises(HelioError, match="runs with all your rights"):
            check_consent(name, allowed=False)
    with pytest.raises(HelioError, match="there is no file with a bias"):
        check_consent("none.py", allowed=True)


def test_settings_files_and_runs_of_others_execute_nothing(
    folder: Path, small_force_field: ForceField, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("helio.cli.compiled.keep_compiled_programs", lambda: None)
    save_model(small_force_field, "small.safetensors", ModelInfo(name="small"))
    write_structure("water.xyz", molecule("H2O"))
    values = {"structure": "water.xyz", "model": "small.safetensors", "bias": "bias.py", "steps": 2, "log_every": 1}
    Path("settings.yaml").write_text(yaml.safe_dump(values))

    def run(*arguments: str) -> tuple[int, str, bool]:
        (folder / "ran").unlink(missing_ok=True)
        result = CliRunner().invoke(app, arguments)
        return result.exit_code, result.output, (folder / "ran").exists()

    for options in ([], ["--dry-run"]):
        status, output, ran = run("md", "settings.yaml", *options)
        assert status == 1 and "--allow-bias" in output and not ran, output
    assert not Path("run").exists()
    status, output, ran = run("md", "water.xyz", "--model", "small.safetensors", "--bias", "bias.py", "--steps", "2")
    assert status == 0 and ran, output  # typing its name is to agree
    assert run("resume", "run", "--steps", "3")[::2] == (0, True)
    (folder / "state" / "helio" / "biases").unlink()  # a run of somebody else
    status, output, ran = run("resume", "run", "--steps", "4")
    assert status == 1 and "--allow-bias" in output and not ran, output
    assert run("resume", "run", "--steps", "4", "--allow-bias")[::2] == (0, True)
