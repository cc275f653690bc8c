"""The border to JAX's devices."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from helio.devices import available_devices

EXAMPLE = Path(__file__).parents[1] / "examples" / "alanine_dipeptide.xyz"


def test_devices_are_those_of_jax() -> None:
    assert len(available_devices()) > 0


def test_platform_that_is_not_there_ends_in_a_sentence(tmp_path: Path) -> None:
    if available_devices()[0].platform == "gpu":
        pytest.skip("there is a GPU")
    command = [sys.executable, "-m", "helio", "opt", str(EXAMPLE), "--model", "helio-s", "--out", tmp_path / "o.xyz"]
    result = subprocess.run(command, env=os.environ | {"JAX_PLATFORMS": "cuda"}, capture_output=True, text=True)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr and "damaged" not in result.stderr
    assert "JAX_PLATFORMS=cuda asks JAX for what it cannot use here" in " ".join(result.stderr.split())
