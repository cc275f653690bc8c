"""`helio coarse train` and `helio coarse simulate` as a user meets them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from helio.cli import app
from helio.coarse.rollout_file import Rollout

pytest.importorskip("pymetis")

SETTINGS = {
    "data": "rouse.h5",
    "network": {"history": 2, "width": 4, "layers": 1, "hidden_layers": 1, "embedding_width": 4,
                "embedding_layers": 1, "embedding_size": 2, "type_size": 2, "noise": "independent"},
    "systems_per_batch": 2, "windows_per_system": 4, "validation_windows": 4, "steps": 6, "checkpoint_every": 3,
    "validate_every": 3, "log_every": 3,
}  # fmt: skip


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # The setting of the compilation cache would outlive the test.
    monkeypatch.setattr("helio.cli.compiled.keep_compiled_programs", lambda: None)


def helio(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


def test_train_and_simulate() -> None:
    arguments = ["--count", "4", "--beads", "8", "8", "--frames", "20", "--validation", "1", "--test", "1"]
    assert helio("coarse", "reference", "rouse", *arguments, "--beads-per-group", "4", "--out", "rouse.h5")[0] == 0
    Path("settings.yaml").write_text(yaml.safe_dump(SETTINGS))
    status, said = helio("coarse", "train", "settings.yaml", "--dry-run", "--out", "run")
    assert status == 0 and "2 systems to train on, 1 to validate on" in said and not Path("run").exists(), said
    assert "One step of the model: 5 tau" in said and "Would write to run" in said

    status, said = helio("coarse", "train", "settings.yaml", "--out", "run")
    assert status == 0 and "Done: 6 steps" in said and "run/model.safetensors" in said, said
    status, said = helio("coarse", "train", "settings.yaml", "--out", "run")
    assert status == 1 and "exists; continue that run" in said
    status, said = helio("resume", "run", "--steps", "7")
    assert status == 0 and "Done: 7 steps" in said, said

    model = "run/model.safetensors"
    status, said = helio("coarse", "simulate", model, "rouse.h5", "--steps", "8", "--dry-run", "--out", "roll")
    assert status == 0 and "8 steps of 5 tau, 40 tau of each system, after a history of 2 frames" in said, said
    status, said = helio("coarse", "simulate", model, "rouse.h5", "--steps", "8", "--save-every", "2", "--out", "roll",
                         "--checkpoint-every", "4")  # fmt: skip
    assert status == 0 and "Done: 8 steps" in said, said
    status, said = helio("coarse", "simulate", "roll", "--steps", "12")
    assert status == 0 and "Done: 12 steps" in said, said
    with Rollout("roll/rollout.h5") as found:
        assert [found.frames(name) for name in found.names] == [6]


def test_mistakes() -> None:
    Path("settings.yaml").write_text("steps: 3\n")
    assert helio("coarse", "train", "settings.yaml") == (
        1, "Error: settings.yaml needs a line `data: STORE`; `helio template coarse` prints a whole settings file"
    )  # fmt: skip
    status, said = helio("coarse", "simulate", "none.safetensors")
    assert status == 1 and "give a model and a store" in said
    status, said = helio("coarse", "simulate", "none.safetensors", "none.h5")
    assert status == 1 and "there is no store" in said
