"""The packages of the extra `build`."""

from __future__ import annotations

from importlib import import_module

from helio.errors import HelioError


def need(*packages: str) -> None:
    """Raise `HelioError`, with what to install, unless all `packages` can be imported."""
    for package in packages:
        try:
            import_module(package)
        except ImportError as error:
            raise HelioError(f"this needs {package} ({error}): pip install 'helio[build]'") from error
