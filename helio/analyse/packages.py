"""The packages of the extra `analysis`."""

from __future__ import annotations

from importlib import import_module

from helio.errors import HelioError


def need(*packages: str) -> None:
    """Raise `HelioError`, with what to install, unless all `packages` can be imported."""
    for package in packages:
        try:
            import_module(package)
        except ImportError as error:
            raise HelioError(f"this analysis needs {package} ({error}): pip install 'helio[analysis]'") from error
