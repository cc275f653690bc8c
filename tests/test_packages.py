"""What a message says about an extra that is missing."""

from __future__ import annotations

import json
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from helio import packages
from helio.errors import HelioError


class Installed:
    """A distribution with the records that an installer leaves."""

    def __init__(self, direct_url: dict[str, Any] | None, installer: str = "pip") -> None:
        self._files = {"direct_url.json": direct_url and json.dumps(direct_url), "INSTALLER": f"{installer}\n"}

    def read_text(self, name: str) -> str | None:
        return self._files[name]


def command(monkeypatch: pytest.MonkeyPatch, direct_url: dict[str, Any] | None = None, installer: str = "pip") -> str:
    monkeypatch.setattr(packages, "distribution", lambda name: Installed(direct_url, installer))
    return packages.extra_command("build")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A clone with an environment in it that is not active."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv" / "bin" / "python"))
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/pip")


def test_clone_in_the_present_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = {"url": tmp_path.as_uri(), "dir_info": {}}
    assert command(monkeypatch, folder) == "./.venv/bin/python -m pip install '.[build]'"
    folder["dir_info"] = {"editable": True}
    assert command(monkeypatch, folder) == "./.venv/bin/python -m pip install -e '.[build]'"
    monkeypatch.chdir("/")
    elsewhere = str(tmp_path).removeprefix("/")
    assert command(monkeypatch, folder) == f"./{elsewhere}/.venv/bin/python -m pip install -e './{elsewhere}[build]'"


def test_package_index_and_active_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("shutil.which", lambda name: str(tmp_path / ".venv" / "bin" / "pip"))
    assert command(monkeypatch) == "pip install 'helio-md[build]'"
    wheel = {"url": "file:///tmp/helio_md-1-py3-none-any.whl", "archive_info": {}}
    assert command(monkeypatch, wheel) == "pip install 'helio-md[build] @ file:///tmp/helio_md-1-py3-none-any.whl'"
    repository = {"url": "https://example.org/helio.git", "vcs_info": {"vcs": "git"}}
    assert command(monkeypatch, repository) == "pip install 'helio-md[build] @ git+https://example.org/helio.git'"


def test_other_installers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert command(monkeypatch, installer="uv") == "uv pip install --python ./.venv/bin/python 'helio-md[build]'"
    monkeypatch.setattr(sys, "prefix", "/home/user/.local/share/pipx/venvs/helio-md")
    assert command(monkeypatch) == "pipx install --force 'helio-md[build]'"


def test_clone_that_was_never_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(packages, "distribution", missing)
    clone = Path(packages.__file__).parents[1]
    assert packages.extra_command("gpu") == f"./.venv/bin/python -m pip install -e '{clone}[gpu]'"


def test_missing_package_names_the_extra() -> None:
    with pytest.raises(HelioError, match=r"this needs no_such_package .*install the extra: .*install.*\[train\]'"):
        packages.need("no_such_package", extra="train")
