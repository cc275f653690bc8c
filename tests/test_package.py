"""The package's surface: lazy names, fast start."""

import subprocess
import sys

import pytest

import helio


@pytest.mark.parametrize("name", helio.__all__)
def test_public_names_exist(name):
    assert getattr(helio, name) is not None
    assert name in dir(helio)


def test_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'Sistem'"):
        _ = helio.Sistem  # pyright: ignore


HEAVY = ("jax", "numpy", "ase", "matplotlib", "h5py", "equinox", "pydantic", "scipy")


@pytest.mark.parametrize(
    "code",
    [
        "import helio",
        "import helio.cli",
        # What makes help appear at once.
        "import contextlib, sys\nfrom helio.cli import main\nsys.argv = ['helio', '--help']\n"
        "with contextlib.redirect_stdout(None), contextlib.suppress(SystemExit):\n    main()",
    ],
    ids=["helio", "helio.cli", "help"],
)
def test_nothing_heavy_is_loaded(code):
    code += f"\nimport sys\nprint([m for m in {HEAVY} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
