"""The builders need the packages of the extra `build`."""

from __future__ import annotations

import importlib.util

import pytest

PACKAGES = ("openmm", "packmol", "pdbfixer", "rdkit")


@pytest.fixture(autouse=True, scope="session")
def extra_is_installed() -> None:
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: pip install '.[build]'")
