"""The packages of the extra `frameworks`."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from helio.errors import HelioError


def need(package: str) -> Any:
    """Import `package`; raise `HelioError`, with what to install, where that is impossible."""
    try:
        return import_module(package)
    except ImportError as error:
        raise HelioError(f"this needs {package} ({error}): pip install 'helio[frameworks]'") from error
