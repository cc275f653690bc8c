"""Settings in YAML: plain values are read, what could hurt or is no YAML ends in a sentence with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from helio.cli import app
from helio.errors import HelioError
from helio.files.yaml_file import read_yaml

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def test_plain_values_are_read(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("steps: 1000\nmodel: so3lr  # a name\nsave: [forces, ~, true]\nloss:\n  forces: 1.5\n")
    assert read_yaml(path) == {
        "steps": 1000,
        "model": "so3lr",
        "save": ["forces", None, True],
        "loss": {"forces": 1.5},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAUGHS, "line 1, column 4: settings have no anchors"),
        ("steps: 1\nbegin: 2026-99-99\n", "line 2, column 8: month must be in 1..12"),
        ("steps: !!int abc", "line 1, column 8: settings have no tags"),
        ("steps: " + "9" * 5000, "line 1, column 8: Exceeds the limit"),
        ("[" * 3000, "is no YAML"),
        ("{a: " * 500, "more than 32 deep"),
        ("a: [" + "1," * 200_000 + "]", "more than 100,000 values"),
        ("steps: 1\nsteps: 2", "line 2, column 1: steps is given twice"),
        ("steps: 1\n---\nsteps: 2", "line 2, column 1: but found another document"),
        ("a: b: c", "line 1, column 5: mapping values are not allowed"),
        ("a: " + "x" * 2**21, "is larger than any settings file"),
    ],
)
def test_what_is_no_settings_file(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    with pytest.raises(HelioError, match=message) as raised:
        read_yaml(path)
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 400 + len(str(path))


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_bytes(b"steps: \xff\xfe")
    with pytest.raises(HelioError, match=r"is no text in UTF-8 \(byte 7\)"):
        read_yaml(tmp_path / "settings.yaml")


@pytest.mark.parametrize(
    "command", ["md FILE --out OUT", "train FILE --out OUT", "coarse train FILE --out OUT", "data generate FILE OUT"]
)
@pytest.mark.parametrize("text", [LAUGHS, "1: 2\nstructure: water.xyz\ndata: x\nparts: {}\n"])
def test_commands_say_what_is_wrong(command: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    places = {"FILE": str(path), "OUT": str(tmp_path / "out")}
    result = CliRunner().invoke(app, [places.get(word, word) for word in command.split()])
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit) and len(result.output) < 600
    assert not (tmp_path / "out").exists()
