"""The packages of the extra `train`."""

from __future__ import annotations

from importlib import import_module

from helio.errors import HelioError


def need(package: str, extra: str = "train") -> None:
    """Raise `HelioError`, with what to install, unless `package` can be imported."""
    try:
        import_module(package)
    except ImportError as error:
        raise HelioError(f"this needs {package} ({error}): pip install 'helio[{extra}]'") from error
