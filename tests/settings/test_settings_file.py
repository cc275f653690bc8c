"""Settings files: each command's template is a file that it takes, with every setting at its default."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
import yaml
from pydantic import Field

from helio.coarse.input_file import SETTINGS_FILE as COARSE
from helio.errors import HelioError
from helio.frameworks.model.input_file import SETTINGS_FILE as FRAMEWORKS
from helio.settings.checking import Settings, checked
from helio.settings.settings_file import SettingsFile
from helio.simulate.input_file import SETTINGS_FILE as MD
from helio.train.input_file import SETTINGS_FILE as TRAIN


class Oven(Settings):
    hot: tuple[float, ...] = Field((1.0, 2.0), description="in K")


class Baking(Settings):
    dough: str = Field(description="file", examples=["dough.csv"])
    recipe: str | None = Field(None, description="file or name")
    kind: Literal["bread", "cake"] = Field("bread", description="what comes out")
    oven: Oven = Field(Oven.model_validate({}), description="its heat")
    out: str = Field("bakery", description="folder")


FILE = SettingsFile(
    Baking,
    command="bake",
    template_command="bake template",
    needs="dough: FILE",
    paths=("dough",),
    paths_or_names=("recipe",),
    sections={"dough": "Ingredients", "oven": "Heat"},
    notes={"oven": "# hot!\n"},
)


def test_template() -> None:
    assert FILE.template() == (
        "# Settings of `bake`. Name the dough, change what you like; the rest may be left out.\n"
        "out: bakery  # folder; relative to this file\n"
        "\n"
        "# Ingredients\n"
        "dough: dough.csv  # file; relative to this file\n"
        "recipe: null  # file or name\n"
        "kind: bread  # what comes out (bread | cake)\n"
        "\n"
        "# Heat\n"
        "oven:  # its heat\n"
        "  hot: [1.0, 2.0]  # in K\n"
        "# hot!\n"
    )


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    (tmp_path / "own.csv").touch()
    file.write_text("dough: ../dough.csv\nrecipe: own.csv\nout: made\n")
    expected = {"dough": str(tmp_path.parent / "dough.csv"), "recipe": str(tmp_path / "own.csv")}
    assert FILE.read(file) == (tmp_path / "made", expected)
    (tmp_path / "link.csv").symlink_to(tmp_path / "own.csv")
    file.write_text("dough: link.csv\n")
    assert FILE.read(file) == (None, {"dough": str(tmp_path / "link.csv")})
    file.write_text("dough: /dough.csv\nrecipe: grandmother's\n")
    assert FILE.read(file) == (None, {"dough": "/dough.csv", "recipe": "grandmother's"})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("kind: cake", "needs a line `dough: FILE`; `bake template` prints a whole settings file"),
        ("- dough", "needs a line `dough: FILE`"),
        ("dough: 3", "needs a line `dough: FILE`"),
        ("", "needs a line `dough: FILE`"),
        ("{", "is no YAML"),
        ("dough: a\nout: 3", "out must be the path of a folder, not 3"),
    ],
)
def test_files_that_are_none(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "settings.yaml").write_text(content)
    with pytest.raises(HelioError, match=message):
        FILE.read(tmp_path / "settings.yaml")


@pytest.mark.parametrize("file", [MD, TRAIN, COARSE, FRAMEWORKS], ids=lambda file: file.command)
def test_templates_of_commands(tmp_path: Path, file: SettingsFile) -> None:
    text = file.template()
    (tmp_path / "settings.yaml").write_text(text)
    out, values = file.read(tmp_path / "settings.yaml")
    assert out == tmp_path / file.kind.model_fields["out"].default
    assert {*values, "out"} == set(file.kind.model_fields)
    needed = file.needs.partition(":")[0]
    assert checked(file.kind, values) == checked(file.kind, {needed: values[needed]})
    assert values[needed] == str(tmp_path / yaml.safe_load(text)[needed])
    lines = text.splitlines()
    assert all(f"# {title}" in lines for title in file.sections.values())
