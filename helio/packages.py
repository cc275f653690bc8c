"""Packages that only an extra installs, and the command that installs it here."""

from __future__ import annotations

import json
import os
import shutil
import sys
from importlib import import_module
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from helio.errors import HelioError

DISTRIBUTION = "helio-md"


def need(*packages: str, extra: str) -> Any:
    """Import `packages` and return the first of them.

    Raises:
        HelioError: one cannot be imported; says what to install.
    """
    try:
        modules = [import_module(package) for package in packages]
    except ImportError as error:
        names = " and ".join(packages)
        raise HelioError(f"this needs {names} ({error}); install the extra: {extra_command(extra)}") from error
    return modules[0]


def extra_command(extra: str) -> str:
    """The command that adds an extra of Helio to this environment, in the way in which Helio was installed.

    A clone is installed again from its folder, editable if it was; otherwise the extra comes from the package index.
    """
    try:
        installed = distribution(DISTRIBUTION)
    except PackageNotFoundError:  # a clone on the path that was never installed
        return f"{install_command()} -e '{_shown(Path(__file__).parents[1])}[{extra}]'"
    requirement = _requirement(installed, extra)
    if Path(sys.prefix).parts[-3:-1] == ("pipx", "venvs"):
        return f"pipx install --force {requirement}"
    return f"{install_command(installed)} {requirement}"


def install_command(installed: Distribution | None = None) -> str:
    """`pip install` for this environment, which need not be the one that the shell's `pip` belongs to."""
    python = Path(sys.executable)
    if installed is not None and (installed.read_text("INSTALLER") or "").strip() == "uv":
        return f"uv pip install --python {_shown(python)}"
    pip = shutil.which("pip")
    if pip is not None and Path(pip).parent == python.parent:
        return "pip install"
    return f"{_shown(python)} -m pip install"


def _requirement(installed: Distribution, extra: str) -> str:
    """Helio with an extra, from the folder, archive or repository that it was installed from (PEP 610)."""
    record = json.loads(installed.read_text("direct_url.json") or "{}")
    url = record.get("url", "")
    if "dir_info" in record and url.startswith("file://"):
        editable = "-e " if record["dir_info"].get("editable") else ""
        return f"{editable}'{_shown(Path(unquote(urlsplit(url).path)))}[{extra}]'"
    if "vcs_info" in record:
        return f"'{DISTRIBUTION}[{extra}] @ {record['vcs_info']['vcs']}+{url}'"
    return f"'{DISTRIBUTION}[{extra}] @ {url}'" if url else f"'{DISTRIBUTION}[{extra}]'"


def _shown(path: Path) -> str:
    """A path as one would type it here: relative, with the dot that tells it from a name, where it lies below."""
    here = Path.cwd()
    if path == here:
        return "."
    return f".{os.sep}{path.relative_to(here)}" if path.is_relative_to(here) else str(path)
