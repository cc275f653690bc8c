"""Finding the compiled library, and what is said where there is none."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from helio.errors import HelioError
from helio.kernels import attention_forward, available, library, why_unavailable
from tests.kernels.layers import Sizes, random_filters, random_nodes, tables

ROOT = Path(__file__).parents[2]


@pytest.fixture
def another_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The path where the library is looked for, with nothing there yet."""
    path = tmp_path / "other.so"
    monkeypatch.setattr(library, "LIBRARY", path)
    library.why_unavailable.cache_clear()
    yield path
    library.why_unavailable.cache_clear()


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    specification = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_without_library(another_library: Path):
    assert not available()
    reason = why_unavailable()
    assert reason is not None and "compiler" in reason and "install" in reason
    sizes = Sizes()
    nodes = random_nodes(sizes, [[0.0, 0, 0], [1, 0, 0]], None, dtype="float32")  # pyright: ignore[reportArgumentType]
    with pytest.raises(HelioError, match="compiler"):
        attention_forward(tables(random_filters(sizes, 0), sizes, first_layer=False, knots=128), *nodes.arguments)


def test_damaged_library(another_library: Path):
    another_library.write_bytes(b"no library")
    assert "cannot be loaded" in str(why_unavailable())


def test_no_compiler(hook: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    assert hook.compile_library(tmp_path / "made.so") == "no C++ compiler was found"


def test_a_compiler_that_fails_leaves_nothing(hook: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    failing = tmp_path / "compiler"
    failing.write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    failing.chmod(0o755)
    monkeypatch.setenv("CXX", str(failing))
    assert "broken" in hook.compile_library(tmp_path / "made.so")
    assert os.listdir(tmp_path) == ["compiler"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("c++") is None, reason="needs a C++ compiler")
def test_compiling_makes_a_library_that_loads(hook: ModuleType, another_library: Path):
    assert hook.compile_library(another_library) is None
    assert why_unavailable() is None
