"""The protocols in examples/protocols and their page: settings are valid, and commands and files belong together."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from helio.analyse.catalogue import find, parsed_options
from helio.settings.checking import checked
from helio.simulate.input_file import SETTINGS_FILE, MDInput
from helio.simulate.settings import MDSettings
from tests.test_docs import ROOT, helio_commands, parse

PROTOCOLS = ROOT / "examples" / "protocols"
PAGE = ROOT / "docs" / "protocols.md"
FILES = sorted(PROTOCOLS.glob("*/*.yaml"))
NAMES = sorted(folder.name for folder in PROTOCOLS.iterdir() if folder.is_dir())


def section(name: str, tmp_path: Path) -> list[list[str]]:
    """Arguments of the helio commands in the part of the page that works in this folder."""
    parts = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)
    (found,) = (part for part in parts if f"cd examples/protocols/{name}\n" in part)
    alone = tmp_path / "section.md"
    alone.write_text(found)
    return helio_commands(alone)


def value(arguments: list[str], option: str) -> str | None:
    return arguments[arguments.index(option) + 1] if option in arguments else None


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_settings_are_valid(file: Path) -> None:
    MDInput.model_validate(yaml.safe_load(file.read_text()))
    out, values = SETTINGS_FILE.read(file)
    assert Path(values.pop("structure")).parent == file.parent and out is not None and out.parent == file.parent
    settings = checked(MDSettings, values)
    assert settings.timestep <= (2.0 if settings.constraints == "h-bonds" else 1.0)
    assert settings.steps // settings.save_every >= 20, "too few frames for an analysis"
    assert settings.steps % settings.save_every == 0 and settings.steps % settings.log_every == 0


@pytest.mark.parametrize("name", NAMES)
def test_each_protocol_has_a_small_and_a_full_setting(name: str) -> None:
    small, full = (SETTINGS_FILE.read(PROTOCOLS / name / f"{size}.yaml") for size in ("small", "full"))
    assert small[0] != full[0]
    lengths = [values["steps"] * values["timestep"] for _, values in (small, full)]
    assert lengths[1] > 50 * lengths[0]


@pytest.mark.parametrize("name", NAMES)
def test_commands_of_the_page_fit_the_files(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each structure is built before it is used, each run made before it is analysed, each settings file used."""
    monkeypatch.chdir(PROTOCOLS / name)
    built, made, used = set[str](), set[str](), set[str]()
    for arguments in section(name, tmp_path):
        parse(arguments)
        match arguments:
            case ["build", *_]:
                built.add(value(arguments, "--out") or "")
            case ["md", file, *options]:
                out, values = SETTINGS_FILE.read(file)
                structure = Path(values.pop("structure")).name
                ensemble = value(options, "--ensemble")
                checked(MDSettings, values | ({"ensemble": ensemble} if ensemble else {}))
                assert structure in built and out is not None
                made.add(value(options, "--out") or str(out))
                used.add(file)
            case ["analyse", analysis, *rest]:
                check_analysis(analysis, rest, made)
            case ["report", *rest]:
                assert runs_of(rest) and set(runs_of(rest)) <= made
            case _:
                raise AssertionError(f"what is {arguments} for?")
    assert used == {file.name for file in FILES if file.parent.name == name}


def check_analysis(name: str, arguments: list[str], made: set[str]) -> None:
    """The analysis exists, knows its options and gets runs that an earlier command made."""
    assert runs_of(arguments) and set(runs_of(arguments)) <= made
    words = [after for word, after in pairwise(arguments) if word == "--set"]
    assert set(parsed_options(name, words)) <= set(find(name).options())


def runs_of(arguments: list[str]) -> list[str]:
    """The words before the first option."""
    first = next((i for i, word in enumerate(arguments) if word.startswith("-")), len(arguments))
    return arguments[:first]


def test_every_protocol_is_on_the_page() -> None:
    assert set(re.findall(r"^cd examples/protocols/([\w-]+)$", PAGE.read_text(), flags=re.MULTILINE)) == set(NAMES)
