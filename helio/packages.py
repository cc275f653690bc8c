"""Packages that only an extra installs."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from helio.errors import HelioError


def need(*packages: str, extra: str) -> Any:
    """Import `packages` and return the first of them.

    Raises:
        HelioError: one cannot be imported; says what to install.
    """
    try:
        modules = [import_module(package) for package in packages]
    except ImportError as error:
        raise HelioError(f"this needs {' and '.join(packages)} ({error}): pip install 'helio[{extra}]'") from error
    return modules[0]
