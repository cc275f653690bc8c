"""`helio template`: what it prints is what `helio md` takes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from helio.cli import app
from helio.errors import HelioError
from helio.settings.checking import checked
from helio.simulate.input_file import SETTINGS_FILE
from helio.simulate.settings import SECTIONS, MDSettings


def printed(*options: str) -> str:
    result = CliRunner().invoke(app, ["template", "md", *options])
    assert result.exit_code == 0
    return result.output


def test_template_is_a_settings_file_with_every_default(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text(printed())
    out, values = SETTINGS_FILE.read(tmp_path / "settings.yaml")
    assert values.pop("structure") == str(tmp_path / "molecule.xyz") and out == tmp_path / "run"
    assert (values.pop("frame"), values.pop("altloc")) == (None, None)
    assert set(values) == set(MDSettings.model_fields)
    assert checked(MDSettings, values) == MDSettings()  # pyright: ignore[reportCallIssue]


def test_template_into_a_file(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    assert printed("--out", str(file)) == f"Wrote {file}\n" and file.read_text() == printed()
    again = CliRunner().invoke(app, ["template", "md", "--out", str(file)])
    assert again.exit_code == 1 and "exists" in again.output


def test_template_explains_every_setting() -> None:
    lines = printed().splitlines()
    for name, field in MDSettings.model_fields.items():
        (line,) = (line for line in lines if line.startswith(f"{name}: "))
        assert f"{field.description}" in line
    assert all(f"# {title}" in lines for title in SECTIONS.values())


def test_examples_of_restraints_are_valid() -> None:
    lines = printed().splitlines()
    first = lines.index("# restraints:")
    block = [line.removeprefix("# ") for line in lines[first:] if line.startswith(("# restraints", "#   -"))]
    restraints = checked(MDSettings, yaml.safe_load("\n".join(block))).restraints
    assert [restraint.kind for restraint in restraints] == ["position", "distance", "sphere"]


def test_schema_names_every_setting_and_demands_a_structure() -> None:
    schema = json.loads(printed("--schema"))
    assert set(schema["properties"]) == {*MDSettings.model_fields, "structure", "out", "frame", "altloc"}
    assert schema["required"] == ["structure"] and schema["additionalProperties"] is False
    assert schema["properties"]["ensemble"]["enum"] == ["nve", "nvt", "npt"]
    assert "restraints" in schema["properties"]


def test_paths_in_a_settings_file(tmp_path: Path) -> None:
    (tmp_path / "own.safetensors").touch()
    file = tmp_path / "a.yaml"
    file.write_text("structure: a.xyz\nmodel: own.safetensors\nbias: none.py\n")
    own = {"structure": str(tmp_path / "a.xyz"), "model": str(tmp_path / "own.safetensors"), "bias": "none.py"}
    assert SETTINGS_FILE.read(file) == (None, own)
    file.write_text("structure: /data/a.xyz\nmodel: so3lr\nout: /data/run\n")
    assert SETTINGS_FILE.read(file) == (Path("/data/run"), {"structure": "/data/a.xyz", "model": "so3lr"})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("steps: 3\n", "structure: FILE"),
        ("[1, 2\n", "no YAML"),
        ("", "structure: FILE"),
        ("structure: a\nout: 3\n", "out must be the path of a folder, not 3"),
    ],
)
def test_files_that_are_none(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "a.yaml").write_text(content)
    with pytest.raises(HelioError, match=message):
        SETTINGS_FILE.read(tmp_path / "a.yaml")
    with pytest.raises(HelioError, match="there is no settings file"):
        SETTINGS_FILE.read(tmp_path / "b.yaml")


def test_settings_files_in_the_documentation_are_valid(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "simulation.md").read_text()
    blocks = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
    assert len(blocks) == 1
    (tmp_path / "settings.yaml").write_text(blocks[0])
    _, values = SETTINGS_FILE.read(tmp_path / "settings.yaml")
    del values["structure"]
    kinds = [restraint.kind for restraint in checked(MDSettings, values).restraints]
    assert kinds == ["position", "distance", "flat-distance", "dihedral", "sphere", "walls"]
