"""The package's surface: lazy names, fast start."""

import subprocess
import sys
import time

import pytest

import helio


@pytest.mark.parametrize("name", helio.__all__)
def test_public_names_exist(name):
    assert getattr(helio, name) is not None
    assert name in dir(helio)


def test_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'Sistem'"):
        _ = helio.Sistem  # pyright: ignore


@pytest.mark.parametrize("module", ["helio", "helio.cli"])
def test_import_loads_nothing_heavy(module):
    heavy = ("jax", "numpy", "ase", "matplotlib", "h5py", "equinox", "pydantic", "scipy")
    code = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_help_is_fast():
    command = [sys.executable, "-c", "from helio.cli import main; main()", "--help"]
    times = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        times.append(time.perf_counter() - start)
    assert min(times) < 1.0  # 0.3 s on a quiet machine; tests share theirs
